/** The records of many keyed requests, stored in the transaction that is open, and the outcome of each record. */
import { type Limits, remainingMs, within } from '../kafka/client/limits.ts';
import type { BatchOutcome } from '../kafka/produce/produce.ts';
import { TransactionEnded } from '../kafka/transactions/transaction-ended.ts';
import type { TransactionalProducer, TransactionBatch } from '../kafka/transactions/transactional-producer.ts';
import { verdictOf } from '../producer/batch-verdict.ts';
import type { Partitioner } from '../producer/partitioner.ts';
import { addedBytes, BATCH_OVERHEAD_BYTES } from '../producer/record-size.ts';
import { type RecordLimits, recordRefusal, resultOf } from '../producer/refusal.ts';
import { type ProduceResult, partitionKey, type RecordToProduce, type TopicPartition } from '../records.ts';
import type { KeyedRequest } from './keyed-request.ts';
import type { PartitionTrouble } from './partition-trouble.ts';

export interface PlanOptions extends RecordLimits {
  partitioner: Partitioner;
  trouble: PartitionTrouble;
}

export interface StoreOptions {
  trouble: PartitionTrouble;
  maxRequestBytes: number;
  limits: Limits;
}

/** Where the records of requests go. */
export interface Plan {
  requests: KeyedRequest[];
  queues: Queue[];
  /** Requests with a record for a partition that rests. */
  deferred: KeyedRequest[];
}

interface Entry extends TopicPartition {
  request: KeyedRequest;
  index: number;
  record: RecordToProduce;
  bytes: number;
}

/** Records that wait for one partition. */
export interface Queue extends TopicPartition {
  entries: Entry[];
  /** The most records of the next batch: half of one that Kafka refused without naming the record at fault. */
  batchLimit: number;
}

/**
 * Sends the records of all requests, and sets their results. A record that Kafka refuses for good is a result.
 * Errors: `TransactionEnded`.
 */
export async function storeRecords(
  producer: TransactionalProducer,
  queues: Queue[],
  { trouble, maxRequestBytes, limits }: StoreOptions,
): Promise<void> {
  while (queues.length > 0) {
    const taken = queues.map((queue) => takeBatch(queue, maxRequestBytes));
    const batches = taken.map((entries, place) => {
      const { topic, partition } = queues[place] as Queue;
      return { topic, partition, records: entries.map(({ record }) => record) };
    });
    const outcomes = await send(producer, batches, { trouble, limits });
    for (const [place, entries] of taken.entries()) {
      conclude(queues[place] as Queue, entries, outcomes[place] as BatchOutcome);
    }
    for (let place = queues.length - 1; place >= 0; place -= 1) {
      if (queues[place]?.entries.length === 0) queues.splice(place, 1);
    }
  }
}

async function send(
  producer: TransactionalProducer,
  batches: readonly TransactionBatch[],
  { trouble, limits }: Pick<StoreOptions, 'trouble' | 'limits'>,
): Promise<BatchOutcome[]> {
  try {
    const outcomes = await producer.send(batches, within(Math.min(trouble.patienceMs(batches), remainingMs(limits))));
    for (const batch of batches) trouble.settled(batch);
    return outcomes;
  } catch (error) {
    if (error instanceof TransactionEnded) trouble.note(error.unsettled, performance.now());
    throw error;
  }
}

/** Chooses partitions, and sets the results of records that cannot be sent. */
export function planRecords(requests: readonly KeyedRequest[], options: PlanOptions): Plan {
  const queues = new Map<string, Queue>();
  const plan: Plan = { requests: [], queues: [], deferred: [] };
  const nowMs = performance.now();
  for (const request of requests) {
    const entries = entriesOf(request, options);
    const restsUntilMs = restOf(entries, options.trouble, nowMs);
    if (restsUntilMs > 0) {
      plan.deferred.push(Object.assign(request, { notBeforeMs: restsUntilMs }));
      continue;
    }
    plan.requests.push(request);
    // Records that follow each other often share the partition.
    let last: Queue | undefined;
    for (const entry of entries) {
      if (last?.partition !== entry.partition || last.topic !== entry.topic) last = queueOf(queues, entry);
      last.entries.push(entry);
    }
  }
  for (const topic of new Set(requests.map((request) => request.topic))) options.partitioner.onSent(topic);
  plan.queues.push(...queues.values());
  return plan;
}

/** Until when the request waits for a partition that stores nothing; 0: it does not. */
function restOf(entries: readonly Entry[], trouble: PartitionTrouble, nowMs: number): number {
  return entries.reduce((latest, entry) => Math.max(latest, trouble.restsUntilMs(entry, nowMs)), 0);
}

function queueOf(queues: Map<string, Queue>, { topic, partition }: Entry): Queue {
  const key = partitionKey(topic, partition);
  const queue = queues.get(key) ?? { topic, partition, entries: [], batchLimit: Number.POSITIVE_INFINITY };
  queues.set(key, queue);
  return queue;
}

function entriesOf(request: KeyedRequest, options: PlanOptions): Entry[] {
  const { info, records, recordBytes } = request;
  if (info === undefined) return [];
  const entries: Entry[] = [];
  for (const [index, record] of records.entries()) {
    const bytes = recordBytes[index] as number;
    const refusal = recordRefusal(info, { record, bytes }, options);
    if (refusal !== undefined) {
      request.results[index] = resultOf(refusal);
      continue;
    }
    const partition = record.partition ?? options.partitioner.choose(info, record);
    entries.push({ request, index, record, bytes, topic: info.name, partition });
  }
  return entries;
}

function takeBatch(queue: Queue, maxBytes: number): Entry[] {
  let bytes = BATCH_OVERHEAD_BYTES;
  let count = 0;
  for (const entry of queue.entries) {
    bytes += addedBytes(entry.bytes, 1);
    if (count > 0 && (bytes > maxBytes || count >= queue.batchLimit)) break;
    count += 1;
  }
  return queue.entries.splice(0, count);
}

function conclude(queue: Queue, entries: readonly Entry[], outcome: BatchOutcome): void {
  const verdict = verdictOf(outcome, queue.topic, entries.length);
  switch (verdict.kind) {
    case 'stored':
      queue.batchLimit *= 2;
      for (const [place, entry] of entries.entries()) {
        settle(entry, { partition: queue.partition, offset: (verdict.baseOffset ?? UNKNOWN_OFFSET) + BigInt(place) });
      }
      break;
    case 'separate':
      separate(queue, entries, verdict.badRecords);
      break;
    case 'refused':
      for (const entry of entries) settle(entry, { errorCode: verdict.errorCode, message: verdict.message });
      break;
    default:
      throw new TypeError(`undecided in a transaction: ${verdict.kind}`);
  }
}

const UNKNOWN_OFFSET = -1n;

/** Bad records are refused, and the others are sent again; in smaller batches when Kafka does not name the bad ones. */
function separate(queue: Queue, entries: readonly Entry[], badRecords: ReadonlyMap<number, string>): void {
  const good = entries.filter((entry, place) => {
    const message = badRecords.get(place);
    if (message !== undefined) settle(entry, { errorCode: 500, message });
    return message === undefined;
  });
  queue.entries.unshift(...good);
  if (badRecords.size === 0) queue.batchLimit = Math.ceil(entries.length / 2);
}

function settle({ request, index }: Entry, result: ProduceResult): void {
  request.results[index] = result;
}
