/** Recorded responses of another server of the REST API, and the comparison of our own responses with them. */
import { readFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import type { PlainAnswer } from './client.ts';

/** A recorded response. Texts may contain names of a run, such as `<t>`. */
export interface RecordedAnswer {
  /** Null: the server never responds. */
  status: number | null;
  contentType?: string;
  /** `{"$any":true}` matches any value. */
  json?: unknown;
  text?: string;
  /** The methods of `Allow`, in any order. */
  allow?: string;
  note?: string;
}

export interface Exchange {
  /** Method and target. */
  ask: string;
  /** `Content-Type`; `""` sends none. Default: the usual one of the operation. */
  type?: string;
  headers?: Record<string, string>;
  /** A string is sent unchanged, other values as JSON. */
  body?: unknown;
  answer: RecordedAnswer;
}

export interface Conversation {
  name: string;
  /** Its topics, with the number of partitions. */
  topics: Record<string, number>;
  exchanges: Exchange[];
}

/** Where our response differs, and why. */
export interface Difference {
  reason: string;
  /** Exchanges by conversation and number, counted from 1: `service 20`. */
  exchanges: Record<string, RecordedAnswer>;
}

function read<Data>(file: string): Data {
  return JSON.parse(readFileSync(new URL(`recorded/${file}`, import.meta.url), 'utf8')) as Data;
}

export const { conversations: CONVERSATIONS } = read<{ conversations: Conversation[] }>('strimzi-bridge-1.0.0.json');
export const { differences: DIFFERENCES } = read<{ differences: Difference[] }>('differences.json');

/** Replaces the names of a run in a text. */
export function fill(text: string, names: Readonly<Record<string, string>>): string {
  return text.replaceAll(/<(\w+)>/g, (found, name: string) => names[name] ?? found);
}

/** How `answer` differs from the record; empty if it does not. */
export function mismatches(
  answer: PlainAnswer,
  recorded: RecordedAnswer,
  names: Readonly<Record<string, string>>,
): Record<string, { recorded: unknown; ours: unknown }> {
  const found: Record<string, { recorded: unknown; ours: unknown }> = {};
  const compare = (what: string, theirs: unknown, ours: unknown): void => {
    if (!isSame(theirs, ours)) found[what] = { recorded: theirs, ours };
  };
  compare('status', recorded.status, answer.status);
  if (recorded.contentType !== undefined) compare('content-type', recorded.contentType, answer.type);
  if (recorded.text !== undefined) compare('text', fill(recorded.text, names), answer.text);
  if (recorded.json !== undefined) {
    const json: unknown = JSON.parse(fill(JSON.stringify(recorded.json), names));
    compare('json', json, answer.json);
    // Clients may compare the text, so the order of members matters.
    if (found['json'] === undefined && !JSON.stringify(json).includes('$any'))
      compare('text', JSON.stringify(json), answer.text);
  }
  if (recorded.allow !== undefined) compare('allow', methods(recorded.allow), methods(answer.headers.allow ?? ''));
  return found;
}

function methods(list: string): string[] {
  return list.split(/, */).sort();
}

function isSame(recorded: unknown, ours: unknown): boolean {
  if (typeof recorded !== 'object' || recorded === null) return recorded === ours;
  if ('$any' in recorded) return ours !== undefined;
  if (typeof ours !== 'object' || ours === null) return false;
  if (Array.isArray(recorded) !== Array.isArray(ours)) return false;
  const keys = Object.keys(recorded);
  return (
    isDeepStrictEqual(keys.toSorted(), Object.keys(ours).sort()) &&
    keys.every((key) => isSame(recorded[key as keyof typeof recorded], ours[key as keyof typeof ours]))
  );
}
