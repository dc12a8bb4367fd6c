/** Keeps phrases out that hide the actor or the field's plain term: a finding names file, line and what to write instead. */
import { readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

interface Ban {
  phrase: RegExp;
  instead: string;
}

const BANNED: readonly Ban[] = [
  { phrase: /\bwhoever\b/i, instead: 'name the actor: "the caller", "the bridge that …"' },
  { phrase: /\bnobody(?:['’]s)?\b/i, instead: 'name the actor: "no client", "no bridge"' },
  { phrase: /\b(?:some|any|every)body(?:['’]s)?\b/i, instead: 'name the actor: "a client", "another process"' },
  { phrase: /\b(?:is|are|was|were) none\b/i, instead: '"is not a member", "is invalid", "has no …"' },
  { phrase: /\btells\b/i, instead: '"reports", "says", "shows", "returns", "distinguishes" (tells apart)' },
  { phrase: /\btold\b/i, instead: '"reported", "logged", "received", "known", "distinguished" (told apart)' },
  {
    phrase: /\b(?:is|are|was|were|be|been|being|all|went|goes|finds?|stays?|again) well\b(?!-)/i,
    instead: '"healthy", "succeeded", "valid", "2xx"',
  },
  { phrase: /\bwell again\b/i, instead: '"healthy again", "recovered"' },
  { phrase: /\b(?:is|are|was|were|be|which \w+|region) ill\b/i, instead: '"unhealthy"' },
  { phrase: /\bsa(?:ys|y|id) no\b/i, instead: '"refuses", "rejects"' },
  { phrase: /\bwhat (?:has |had )?bec(?:ame|omes?) of\b/i, instead: '"the outcome of"' },
  { phrase: /\bwhose \w+ (?:is|are) (?:an)?other\b/i, instead: '"with a different …", "has another …"' },
  { phrase: /\b(?:comes?|came) by (?!default)/i, instead: '"gets", "obtains"' },
  { phrase: /\bin hand\b/i, instead: '"held", "in flight", "being processed"' },
  { phrase: /\bat hand\b/i, instead: '"available", "in memory"' },
  { phrase: /\bto be had\b/i, instead: '"available"' },
  { phrase: /\b(?:go|goes|going|went|gone) on\b/i, instead: '"continues", "proceeds"' },
  { phrase: /\bof what\b/i, instead: 'a noun: "of the request", "of its records"' },
  { phrase: /\bthe like\b/i, instead: 'name the things, or "and others"' },
  { phrase: /\botherwise than\b/i, instead: '"except by", "other than by"' },
  { phrase: /\bat all\b/i, instead: 'leave it out' },
  { phrase: /\banew\b/i, instead: '"again", "recreated", "rebuilt", "from scratch"' },
  { phrase: /\blets? go\b/i, instead: '"releases"' },
  { phrase: /\b(?:stands?|stood|standing) still\b/i, instead: '"stalls", "does not change"' },
  { phrase: /\bposes? as\b/i, instead: '"impersonates", "claims to be"' },
  { phrase: /\ba (?:fresh )?word\b/i, instead: '"a response", "a message", "a signal"' },
  { phrase: /\bthat there (?:is|are) not\b/i, instead: '"unknown", "missing"' },
  { phrase: /\bis no (?:JSON|request|query|path|operation|method)\b/i, instead: '"is not …", "invalid …"' },
  { phrase: /\bnone any more\b/i, instead: '"no longer exists"' },
  { phrase: /\bto the letter\b/i, instead: '"exactly", "unchanged"' },
  { phrase: /\bin vain\b/i, instead: '"without success"' },
  { phrase: /\b(?:hears?|heard) of\b/i, instead: '"learns about", "knows"' },
  { phrase: /\b(?:goes?|comes?|came) along\b/i, instead: '"is sent with", "moves with"' },
  { phrase: /\bof ours\b/i, instead: 'name it: "our own bridge", "a Causeway gateway"' },
];

/** Not our words: what the peer API was recorded to say, and this list. */
const NOT_OURS = ['test/conformance/recorded/', 'test/plain-english.test.ts'];

const TEXTS = new Set(['.ts', '.mjs', '.md', '.yaml', '.yml', '.json', '.html', '.css', '.tpl']);

const files = [
  'README.md',
  'CONTRIBUTING.md',
  ...['packages', 'test', 'docs', 'config', 'deploy'].flatMap((directory) =>
    readdirSync(join(ROOT, directory), { recursive: true, encoding: 'utf8' }).map((name) => `${directory}/${name}`),
  ),
]
  .filter((name) => TEXTS.has(extname(name)) && !name.includes('node_modules/'))
  .filter((name) => !NOT_OURS.some((prefix) => name.startsWith(prefix)));

/** One for each phrase on each line. */
const findings = files.flatMap((file) =>
  readFileSync(join(ROOT, file), 'utf8')
    .split('\n')
    .flatMap((line, index) =>
      BANNED.flatMap(({ phrase, instead }) => {
        const found = phrase.exec(line);
        return found === null ? [] : [`${file}:${index + 1}: "${found[0]}": write ${instead}`];
      }),
    ),
);

test('the check sees files, and finds a phrase', () => {
  expect(files.length).toBeGreaterThan(300);
  expect(BANNED.some(({ phrase }) => phrase.test('nobody is told'))).toBe(true);
});

test('no text has one of the banned phrases', () => {
  expect(findings).toEqual([]);
});
