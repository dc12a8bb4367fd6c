/** An answer in the log: what a key's request was, and what its client got. */
import { hash } from 'node:crypto';
import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import { type ResultRun, resultsText, SLICE_ENTRIES, type StoredRun } from './result-runs.ts';

/** What a client gets, now and for every repetition. */
export interface Answer {
  status: number;
  body: string | Buffer;
}

export interface LoggedAnswer extends Answer {
  fingerprint: string;
}

/** The parts of a request that a repetition must have in common with it; the principal is part of the key's identity. */
export interface Fingerprinted {
  /** The path and the query, as sent. */
  target: string;
  contentType: string | undefined;
  body: Buffer | undefined;
}

/** SHA-256, in base64. The body, which may be long, is not copied. */
export function fingerprintOf({ target, contentType, body }: Fingerprinted): string {
  const ofBody = body === undefined ? null : hash('sha256', body, 'base64');
  return hash('sha256', JSON.stringify([target, contentType ?? null, ofBody]), 'base64');
}

/** The key of a record in the log, for a `keyIdentity`. */
export function encodeIdentity(identity: string): Buffer {
  return Buffer.from(identity);
}

/** Answers that are longer are compressed. */
const PLAIN_BYTES = 8_192;
const compress = promisify<Buffer, Buffer>(gzip);
const decompress = promisify<Buffer, Buffer>(gunzip);

/**
 * An answer of few runs of stored records: the runs in place of their text, which is read and written many times. `undefined` for another
 * answer.
 */
export function encodeRuns(fingerprint: string, runs: readonly ResultRun[]): Buffer | undefined {
  if (runs.length > MOST_RUNS) return undefined;
  let count = 0;
  const stored: number[][] = [];
  for (const run of runs) {
    if ('message' in run) return undefined;
    count += run.count;
    stored.push([run.partition, run.baseOffset, run.count]);
  }
  // A text that is written in one slice.
  if (count > SLICE_ENTRIES) return undefined;
  return Buffer.from(`{"status":200,"fingerprint":"${fingerprint}","stored":${JSON.stringify(stored)}}\n`);
}

/** A line of JSON, and the body: as it is, or compressed (RFC 1952). */
export async function encodeAnswer({ status, fingerprint, body }: LoggedAnswer): Promise<Buffer> {
  const bytes = Buffer.from(body as string);
  const isCompressed = bytes.length > PLAIN_BYTES;
  const head = `{"status":${status},"fingerprint":"${fingerprint}","gzip":${isCompressed}}\n`;
  return Buffer.concat([Buffer.from(head), isCompressed ? await compress(bytes) : bytes]);
}

/** Errors: `SyntaxError`, or those of zlib, for bytes that are no answer. */
export async function decodeAnswer(value: Buffer): Promise<LoggedAnswer> {
  const end = value.indexOf(LINE_END);
  const head = JSON.parse(value.subarray(0, Math.max(0, end)).toString()) as Record<string, unknown>;
  const { status, fingerprint, gzip: isCompressed, stored } = head;
  if (typeof status !== 'number' || typeof fingerprint !== 'string') throw new SyntaxError('no status or fingerprint');
  if (stored !== undefined) return { status, fingerprint, body: textOf(runsOf(stored)) };
  const body = value.subarray(end + 1);
  return { status, fingerprint, body: isCompressed === true ? await decompress(body) : body };
}

const LINE_END = 0x0a;
/** Records with keys have many runs, and their text is about as short. */
const MOST_RUNS = 16;

function textOf(runs: readonly StoredRun[]): string | Buffer {
  const { done, value } = resultsText(runs).next();
  if (done !== true || value === undefined) throw new SyntaxError('more results than are written in one slice');
  return value;
}

function runsOf(stored: unknown): StoredRun[] {
  if (!Array.isArray(stored)) throw new SyntaxError('no list of runs');
  let first = 0;
  return stored.map((run: unknown) => {
    const [partition, baseOffset, count] = Array.isArray(run) ? run : [];
    if (![partition, baseOffset, count].every(Number.isSafeInteger)) throw new SyntaxError('no run');
    const read = { first, count, partition, baseOffset };
    first += count;
    return read;
  });
}
