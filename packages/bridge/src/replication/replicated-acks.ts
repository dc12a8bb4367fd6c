/** Produce requests that are acknowledged only when the other Kafka cluster has their records, too. */
import { Distribution, MILLISECONDS_PER_SECOND } from '@causeway/metrics/distribution.ts';
import { type Limits, within } from '../kafka/client/limits.ts';
import type { ProduceResult } from '../records.ts';
import type { Replication } from './replication.ts';
import type { SyncMark } from './sync-tail.ts';

const DURATION_BUCKETS_MS = [5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000];
/** Of an entry whose record is stored in one cluster alone. */
const NOT_REPLICATED_CODE = 504;

export interface ReplicatedAcksOptions {
  replication: Pick<Replication, 'untilCopied' | 'isMirrored' | 'mark'>;
  /** The name of the other cluster. */
  peer: string;
  /** Whether every request for a topic waits (`producer.replicatedTopics`). */
  isAlwaysWanted: (topic: string) => boolean;
  /** From the beginning of the request (`producer.deliveryTimeoutMs`). */
  timeoutMs: number;
}

/** Until when a request waits, and since which syncs count for it. */
export interface AckWait {
  /** `undefined` for records of an earlier request. */
  since: SyncMark | undefined;
  limits: Limits;
}

export class ReplicatedAcks {
  /** From the response of Kafka, in milliseconds. */
  readonly durations = new Distribution({ bounds: DURATION_BUCKETS_MS, perBaseUnit: MILLISECONDS_PER_SECOND });
  readonly #options: ReplicatedAcksOptions;

  constructor(options: ReplicatedAcksOptions) {
    this.#options = options;
  }

  /** Of a request that begins now. */
  begin(): AckWait {
    return { since: this.#options.replication.mark, limits: within(this.#options.timeoutMs) };
  }

  isAlwaysWanted(topic: string): boolean {
    return this.#options.isAlwaysWanted(topic);
  }

  /** Whether replication copies the topic: otherwise no request for it is ever acknowledged. */
  isPossible(topic: string): boolean {
    return this.#options.replication.isMirrored(topic);
  }

  /** The results, in which records that the other cluster does not have within the limits are errors. Errors: the signal's reason. */
  async replicated(topic: string, results: readonly ProduceResult[], wait: AckWait): Promise<readonly ProduceResult[]> {
    const startedAtMs = performance.now();
    const last = new Map<number, bigint>();
    for (const result of results) {
      if (!('offset' in result)) continue;
      const { partition, offset } = result;
      if (offset > (last.get(partition) ?? -1n)) last.set(partition, offset);
    }
    const missing = new Set<number>();
    await Promise.all(
      [...last].map(async ([partition, offset]) => {
        if (!(await this.#isCopied({ topic, partition }, offset, wait))) missing.add(partition);
      }),
    );
    if (last.size > 0) this.durations.observe(performance.now() - startedAtMs);
    if (missing.size === 0) return results;
    return results.map((result) =>
      'offset' in result && missing.has(result.partition) ? this.#notReplicated(result) : result,
    );
  }

  async #isCopied(place: { topic: string; partition: number }, offset: bigint, wait: AckWait): Promise<boolean> {
    try {
      await this.#options.replication.untilCopied(place, offset, wait);
      return true;
    } catch (error) {
      if (wait.limits.signal?.aborted === true) throw error;
      return false;
    }
  }

  #notReplicated({ partition, offset }: { partition: number; offset: bigint }): ProduceResult {
    const { peer, timeoutMs } = this.#options;
    return {
      errorCode: NOT_REPLICATED_CODE,
      message: `Stored in partition ${partition} at offset ${offset}, but not replicated to Kafka cluster ${peer} within ${timeoutMs} ms`,
    };
  }
}
