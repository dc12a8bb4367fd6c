/** YAML in the documents is valid configuration. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BridgeConfig, checkBridgeConfig } from '@causeway/bridge/config.ts';
import { parseConfig } from '@causeway/config/load.ts';
import { readCredentialsFile } from '@causeway/gateway/authentication/credentials-file.ts';
import { findConfigProblems } from '@causeway/gateway/config/load.ts';
import { GatewayConfig } from '@causeway/gateway/config/schema.ts';
import { expect, onTestFinished, test } from 'vitest';
import { parse, stringify } from 'yaml';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

const GATEWAY = { regions: [{ name: 'east', targets: [{ url: 'http://127.0.0.1:8282' }] }] };
const BRIDGE = { bridge: { name: 'b', region: 'east' }, kafka: { bootstrapServers: ['127.0.0.1:9092'] } };

const documents = ['README.md', ...readdirSync(`${ROOT}docs`).map((name) => `docs/${name}`)]
  .filter((file) => file.endsWith('.md'))
  .map((file) => ({ file, content: readFileSync(`${ROOT}${file}`, 'utf8') }));

const blocks = documents
  .flatMap(({ file, content }) =>
    [...content.matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, text = '']) => ({
      file,
      text,
    })),
  )
  // Continues the previous block.
  .filter(({ text }) => !text.startsWith(' '))
  .map(({ file, text }) => ({ file, text, value: parse(text, { merge: true }) as object }));
const configurations = blocks
  .filter(({ value }) => !Array.isArray(value))
  .map(({ file, text, value }) => ({ file, text, keys: Object.keys(value).filter((key) => !key.startsWith('x-')) }));
const lists = blocks.filter(({ value }) => Array.isArray(value));

/** A value of its own for each variable in the block. */
function environmentOf(text: string): Record<string, string> {
  return Object.fromEntries([...text.matchAll(/\$\{(\w+)\}/g)].map(([, name = '']) => [name, name.padEnd(32, 'x')]));
}

function isKnown(schema: { properties: object }, keys: readonly string[]): boolean {
  return keys.every((key) => Object.hasOwn(schema.properties, key));
}

test('there are blocks of YAML', () => {
  expect(configurations.length).toBeGreaterThan(3);
  expect(lists.length).toBeGreaterThan(0);
});

test.each(configurations)('$file: $keys', ({ text, keys }) => {
  const env = environmentOf(text);
  const forGateway = isKnown(GatewayConfig, keys);
  const forBridge = isKnown(BridgeConfig, keys);
  expect(forGateway || forBridge).toBe(true);
  const over = (base: object): string => stringify({ ...base, ...(parse(text, { merge: true }) as object) });
  if (forGateway) {
    // The files of an example are not here.
    const problems = findConfigProblems(over(GATEWAY), env).filter(
      ({ reason }) => !reason.endsWith('there is no such file'),
    );
    expect(problems).toEqual([]);
  }
  if (forBridge) {
    expect(() => parseConfig('', over(BRIDGE), { schema: BridgeConfig, env, check: checkBridgeConfig })).not.toThrow();
  }
});

test.each(lists)('$file: a list is a file of credentials', ({ text }) => {
  const directory = mkdtempSync(join(tmpdir(), 'causeway-documents-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const file = join(directory, 'credentials.yaml');
  writeFileSync(file, text);
  expect(readCredentialsFile(file).names.size).toBeGreaterThan(0);
});

const sources = readdirSync(`${ROOT}packages`, { recursive: true, encoding: 'utf8' })
  .filter((name) => /^[a-z]+\/src\/.*\.ts$/.test(name) && !name.endsWith('.test.ts'))
  .map((name) => readFileSync(`${ROOT}packages/${name}`, 'utf8'))
  .join('\n');

/** Commands whose output test/e2e/walkthrough.test.ts compares. */
const WALKED_BLOCK = /<!-- test\/e2e\/walkthrough\.test\.ts [^>]*-->\n+```console\n[\s\S]*?```/g;

const messages = documents.flatMap(({ file, content }) =>
  // Up to the first part that the programs fill in.
  [...content.replaceAll(WALKED_BLOCK, '').matchAll(/"message":"([^"…:;]+)/g)].map(([, text = '']) => ({ file, text })),
);

test('there are messages of errors', () => {
  expect(messages.length).toBeGreaterThan(1);
});

test.each(messages)('$file: "$text"', ({ text }) => {
  expect(sources.includes(text)).toBe(true);
});
