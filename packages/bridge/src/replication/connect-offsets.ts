/**
 * Where MirrorMaker continues in its source, as the Kafka Connect worker within it keeps that in the target: topic `mm2-offsets.SOURCE.internal`. Written while it
 * does not run. Source: `OffsetStorageWriter` and `MirrorUtils.wrapPartition` of Kafka 4.3.
 */
import { positionsAhead, type StartPosition } from '@causeway/protocol/clusters.ts';
import { BridgeError } from '../errors.ts';
import type { Cluster } from '../kafka/client/cluster.ts';
import { ensureTopic } from '../kafka/client/ensure-topic.ts';
import { bounded, type Limits, remainingMs } from '../kafka/client/limits.ts';
import { listOffsets } from '../kafka/client/list-offsets.ts';
import type { TopicInfo } from '../kafka/client/metadata.ts';
import { type BatchOutcome, ProduceClient, partitionForKey } from '../kafka/produce/produce.ts';
import { partitionKey } from '../records.ts';
import { decodePosition, encodePosition } from './connect-position.ts';
import { readSpan } from './tail-reader.ts';

/** Connect's default of `offset.storage.partitions`. */
const PARTITION_COUNT = 25;
const WRITE_TIMEOUT_MS = 10_000;
/** Of one batch: brokers accept 1,048,588 bytes by default, and a topic's name has up to 249. */
const RECORDS_PER_BATCH = 1500;

export class ConnectOffsets {
  readonly #target: Cluster;
  readonly #source: string;
  readonly #topic: string;

  /** `source`: the name of the cluster that is copied to `target`. */
  constructor(target: Cluster, source: string) {
    this.#target = target;
    this.#source = source;
    this.#topic = `mm2-offsets.${source}.internal`;
  }

  /**
   * Moves MirrorMaker's positions to these, where they are ahead of its own, and never back. Returns how many were written.
   * Errors: `kafkaUnavailable`, `kafkaRefused`.
   */
  async advance(positions: readonly StartPosition[], limits: Limits): Promise<number> {
    if (positions.length === 0) return 0;
    const topic = (await this.#find(limits)) ?? (await this.#create(limits));
    const written = positionsAhead(positions, await this.#read(topic, limits));
    await this.#write(topic, written, limits);
    return written.length;
  }

  async #find(limits: Limits): Promise<TopicInfo | undefined> {
    const answer = (await this.#target.topics([this.#topic], limits, { maxAgeMs: 0 })).get(this.#topic);
    return answer !== undefined && 'topic' in answer ? answer.topic : undefined;
  }

  async #create(limits: Limits): Promise<TopicInfo> {
    const topic = {
      topic: this.#topic,
      partitionCount: PARTITION_COUNT,
      cleanupPolicy: 'compact',
      configs: {},
    } as const;
    return await ensureTopic(this.#target, { ...topic, limits });
  }

  async #read({ partitions }: TopicInfo, limits: Limits): Promise<StartPosition[]> {
    const places = partitions.map(({ partition }) => ({ topic: this.#topic, partition }));
    const isolationLevel = 'read_committed' as const;
    const [begins, ends] = await Promise.all([
      listOffsets(this.#target, places, { spec: 'earliest', isolationLevel, limits }),
      listOffsets(this.#target, places, { spec: 'latest', isolationLevel, limits }),
    ]);
    const from = new Map(begins.map(({ partition, offset }) => [partition, Number(offset)]));
    const last = new Map<string, StartPosition>();
    for (const { topic, partition, offset } of ends) {
      const span = { topic, partition, from: from.get(partition) ?? 0, to: Number(offset) };
      if (span.from >= span.to) continue;
      for await (const records of readSpan(this.#target, span, limits)) {
        for (const record of records) {
          const position = decodePosition(this.#source, record);
          if (position !== undefined) last.set(partitionKey(position.topic, position.partition), position);
        }
      }
    }
    return [...last.values()];
  }

  async #write(topic: TopicInfo, positions: readonly StartPosition[], limits: Limits): Promise<void> {
    const client = new ProduceClient(this.#target, { acks: 'all', timeoutMs: WRITE_TIMEOUT_MS, compression: 'none' });
    try {
      const records = positions.map((position) => {
        const { key, value } = encodePosition(this.#source, position);
        const partition = partitionForKey(key, topic.partitions.length);
        return { key, value, headers: undefined, partition, timestampMs: undefined };
      });
      for (const [partition, all] of Map.groupBy(records, (record) => record.partition)) {
        const leader = topic.partitions[partition]?.leader ?? -1;
        for (let first = 0; first < all.length; first += RECORDS_PER_BATCH) {
          // A bridge that was stopped meanwhile must not write what is old by now: MirrorMaker may have run.
          if (remainingMs(limits) === 0) throw new BridgeError('kafkaUnavailable');
          const batch = { topic: this.#topic, partition, records: all.slice(first, first + RECORDS_PER_BATCH) };
          expectStored((await bounded(client.send(leader, [batch]), limits))[0], this.#topic);
        }
      }
    } finally {
      await client.close();
    }
  }
}

function expectStored(outcome: BatchOutcome | undefined, topic: string): void {
  if (outcome?.kind === 'stored') return;
  throw new BridgeError('kafkaUnavailable', { message: `Topic ${topic} cannot be written: ${outcome?.message ?? ''}` });
}
