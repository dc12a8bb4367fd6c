/** Reads a topic with kafkajs, an independent client, to verify what Kafka stores. */
import type { Batch, Consumer, Kafka } from 'kafkajs';
import { independentClient, type KafkaAccess } from '../stack/kafka-client.ts';
import { recordNumber } from './consumer.ts';
import { type LogEntry, TransactionMarkers } from './transaction-markers.ts';

export interface ReadBackOptions {
  kafka: KafkaAccess;
  topic: string;
  runId: string;
  /** Cancels the reading. */
  signal: AbortSignal;
}

/** Where a record stands. */
export interface Place {
  partition: number;
  offset: number;
}

export interface StoredRecords {
  /** The places of each record of the run, by its number, that a reader with `read_committed` sees. */
  places: Map<number, Place[]>;
  /** Records of the run that only a reader with `read_uncommitted` sees: their transactions were aborted, or have not ended. */
  abortedCount: number;
  openCount: number;
}

/** How often each record of the run is in the topic, by its number, for a reader with `read_committed`. Errors: as {@link readStored}. */
export async function readBack(options: ReadBackOptions): Promise<Map<number, number>> {
  const { places } = await readStored(options);
  return new Map([...places].map(([record, { length }]) => [record, length]));
}

/** The records of the run in the topic. Errors: those of kafkajs, and the signal's reason. */
export async function readStored({ kafka, topic, runId, signal }: ReadBackOptions): Promise<StoredRecords> {
  const logs = await readLogs({ client: independentClient(kafka), topic, runId, signal });
  const stored: StoredRecords = { places: new Map(), abortedCount: 0, openCount: 0 };
  for (const [partition, { markers }] of logs) {
    for (const { record, offset } of markers.committed) {
      stored.places.set(record, [...(stored.places.get(record) ?? []), { partition, offset }]);
    }
    stored.abortedCount += markers.aborted.length;
    stored.openCount += markers.open.length;
  }
  return stored;
}

/** As kafkajs decodes it; its types have only what it hands out. */
interface RawMessage extends LogEntry {
  offset: string;
  value: Buffer | null;
}

/** One partition, as far as it was read. */
class PartitionLog {
  /** The records of the run. */
  readonly markers = new TransactionMarkers<{ record: number; offset: number }>();
  readonly #runId: string;
  #next = 0n;
  #lastRecord: string | undefined;

  constructor(runId: string) {
    this.#runId = runId;
  }

  /** The offset of the last record that was read, without markers. */
  get lastRecord(): string | undefined {
    return this.#lastRecord;
  }

  /** Takes what a fetch returned; skips what it has. */
  add(messages: readonly RawMessage[]): void {
    for (const message of messages) {
      const offset = BigInt(message.offset);
      if (offset < this.#next) continue;
      const record = recordNumber(parseValue(message.value), this.#runId);
      if (message.isControlRecord || record !== undefined) {
        this.markers.add(message, { record: record ?? 0, offset: Number(offset) });
      }
      if (!message.isControlRecord) this.#lastRecord = message.offset;
      this.#next = offset + 1n;
    }
  }

  has(offset: string): boolean {
    return BigInt(offset) < this.#next;
  }

  /** Leaves out everything up to the offset. */
  skip(offset: string): void {
    this.#next = BigInt(offset) + 1n;
  }
}

interface Reading {
  client: Kafka;
  topic: string;
  runId: string;
  signal: AbortSignal;
}

/** Enough for the longest batch and the marker after it in one response. */
const MAX_BYTES = 64 * 1024 * 1024;
/** A broker that responds so often without a record has no more. */
const EMPTY_FETCHES = 3;
const EMPTY_FETCH_MS = 50;
/** So long a transaction may be open: its markers may be on their way. */
const OPEN_TIMEOUT_MS = 10_000;

/** Every partition that has records, by its number. */
async function readLogs({ client, topic, runId, signal }: Reading): Promise<Map<number, PartitionLog>> {
  const brokers = await brokerIds(client);
  const group = `lab-read-back-${runId}`;
  const logs = new Map<number, PartitionLog>();
  // Everything, as what was committed is decided by the markers; kafkajs hands them out with a batch that has records.
  const consumer = client.consumer({
    groupId: group,
    readUncommitted: true,
    maxBytes: MAX_BYTES,
    maxBytesPerPartition: MAX_BYTES,
    maxWaitTimeInMs: EMPTY_FETCH_MS,
  });
  const { promise: finished, resolve, reject } = Promise.withResolvers<void>();
  const onAbort = (): void => reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  // Unused when connecting fails first.
  finished.catch(() => {});
  onEnd(consumer, { brokers, logs }, resolve);
  readAgainAfterMarkersAlone(consumer, topic, logs);
  try {
    signal.throwIfAborted();
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: true });
    await consumer.run({
      autoCommit: false,
      eachBatch: async ({ batch }) => {
        const log = logs.get(batch.partition) ?? new PartitionLog(runId);
        logs.set(batch.partition, log);
        log.add((batch as Batch & { rawMessages: RawMessage[] }).rawMessages);
      },
    });
    await finished;
  } finally {
    signal.removeEventListener('abort', onAbort);
    await consumer.disconnect();
    await deleteGroup(client, group);
  }
  return logs;
}

/**
 * Calls back when every broker has responded without records a few times, and no transaction is open. kafkajs reports end offsets for
 * `read_committed` only, which are before an open transaction.
 */
function onEnd(
  consumer: Consumer,
  { brokers, logs }: { brokers: readonly number[]; logs: ReadonlyMap<number, PartitionLog> },
  callBack: () => void,
): void {
  const emptyFetches = new Map<number, number>();
  let lastProgressMs = performance.now();
  consumer.on(consumer.events.END_BATCH_PROCESS, () => {
    emptyFetches.clear();
    lastProgressMs = performance.now();
  });
  consumer.on(consumer.events.FETCH, ({ payload }) => {
    const { nodeId } = payload as unknown as { nodeId: number };
    emptyFetches.set(Number(nodeId), (emptyFetches.get(Number(nodeId)) ?? 0) + 1);
    if (brokers.some((broker) => (emptyFetches.get(broker) ?? 0) < EMPTY_FETCHES)) return;
    const isOpen = [...logs.values()].some(({ markers }) => markers.open.length > 0);
    if (!isOpen || performance.now() - lastProgressMs > OPEN_TIMEOUT_MS) callBack();
  });
}

/** kafkajs passes over a response that has markers only: they are read once more, together with the record before them. */
function readAgainAfterMarkersAlone(consumer: Consumer, topic: string, logs: ReadonlyMap<number, PartitionLog>): void {
  consumer.on(consumer.events.END_BATCH_PROCESS, ({ payload: { partition, lastOffset } }) => {
    const log = logs.get(partition);
    if (log === undefined || log.has(lastOffset)) return;
    if (log.lastRecord === undefined) log.skip(lastOffset);
    else consumer.seek({ topic, partition, offset: log.lastRecord });
  });
}

async function brokerIds(client: Kafka): Promise<number[]> {
  const admin = client.admin();
  await admin.connect();
  try {
    const { brokers } = await admin.describeCluster();
    return brokers.map(({ nodeId }) => nodeId);
  } finally {
    await admin.disconnect();
  }
}

/** Removes the group, so that an existing Kafka stays unchanged. */
async function deleteGroup(client: Kafka, group: string): Promise<void> {
  const admin = client.admin();
  await admin.connect();
  try {
    await admin.deleteGroups([group]);
  } catch {
    // The group was never created.
  } finally {
    await admin.disconnect();
  }
}

function parseValue(value: Buffer | null): unknown {
  if (value === null) return undefined;
  try {
    return JSON.parse(value.toString('utf8'));
  } catch {
    return undefined;
  }
}
