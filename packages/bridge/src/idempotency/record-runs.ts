/** Runs of records: those of a request that follow each other, for one partition. */

import { statusOf } from '../errors.ts';
import { addedBytes, BATCH_OVERHEAD_BYTES } from '../producer/record-size.ts';
import type { RecordToProduce } from '../records.ts';
import type { KeyedRequest } from './keyed-request.ts';

export interface RecordRun {
  request: KeyedRequest;
  partition: number;
  /** The place of its first record in the request. */
  first: number;
  count: number;
  /** What its records add to a batch, at most. */
  bytes: number;
}

/** Takes the records of the next batch from the front: at least one. */
export function takeBatch(
  runs: RecordRun[],
  { maxBytes, batchLimit }: { maxBytes: number; batchLimit: number },
): RecordRun[] {
  let roomBytes = maxBytes - BATCH_OVERHEAD_BYTES;
  let roomCount = batchLimit;
  let place = 0;
  for (let run = runs[0]; run !== undefined && run.bytes <= roomBytes && run.count <= roomCount; run = runs[place]) {
    roomBytes -= run.bytes;
    roomCount -= run.count;
    place += 1;
  }
  const taken = runs.splice(0, place);
  const [next] = runs;
  if (next === undefined) return taken;
  const count = Math.max(taken.length === 0 ? 1 : 0, countThatFits(next, roomBytes, roomCount));
  if (count === 0) return taken;
  taken.push(partOf(next, 0, count));
  if (count === next.count) runs.shift();
  else runs[0] = partOf(next, count, next.count);
  return taken;
}

/** How many records, from the first, fit into a batch. */
function countThatFits({ request, first, count }: RecordRun, roomBytes: number, roomCount: number): number {
  let bytes = 0;
  for (let index = 0; index < count; index += 1) {
    bytes += addedBytes(request.recordBytes[first + index] as number, 1);
    if (bytes > roomBytes || index >= roomCount) return index;
  }
  return count;
}

function partOf({ request, partition, first }: RecordRun, from: number, to: number): RecordRun {
  let bytes = 0;
  for (let index = from; index < to; index += 1) {
    bytes += addedBytes(request.recordBytes[first + index] as number, 1);
  }
  return { request, partition, first: first + from, count: to - from, bytes };
}

export function recordsOf(runs: readonly RecordRun[]): RecordToProduce[] {
  const records = new Array<RecordToProduce>(runs.reduce((sum, { count }) => sum + count, 0));
  let place = 0;
  for (const { request, first, count } of runs) {
    for (let index = first; index < first + count; index += 1) {
      records[place] = request.records[index] as RecordToProduce;
      place += 1;
    }
  }
  return records;
}

/** The runs without bad records, which get their texts as results. `badRecords`: by their place among all records of the runs. */
export function withoutBad(runs: readonly RecordRun[], badRecords: ReadonlyMap<number, string>): RecordRun[] {
  if (badRecords.size === 0) return [...runs];
  const good: RecordRun[] = [];
  let place = 0;
  for (const run of runs) {
    let from = 0;
    for (let index = 0; index < run.count; index += 1) {
      const message = badRecords.get(place + index);
      if (message === undefined) continue;
      const errorCode = statusOf('kafkaRefused');
      run.request.results.push({ first: run.first + index, count: 1, errorCode, message });
      if (index > from) good.push(partOf(run, from, index));
      from = index + 1;
    }
    if (run.count > from) good.push(partOf(run, from, run.count));
    place += run.count;
  }
  return good;
}
