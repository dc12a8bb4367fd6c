/** The records of many keyed requests, stored in the transaction that is open, and the outcome of each record. */
import { type Limits, remainingMs, within } from '../kafka/client/limits.ts';
import type { BatchOutcome } from '../kafka/produce/produce.ts';
import { TransactionEnded } from '../kafka/transactions/transaction-ended.ts';
import type { TransactionalProducer, TransactionBatch } from '../kafka/transactions/transactional-producer.ts';
import { verdictOf } from '../producer/batch-verdict.ts';
import type { Partitioner } from '../producer/partitioner.ts';
import { addedBytes } from '../producer/record-size.ts';
import { type RecordLimits, recordRefusal, resultOf } from '../producer/refusal.ts';
import { partitionKey, type RecordToProduce, type TopicPartition } from '../records.ts';
import type { KeyedRequest } from './keyed-request.ts';
import type { PartitionTrouble } from './partition-trouble.ts';
import { type RecordRun, recordsOf, takeBatch, withoutBad } from './record-runs.ts';

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

/** Records that wait for one partition. */
export interface Queue extends TopicPartition {
  runs: RecordRun[];
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
    const taken = queues.map(({ runs, batchLimit }) => takeBatch(runs, { maxBytes: maxRequestBytes, batchLimit }));
    const batches = taken.map((runs, place) => {
      const { topic, partition } = queues[place] as Queue;
      return { topic, partition, records: recordsOf(runs) };
    });
    const outcomes = await send(producer, batches, { trouble, limits });
    for (const [place, runs] of taken.entries()) {
      conclude(queues[place] as Queue, runs, outcomes[place] as BatchOutcome);
    }
    for (let place = queues.length - 1; place >= 0; place -= 1) {
      if (queues[place]?.runs.length === 0) queues.splice(place, 1);
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
    const runs = runsOf(request, options);
    const restsUntilMs = restOf(runs, options.trouble, nowMs);
    if (restsUntilMs > 0) {
      plan.deferred.push(Object.assign(request, { notBeforeMs: restsUntilMs }));
      continue;
    }
    plan.requests.push(request);
    for (const run of runs) queueOf(queues, request.topic, run.partition).runs.push(run);
  }
  for (const topic of new Set(requests.map((request) => request.topic))) options.partitioner.onSent(topic);
  plan.queues.push(...queues.values());
  return plan;
}

/** Until when the request waits for a partition that stores nothing; 0: it does not. */
function restOf(runs: readonly RecordRun[], trouble: PartitionTrouble, nowMs: number): number {
  return runs.reduce((latest, { request: { topic }, partition }) => {
    return Math.max(latest, trouble.restsUntilMs({ topic, partition }, nowMs));
  }, 0);
}

function queueOf(queues: Map<string, Queue>, topic: string, partition: number): Queue {
  const key = partitionKey(topic, partition);
  const known = queues.get(key);
  if (known !== undefined) return known;
  const queue = { topic, partition, runs: [], batchLimit: Number.POSITIVE_INFINITY };
  queues.set(key, queue);
  return queue;
}

function runsOf(request: KeyedRequest, options: PlanOptions): RecordRun[] {
  const { info, records, recordBytes } = request;
  if (info === undefined) return [];
  // Of an attempt before.
  request.results = [];
  const runs: RecordRun[] = [];
  let last: RecordRun | undefined;
  for (let index = 0; index < records.length; index += 1) {
    const record = records[index] as RecordToProduce;
    const bytes = recordBytes[index] as number;
    const refusal = recordRefusal(info, { record, bytes }, options);
    if (refusal !== undefined) {
      request.results.push(Object.assign({ first: index, count: 1 }, resultOf(refusal)));
      last = undefined;
      continue;
    }
    const partition = record.partition ?? options.partitioner.choose(info, record);
    if (last?.partition !== partition) {
      last = { request, partition, first: index, count: 0, bytes: 0 };
      runs.push(last);
    }
    last.count += 1;
    last.bytes += addedBytes(bytes, 1);
  }
  return runs;
}

function conclude(queue: Queue, runs: readonly RecordRun[], outcome: BatchOutcome): void {
  const recordCount = runs.reduce((sum, { count }) => sum + count, 0);
  const verdict = verdictOf(outcome, queue.topic, recordCount);
  switch (verdict.kind) {
    case 'stored': {
      // Kafka says where, or the transaction has ended.
      if (verdict.baseOffset === undefined) throw new TypeError('a batch of a transaction without an offset');
      queue.batchLimit *= 2;
      let baseOffset = Number(verdict.baseOffset);
      for (const { request, partition, first, count } of runs) {
        request.results.push({ first, count, partition, baseOffset });
        baseOffset += count;
      }
      break;
    }
    case 'separate':
      // Bad records are refused, and the others are sent again; in smaller batches when Kafka does not name the bad ones.
      queue.runs = [...withoutBad(runs, verdict.badRecords), ...queue.runs];
      if (verdict.badRecords.size === 0) queue.batchLimit = Math.ceil(recordCount / 2);
      break;
    case 'refused': {
      const { errorCode, message } = verdict;
      for (const { request, first, count } of runs) request.results.push({ first, count, errorCode, message });
      break;
    }
    default:
      throw new TypeError(`undecided in a transaction: ${verdict.kind}`);
  }
}
