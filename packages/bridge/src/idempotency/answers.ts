/** An answer in the log: what a key's request was, and what its client got. */
import { hash } from 'node:crypto';
import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';

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

/** SHA-256, in base64. */
export function fingerprintOf({ target, contentType, body }: Fingerprinted): string {
  const head = JSON.stringify([target, contentType ?? null]);
  return hash('sha256', body === undefined ? head : Buffer.concat([Buffer.from(`${head}\n`), body]), 'base64');
}

/** The key of a record in the log, for a `keyIdentity`. */
export function encodeIdentity(identity: string): Buffer {
  return Buffer.from(identity);
}

/** Answers that are longer are compressed. */
const PLAIN_BYTES = 8_192;
const compress = promisify<Buffer, Buffer>(gzip);
const decompress = promisify<Buffer, Buffer>(gunzip);

/** A line of JSON, and the body: as it is, or compressed (RFC 1952). */
export async function encodeAnswer(answer: LoggedAnswer): Promise<Buffer> {
  if (Buffer.byteLength(answer.body) <= PLAIN_BYTES) return encodeShort(answer);
  const body = await compress(Buffer.from(answer.body as string));
  return Buffer.concat([headOf(answer, true), body]);
}

/** {@link encodeAnswer} at once, or `undefined` for a long answer. */
export function encodeShortAnswer(answer: LoggedAnswer): Buffer | undefined {
  return Buffer.byteLength(answer.body) <= PLAIN_BYTES ? encodeShort(answer) : undefined;
}

function encodeShort(answer: LoggedAnswer): Buffer {
  return Buffer.concat([headOf(answer, false), Buffer.from(answer.body as string)]);
}

function headOf({ status, fingerprint }: LoggedAnswer, isCompressed: boolean): Buffer {
  return Buffer.from(`{"status":${status},"fingerprint":"${fingerprint}","gzip":${isCompressed}}\n`);
}

/** Errors: `SyntaxError`, or those of zlib, for bytes that are no answer. */
export async function decodeAnswer(value: Buffer): Promise<LoggedAnswer> {
  const end = value.indexOf(LINE_END);
  const head = JSON.parse(value.subarray(0, Math.max(0, end)).toString()) as Record<string, unknown>;
  const { status, fingerprint, gzip: isCompressed } = head;
  if (typeof status !== 'number' || typeof fingerprint !== 'string') throw new SyntaxError('no status or fingerprint');
  const body = value.subarray(end + 1);
  return { status, fingerprint, body: isCompressed === true ? await decompress(body) : body };
}

const LINE_END = 0x0a;
