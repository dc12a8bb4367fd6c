/** Relative links in the documents lead to files of the repository, and their anchors to headings. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

const documents = [
  ...readdirSync(ROOT).filter((name) => name.endsWith('.md')),
  ...['docs', 'deploy'].flatMap((directory) =>
    readdirSync(join(ROOT, directory), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.md'))
      .map((name) => join(directory, name)),
  ),
];

/** Removes code, which may look like links. */
function withoutCode(markdown: string): string {
  return markdown
    .replaceAll(/^(?<fence>```+|~~~+)[^\n]*\n[\s\S]*?^\k<fence>\s*$/gm, '')
    .replaceAll(/(?<ticks>`+)[^`][\s\S]*?\k<ticks>(?!`)/g, (code) => code.replaceAll(/[[\]()]/g, ''));
}

/** Targets of inline links and images, of reference definitions, and of HTML's `href` and `src`. */
function linksOf(markdown: string): string[] {
  const text = withoutCode(markdown);
  const patterns = [
    /\]\(\s*<?([^)\s>]+)>?(?:\s+"[^"]*")?\s*\)/g,
    /^\[[^\]]+\]:\s*<?([^\s>]+)>?/gm,
    /\b(?:href|src)="([^"]+)"/g,
  ];
  return patterns.flatMap((pattern) => [...text.matchAll(pattern)].map(([, target = '']) => target));
}

/** The anchors of a document's headings, as GitHub makes them: repeated ones are numbered. */
function anchorsOf(markdown: string): Set<string> {
  const counts = new Map<string, number>();
  const anchors = new Set<string>();
  for (const [, heading = ''] of withoutFences(markdown).matchAll(/^#{1,6}\s+(.+?)\s*#*\s*$/gm)) {
    const base = heading
      .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .replaceAll(/[`*]/g, '')
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\p{M}_\- ]/gu, '')
      .replaceAll(' ', '-');
    const count = counts.get(base) ?? 0;
    counts.set(base, count + 1);
    anchors.add(count === 0 ? base : `${base}-${count}`);
  }
  for (const [, name = ''] of markdown.matchAll(/<a\s+(?:id|name)="([^"]+)"/g)) anchors.add(name);
  return anchors;
}

function withoutFences(markdown: string): string {
  return markdown.replaceAll(/^(?<fence>```+|~~~+)[^\n]*\n[\s\S]*?^\k<fence>\s*$/gm, '');
}

/** Why a link is broken; `undefined` if it works, or if it is a URL. */
function problemOf(document: string, link: string): string | undefined {
  if (/^[a-z][a-z+.-]*:/i.test(link)) return undefined;
  const [path = '', anchor] = link.split('#', 2);
  const target = path === '' ? join(ROOT, document) : join(ROOT, dirname(document), decodeURIComponent(path));
  if (relative(ROOT, target).startsWith('..')) return `${link} leaves the repository`;
  if (!existsSync(target)) return `${link}: no such file`;
  if (anchor === undefined) return undefined;
  if (!target.endsWith('.md') || statSync(target).isDirectory()) return undefined;
  return anchorsOf(readFileSync(target, 'utf8')).has(anchor) ? undefined : `${link}: no such heading`;
}

describe('the check', () => {
  test('finds links of every kind, except in code', () => {
    const text = [
      'See [a](a.md "title"), ![b](<b.png>) and [`code`](c.md#x).',
      '[d]: d.md',
      '<img src="e.png"> `[f](f.md)` ``[g]`(g.md)``',
      '```',
      '[h](h.md)',
      '```',
    ].join('\n');
    expect(linksOf(text).sort()).toEqual(['a.md', 'b.png', 'c.md#x', 'd.md', 'e.png']);
  });

  test('makes anchors as GitHub does', () => {
    const text = '# A `b`: c, d & e\n## [Link](x.md) it\n## Twice\n## Twice\n```\n# no heading\n```\n### Ünï_code-1\n';
    expect([...anchorsOf(text)]).toEqual(['a-b-c-d--e', 'link-it', 'twice', 'twice-1', 'ünï_code-1']);
  });

  test('reports broken links', () => {
    expect(problemOf('README.md', 'docs/nowhere.md')).toBe('docs/nowhere.md: no such file');
    expect(problemOf('README.md', '#nowhere-at-all')).toBe('#nowhere-at-all: no such heading');
    expect(problemOf('README.md', '../x.md')).toBe('../x.md leaves the repository');
    expect(problemOf('README.md', 'https://example.com/x#y')).toBeUndefined();
    expect(problemOf('README.md', 'package.json')).toBeUndefined();
  });
});

test('there are documents with links', () => {
  expect(documents).toContain('README.md');
  expect(linksOf(readFileSync(join(ROOT, 'README.md'), 'utf8')).length).toBeGreaterThan(5);
});

test.each(documents)('%s', (document) => {
  const links = linksOf(readFileSync(join(ROOT, document), 'utf8'));
  expect(links.map((link) => problemOf(document, link)).filter((problem) => problem !== undefined)).toEqual([]);
});
