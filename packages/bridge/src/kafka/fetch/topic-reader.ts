/** Reads one topic from its leaders, outside of any group and fetch session, over connections that nothing else uses. */
import type { Connection, ConnectionPool } from '@platformatic/kafka';
import { BridgeError } from '../../errors.ts';
import type { Cluster } from '../client/cluster.ts';
import { bounded, type Limits } from '../client/limits.ts';
import { type IsolationLevel, isolationByte } from '../client/list-offsets.ts';
import { type FetchAnswer, fetchFrom } from './fetch.ts';

const DEFAULT_MAX_BYTES = 8_388_608;
const MAX_PARTITION_BYTES = 1_048_576;
/** A fetch that begins no session (KIP-227). */
const NO_SESSION = { id: 0, epoch: -1 };
const ANY_EPOCH = -1;

/** The next offset to read of a partition. */
export interface PartitionPosition {
  number: number;
  position: bigint;
}

export interface TopicReaderOptions {
  /** Default: `read_uncommitted`. */
  isolationLevel?: IsolationLevel;
  /** The most bytes of one response. Default: 8 MiB. */
  maxBytes?: number;
}

export class TopicReader {
  readonly #cluster: Cluster;
  readonly #topicId: string;
  readonly #options: TopicReaderOptions;
  readonly #pool: ConnectionPool;

  /** Needs a {@link close}. `topicId`: of this topic, and of no other that had or gets its name. */
  constructor(cluster: Cluster, topicId: string, options: TopicReaderOptions = {}) {
    this.#cluster = cluster;
    this.#topicId = topicId;
    this.#options = options;
    this.#pool = cluster.createPool();
  }

  async close(): Promise<void> {
    await this.#cluster.closePool(this.#pool);
  }

  /** Connects to a broker that leads partitions. Errors: `kafkaUnavailable`; as {@link bounded}. */
  async connect(leader: number, limits: Limits): Promise<LeaderReader> {
    const broker = this.#cluster.broker(leader);
    if (broker === undefined) throw new BridgeError('kafkaUnavailable', { message: `Broker ${leader} is not known` });
    return new LeaderReader(await bounded(this.#pool.get(broker), limits), this.#topicId, this.#options);
  }
}

export class LeaderReader {
  readonly #connection: Connection;
  readonly #topicId: string;
  readonly #isolation: 0 | 1;
  readonly #maxBytes: number;

  constructor(connection: Connection, topicId: string, options: TopicReaderOptions) {
    this.#connection = connection;
    this.#topicId = topicId;
    this.#isolation = isolationByte(options.isolationLevel ?? 'read_uncommitted');
    this.#maxBytes = options.maxBytes ?? DEFAULT_MAX_BYTES;
  }

  /**
   * Waits at most `waitMs` for records. Errors of the broker are in the response.
   * Errors: when the broker cannot be reached.
   */
  fetch(partitions: readonly PartitionPosition[], waitMs: number): Promise<FetchAnswer> {
    const topics = [
      {
        topicId: this.#topicId,
        partitions: partitions.map(({ number, position }) => ({
          partition: number,
          fetchOffset: position,
          partitionMaxBytes: MAX_PARTITION_BYTES,
          currentLeaderEpoch: ANY_EPOCH,
          lastFetchedEpoch: ANY_EPOCH,
        })),
      },
    ];
    const { id, epoch } = NO_SESSION;
    return fetchFrom(this.#connection, [waitMs, 1, this.#maxBytes, this.#isolation, id, epoch, topics, [], '']);
  }
}
