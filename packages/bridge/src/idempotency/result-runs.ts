/**
 * The results of a request's records, in runs: records that follow each other and were stored one after another in one partition,
 * or refused for the same reason. One object for each record would cost more than everything else about it.
 */
import type { ProduceResult } from '../records.ts';

export interface StoredRun {
  /** The place of its first record in the request. */
  first: number;
  count: number;
  partition: number;
  baseOffset: number;
}

export interface RefusedRun {
  first: number;
  count: number;
  errorCode: number;
  message: string;
}

export type ResultRun = StoredRun | RefusedRun;

/** Entries of a response that are written before other work gets its turn. */
export const SLICE_ENTRIES = 5000;

/** In the order of the records. */
export function inOrder(runs: ResultRun[]): ResultRun[] {
  return runs.length === 1 ? runs : runs.toSorted((one, other) => one.first - other.first);
}

/** The body of a response with these results, in slices: as UTF-8 when there is more than one. */
export function* resultsText(runs: readonly ResultRun[]): Generator<void, string | Buffer> {
  const parts: Buffer[] = [];
  let text = '{"offsets":[';
  let count = 0;
  for (const run of runs) {
    for (let from = 0; from < run.count; from += SLICE_ENTRIES) {
      if (count >= SLICE_ENTRIES) {
        parts.push(Buffer.from(text));
        [text, count] = ['', 0];
        yield;
      }
      const to = Math.min(run.count, from + SLICE_ENTRIES);
      text += entriesText(run, from, to);
      count += to - from;
    }
  }
  text += ']}';
  return parts.length === 0 ? text : Buffer.concat([...parts, Buffer.from(text)]);
}

/** Entries of a run, of which those of stored records begin with a comma unless the first one is the first of the response. */
function entriesText(run: ResultRun, from: number, to: number): string {
  const comma = run.first + from > 0 ? ',' : '';
  if ('message' in run) {
    const entry = `{"error_code":${run.errorCode},"message":${JSON.stringify(run.message)}}`;
    return comma + new Array<string>(to - from).fill(entry).join(',');
  }
  return comma + storedText(run, from, to);
}

/**
 * Written as bytes: each entry is the one before with the next offset. Strings that are joined one by one take far more memory, for as long as
 * the response waits for the commit.
 */
function storedText({ partition, baseOffset }: StoredRun, from: number, to: number): string {
  const entryOf = (index: number): Buffer => Buffer.from(`{"partition":${partition},"offset":${baseOffset + index}},`);
  const longest = entryOf(to - 1).length;
  const text = Buffer.allocUnsafe(longest * (to - from));
  let entry = entryOf(from);
  let at = 0;
  for (let index = from; index < to; index += 1) {
    at += entry.copy(text, at);
    if (!increment(entry, entry.length - END_BYTES)) entry = entryOf(index + 1);
  }
  return text.toString('latin1', 0, at - 1);
}

/** Of an entry: what follows its offset. */
const END_BYTES = '},'.length;
const [ZERO, NINE] = [0x30, 0x39];

/** Adds one to the decimal number that ends before `end`. False for one of nines only: the next one is longer. */
function increment(text: Buffer, end: number): boolean {
  let at = end - 1;
  while (text[at] === NINE) {
    text[at] = ZERO;
    at -= 1;
  }
  const digit = text[at] as number;
  if (digit < ZERO || digit > NINE) return false;
  text[at] = digit + 1;
  return true;
}

export function storedCount(runs: readonly ResultRun[]): number {
  return runs.reduce((sum, run) => sum + ('message' in run ? 0 : run.count), 0);
}

/** One by one, for those who look at each record. */
export function resultsOf(runs: readonly ResultRun[]): ProduceResult[] {
  return runs.flatMap((run) =>
    Array.from({ length: run.count }, (_, index) =>
      'message' in run
        ? { errorCode: run.errorCode, message: run.message }
        : { partition: run.partition, offset: BigInt(run.baseOffset + index) },
    ),
  );
}
