/** A client of a bridge itself, without a gateway: while its cluster does not serve, no record that it sends may be acknowledged. */
import { setTimeout as delay } from 'node:timers/promises';
import { type ClusterMode, type ClusterStatus, formatPromotion } from '@causeway/protocol/clusters.ts';
import { RECORDS } from '@causeway/protocol/content-types.ts';
import { HttpClient } from '../traffic/client.ts';
import { produceFailure } from '../traffic/producer.ts';

const INTERVAL_MS = 250;
export const PROBED_MODES: readonly ClusterMode[] = ['fenced', 'standby'];

export interface ProbeOptions {
  bridgeUrl: string;
  topic: string;
  /** `undefined` if the bridge does not respond. */
  status: () => Promise<ClusterStatus | undefined>;
}

export interface ProbeCounts {
  /** Refused writes, by the mode of the cluster before and after each. */
  refused: Partial<Record<ClusterMode, number>>;
  /** Acknowledged though the cluster did not serve, from before the request to after the response. */
  accepted: number;
}

export class ClusterProbe {
  readonly counts: ProbeCounts = { refused: {}, accepted: 0 };
  readonly #options: ProbeOptions;
  readonly #client: HttpClient;
  readonly #closed = new AbortController();
  readonly #running: Promise<void>;

  constructor(options: ProbeOptions) {
    this.#options = options;
    this.#client = new HttpClient(options.bridgeUrl);
    this.#running = this.#run();
  }

  async close(): Promise<void> {
    this.#closed.abort();
    await this.#client.close();
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#closed.signal.aborted) {
      await this.#probe();
      await delay(INTERVAL_MS, undefined, { signal: this.#closed.signal }).catch(() => {});
    }
  }

  async #probe(): Promise<void> {
    const { status, topic } = this.#options;
    const before = await status();
    if (before === undefined || !PROBED_MODES.includes(before.mode)) return;
    const answer = await this.#client.send({
      method: 'POST',
      path: `/topics/${encodeURIComponent(topic)}`,
      headers: { 'content-type': RECORDS.json },
      body: { records: [{ value: { probe: before.mode } }] },
    });
    const after = await status();
    if (answer.kind === 'failed' || after === undefined || stateOf(before) !== stateOf(after)) return;
    if (produceFailure(answer) === undefined) this.counts.accepted += 1;
    else this.counts.refused[before.mode] = (this.counts.refused[before.mode] ?? 0) + 1;
  }
}

function stateOf({ mode, promotion }: ClusterStatus): string {
  return `${mode} ${promotion === null ? '' : formatPromotion(promotion)}`;
}
