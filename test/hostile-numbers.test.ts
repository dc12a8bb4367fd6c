/** The numbers in docs/security.md are those of the corpus. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { CORPUS } from './hostile/corpus/corpus.ts';
import { STREAMS } from './hostile/corpus/h2.ts';
import { RESPONSES } from './hostile/corpus/responses.ts';
import { GENERATED_COUNT } from './hostile/mutations.ts';

const DOCUMENT = readFileSync(new URL('../docs/security.md', import.meta.url), 'utf8');

/** The table as it must stand in the document. */
function table(): string {
  const families = Map.groupBy(CORPUS, ({ family }) => family);
  const rows = [...families].map(([family, { length }]) => [family, 'each tier', length] as const);
  return [
    '| Input | To | Number |',
    '| --- | --- | --- |',
    ...[
      ...rows,
      ['**all of HTTP/1.1**', 'each tier', CORPUS.length] as const,
      ['mutations of these, one to three edits each', 'each tier', GENERATED_COUNT.toLocaleString('en')] as const,
      [
        'streams of HTTP/2 that another server could write as other requests',
        'both gateways, with and without TLS',
        STREAMS.length,
      ] as const,
      ['responses of a hostile target', 'a gateway', RESPONSES.length] as const,
    ].map((cells) => `| ${cells.join(' | ')} |`),
  ].join('\n');
}

test('docs/security.md has the numbers of the hostile inputs', () => {
  expect(DOCUMENT).toContain(table());
});

test('every input has a name of its own', () => {
  for (const names of [CORPUS.map(({ family, name }) => `${family}: ${name}`), STREAMS, RESPONSES].map((list) =>
    list.map((entry) => (typeof entry === 'string' ? entry : entry.name)),
  )) {
    expect(names.length).toBe(new Set(names).size);
  }
});
