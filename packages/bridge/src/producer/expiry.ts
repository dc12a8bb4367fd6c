/** Settles expired records, wherever they are; a batch in flight may still be stored. */
import type { Cluster } from '../kafka/client/cluster.ts';
import type { Lane } from './lane.ts';
import type { OpenRequests } from './open-requests.ts';
import { expiredResult } from './refusal.ts';

/** How often lanes are checked. */
const INTERVAL_MS = 100;

export interface ExpiryOptions {
  cluster: Cluster;
  requests: OpenRequests;
  lanes: () => Iterable<Lane>;
  deliveryTimeoutMs: number;
  /** The lane has no more records to send. */
  onEmptied: (lane: Lane) => void;
}

/** Runs while records are open. */
export class Expiry {
  readonly #options: ExpiryOptions;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: ExpiryOptions) {
    this.#options = options;
  }

  start(): void {
    this.#timer ??= setInterval(() => this.#expire(), INTERVAL_MS);
  }

  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #expire(): void {
    const { cluster, requests, lanes, deliveryTimeoutMs, onEmptied } = this.#options;
    const nowMs = performance.now();
    for (const lane of lanes()) {
      const late = lane.expire(nowMs);
      if (late.length === 0) continue;
      if (lane.isEmpty) onEmptied(lane);
      const isTopicKnown = cluster.knownTopic(lane.topic) !== undefined;
      requests.settleAll(late, expiredResult(lane, { count: late.length, deliveryTimeoutMs, isTopicKnown }));
    }
    if (requests.bytes === 0) this.close();
  }
}
