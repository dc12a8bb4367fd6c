/** The YAML in config/ in editors, with the language server that editors run. */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createMessageConnection, StreamMessageReader, StreamMessageWriter } from 'vscode-jsonrpc/node';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const SERVER = join(ROOT, 'node_modules/yaml-language-server/bin/yaml-language-server');

const server = spawn(process.execPath, [SERVER, '--stdio'], { stdio: ['pipe', 'pipe', 'ignore'] });
const connection = createMessageConnection(
  new StreamMessageReader(server.stdout),
  new StreamMessageWriter(server.stdin),
);
/** Receives the findings in each document, whenever the server publishes them. */
const findings = new Map<string, (messages: string[]) => void>();

interface Diagnostics {
  uri: string;
  diagnostics: { message: string; range: { start: { line: number } } }[];
}

beforeAll(async () => {
  connection.onRequest('workspace/configuration', ({ items }: { items: unknown[] }) => items.map(() => null));
  connection.onRequest('client/registerCapability', () => null);
  connection.onNotification('textDocument/publishDiagnostics', ({ uri, diagnostics }: Diagnostics) => {
    findings.get(uri)?.(diagnostics.map(({ message, range }) => `${range.start.line + 1}: ${message}`));
  });
  connection.listen();
  await connection.sendRequest('initialize', {
    processId: process.pid,
    rootUri: pathToFileURL(ROOT).href,
    capabilities: { textDocument: { publishDiagnostics: {}, completion: {} } },
  });
  await connection.sendNotification('initialized', {});
  const yaml = { validate: true, completion: true, schemaStore: { enable: false }, disableDefaultProperties: true };
  await connection.sendNotification('workspace/didChangeConfiguration', { settings: { yaml } });
});

afterAll(() => {
  connection.dispose();
  server.kill('SIGKILL');
});

/** Opens a text as a file of config/. */
async function open(name: string, text: string): Promise<{ uri: string; problems: string[] }> {
  const uri = pathToFileURL(join(ROOT, 'config', name)).href;
  const { promise, resolve } = Promise.withResolvers<string[]>();
  findings.set(uri, resolve);
  await connection.sendNotification('textDocument/didOpen', {
    textDocument: { uri, languageId: 'yaml', version: 1, text },
  });
  return { uri, problems: await promise };
}

test.each(['gateway.yaml', 'bridge.yaml', 'demo/tier1.yaml', 'demo/east-gateway.yaml', 'demo/west-bridge.yaml'])(
  'config/%s has no problems',
  async (name) => {
    const { problems } = await open(name, readFileSync(join(ROOT, 'config', name), 'utf8'));
    expect(problems).toEqual([]);
  },
);

const MODELINE = '# yaml-language-server: $schema=gateway.schema.json\n';

test('an unknown key and a number out of range are marked at their lines', async () => {
  const text = `${MODELINE}regions: [{ name: east, targets: [{ url: "http://a:1" }] }]\nlisten:\n  prot: 1\nadmin:\n  port: 70000\n`;
  const { problems } = await open('marked.yaml', text);
  expect(problems.sort()).toEqual([
    expect.stringMatching(/^4: .*prot/i),
    expect.stringMatching(/^6: .*(?:65535|maximum)/i),
  ]);
});

test('merge keys and x-… sections are understood', async () => {
  const text = (key: string): string =>
    `${MODELINE}x-note: [any, { thing: 1 }]\nx-region: &region\n  ${key}: 5\nregions:\n  - <<: *region\n    name: east\n    targets: [{ url: "http://a:1" }]\n`;
  expect((await open('merged.yaml', text('weight'))).problems).toEqual([]);
  expect((await open('merged-wrong.yaml', text('wight'))).problems).toEqual([expect.stringMatching(/wight/)]);
});

test('a target needs a URL or a name, not both', async () => {
  const text = `${MODELINE}regions:\n  - name: east\n    targets:\n      - dns: a.test\n      - port: 1\n      - { url: "http://a:1", dns: a.test }\n`;
  const { problems } = await open('alternatives.yaml', text);
  expect(problems.map((problem) => problem.slice(0, 2))).toEqual(expect.arrayContaining(['6:', '7:']));
  expect(problems.filter((problem) => problem.startsWith('5:'))).toEqual([]);
});

test('keys and values are completed', async () => {
  const text = `${MODELINE}regions: [{ name: east, targets: [{ url: "http://a:1" }] }]\nlisten:\n  \nretry:\n  produce: \n`;
  const { uri } = await open('offered.yaml', text);
  expect(await offered(uri, { line: 3, character: 2 })).toEqual(expect.arrayContaining(['host', 'port']));
  expect(await offered(uri, { line: 5, character: 11 })).toEqual(
    expect.arrayContaining(['at-least-once', 'at-most-once']),
  );
});

async function offered(uri: string, position: { line: number; character: number }): Promise<string[]> {
  const answer = await connection.sendRequest<{ items: { label: string }[] }>('textDocument/completion', {
    textDocument: { uri },
    position,
  });
  return answer.items.map(({ label }) => label);
}
