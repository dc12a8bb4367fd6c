/** Mutations of the corpus: small edits of bytes at places that parsers find hard. */
import fc from 'fast-check';
import type { HostileCase } from './hostile-case.ts';

/** Of one seed. */
export const GENERATED_COUNT = 1_000;

/** What parsers disagree about. */
const PIECES = [
  ...[
    '\r',
    '\n',
    '\r\n',
    '\n\r',
    '\r\r\n',
    '\r\n\r\n',
    '\0',
    ' ',
    '\t',
    '\x0b',
    '\x0c',
    '\x7f',
    '\x85',
    '\xa0',
    '\xff',
  ],
  ...[':', ';', ',', '"', '=', '+', '-', '0', '1', '5', 'a', 'f', '0x', '/', '\\', '%', '?', '#', '.', '..', '*'],
  ...['content-length: 0\r\n', 'content-length: 5\r\n', 'transfer-encoding: chunked\r\n', 'transfer-encoding: x\r\n'],
  ...[
    'connection: close\r\n',
    'connection: keep-alive\r\n',
    'expect: 100-continue\r\n',
    'upgrade: x\r\nconnection: upgrade\r\n',
  ],
  ...['0\r\n\r\n', '5\r\nabcde\r\n', 'HTTP/1.1', 'HTTP/1.0', 'GET / HTTP/1.1\r\n', 'host: x\r\n', ' x: y\r\n'],
];

interface Edit {
  readonly kind: 'insert' | 'replace' | 'delete' | 'repeat';
  /** Where, as a share of the length. */
  readonly at: number;
  /** Bytes that a deletion, a replacement or a repetition takes. */
  readonly length: number;
  readonly piece: string;
}

export interface Mutation {
  readonly base: number;
  readonly edits: readonly Edit[];
}

const EDIT: fc.Arbitrary<Edit> = fc.record({
  kind: fc.constantFrom('insert', 'insert', 'replace', 'delete', 'repeat'),
  at: fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
  length: fc.integer({ min: 1, max: 4 }),
  piece: fc.constantFrom(...PIECES),
});

export function mutations(
  corpus: readonly HostileCase[],
  { seed, count }: { seed: number; count: number },
): Mutation[] {
  const mutation = fc.record({
    base: fc.integer({ min: 0, max: corpus.length - 1 }),
    edits: fc.array(EDIT, { minLength: 1, maxLength: 3 }),
  });
  return fc.sample(mutation, { seed, numRuns: count });
}

export function applyEdits(bytes: string, edits: readonly Edit[]): string {
  return edits.reduce(applyEdit, bytes);
}

function applyEdit(text: string, { kind, at, length, piece }: Edit): string {
  const start = Math.floor(at * text.length);
  const before = text.slice(0, start);
  const taken = text.slice(start, start + length);
  const rest = text.slice(start + length);
  const edited = { insert: piece + taken, replace: piece, delete: '', repeat: taken + taken }[kind];
  return before + edited + rest;
}
