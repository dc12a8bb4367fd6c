/** Clients as in a pod: against a real bridge, as processes; and against a server whose responses the test decides. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { expect, inject, onTestFinished, test } from 'vitest';
import { TestBridge } from '../../../../test/harness/bridge.ts';
import { until } from '../../../../test/harness/until.ts';
import { Authority } from '../secure/authority.ts';
import { ensureTopics } from '../stack/kafka.ts';
import { parseTrafficArguments } from './arguments.ts';
import { runTraffic } from './run.ts';

const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url));

/** The command as a process; `exited` has its exit code. */
function start(line: string): { output: () => string; stop: () => void; exited: Promise<number | null> } {
  const child = spawn(process.execPath, [MAIN, ...line.split(' ')], { stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  const exited = once(child, 'close').then(([code]) => code as number | null);
  return { output: () => output, stop: () => child.kill('SIGTERM'), exited };
}

test('a producer and two consumers of a group run beside a bridge until SIGTERM, and miss nothing', async () => {
  const bootstrap = inject('kafkaBootstrap');
  const topic = `steady-${process.pid}-${Date.now()}`;
  await ensureTopics(bootstrap, [{ name: topic, partitionCount: 3 }]);
  const bridge = await TestBridge.start(bootstrap);
  onTestFinished(() => bridge.close());
  const common = `--topic ${topic} --url ${bridge.url}`;
  const consume = start(`consume ${common} --group ${topic} --consumers 2`);
  const produce = start(`produce ${common} --rate 50`);
  await until('both have counted', () =>
    [produce.output(), consume.output()].every((output) => /(?:acknowledged|delivered) [1-9]/.test(output)),
  );
  produce.stop();
  expect(await produce.exited).toBe(0);
  const [, acknowledged] = /Result after \d+ s: acknowledged (\d+) {2}errors 0 {2}gap/.exec(produce.output()) ?? [];
  await until('all are delivered', () => consume.output().includes(`  delivered ${acknowledged}  `));
  consume.stop();
  expect(await consume.exited).toBe(0);
  const result = `Result after \\d+ s: delivered ${acknowledged}  duplicates 0  missing 0  errors 0  gap`;
  expect(consume.output()).toMatch(new RegExp(`${result} .*\nNothing is missing\\.\n$`));
});

test('a wrong argument is a sentence and exit code 2', async () => {
  const child = spawn(process.execPath, [MAIN, 'produce'], { stdio: ['ignore', 'ignore', 'pipe'] });
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text;
  });
  const [code] = await once(child, 'close');
  expect({ code, errors }).toEqual({ code: 2, errors: '--topic is missing.\n' });
});

interface Run {
  lines: string[];
  stop: () => void;
  exitCode: Promise<0 | 1>;
}

/** The command in this process. */
function run(line: string): Run {
  const command = parseTrafficArguments(line.split(' '));
  if (command.kind === 'help' || command.kind === 'version') throw new Error('no run');
  const stopping = new AbortController();
  onTestFinished(() => stopping.abort());
  const lines: string[] = [];
  const exitCode = runTraffic(command, { print: (text) => lines.push(text), signal: stopping.signal });
  return { lines, stop: () => stopping.abort(), exitCode };
}

/** Any REST API; returns its URL. */
async function serve(respond: RequestListener, tls?: { cert: string; key: string }): Promise<string> {
  const server = tls === undefined ? createServer(respond) : createTlsServer(tls, respond);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** An API with one partition whose polls return these offsets, and then nothing; counts the polls. */
async function serveOffsets(offsets: number[]): Promise<{ url: string; polls: () => number }> {
  let polls = 0;
  const url = await serve((request, response) => {
    const isPoll = request.method === 'GET';
    if (isPoll) polls += 1;
    const offset = isPoll ? offsets.shift() : undefined;
    const records = offset === undefined ? [] : [{ topic: 't', partition: 0, offset, value: 'of another client' }];
    // An empty poll waits, so that the consumer does not turn in a circle.
    setTimeout(() => response.end(JSON.stringify(isPoll ? records : {})), isPoll && offset === undefined ? 20 : 0);
  });
  return { url, polls: () => polls };
}

const consume = 'consume --topic t --group g --name c';

test.each([
  ['exit code 1', '', 1, '2 offsets were not delivered.'],
  ['no error where others read in the group', ' --shared-group', 0, 'Nothing is missing.'],
])('offsets that are not delivered are %s', async (_, option, exitCode, sentence) => {
  const { url, polls } = await serveOffsets([7, 8, 8, 11]);
  const consumer = run(`${consume} --url ${url}${option}`);
  await until('all are polled', () => polls() > 5);
  consumer.stop();
  expect(await consumer.exitCode).toBe(exitCode);
  expect(consumer.lines.at(-2)).toMatch(/delivered 3 {2}duplicates 1 {2}missing 2 {2}errors 0/);
  expect(consumer.lines.at(-1)).toBe(sentence);
});

test('a record that is not acknowledged is exit code 1, but what fails before the first success only waits', async () => {
  let requests = 0;
  const url = await serve((_, response) => {
    requests += 1;
    const isDown = requests <= 2 || requests === 4;
    response.statusCode = isDown ? 503 : 200;
    response.end(
      JSON.stringify(isDown ? { error_code: 503, message: 'none' } : { offsets: [{ partition: 0, offset: 1 }] }),
    );
  });
  const producer = run(`produce --topic t --url ${url} --rate 100`);
  await until('enough requests', () => requests > 6);
  producer.stop();
  expect(await producer.exitCode).toBe(1);
  expect(producer.lines[0]).toBe('waiting: send  HTTP 503: none');
  expect(producer.lines.slice(-2)).toEqual(['  1 × send  HTTP 503: none', '1 records were not acknowledged.']);
});

test('a system that is never there is exit code 1', async () => {
  const url = await serve((request) => void request.socket.destroy());
  const producer = run(`produce --topic t --url ${url}`);
  await until('it waits', () => producer.lines.length > 0);
  producer.stop();
  expect(await producer.exitCode).toBe(1);
  expect(producer.lines).toEqual([
    'waiting: send  connection lost',
    expect.stringMatching(/^Result after \d+ s: acknowledged 0/),
    'No record was acknowledged.',
  ]);
});

test('over TLS it trusts the authority of --ca, and sends the token that the file has at the moment', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'causeway-traffic-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const authority = await Authority.create('traffic');
  const tls = await authority.certify({ name: 'api', ip: ['127.0.0.1'] }, 'server');
  const tokens = new Set<string | undefined>();
  const url = await serve((request, response) => {
    tokens.add(request.headers.authorization);
    response.end(JSON.stringify({ offsets: [{ partition: 0, offset: 1 }] }));
  }, tls);
  const file = (name: string, text: string): string => {
    writeFileSync(join(directory, name), text);
    return join(directory, name);
  };
  const files = `--ca ${file('ca.crt', authority.cert)} --token-file ${file('token', 'first\n')}`;
  const producer = run(`produce --topic t --url ${url} --rate 100 ${files}`);
  await until('the first token arrives', () => tokens.size === 1);
  file('token', 'second\n');
  await until('the second token arrives', () => tokens.size === 2);
  producer.stop();
  expect(await producer.exitCode).toBe(0);
  expect([...tokens]).toEqual(['Bearer first', 'Bearer second']);
});

test('it ends by itself after --seconds', async () => {
  const { url } = await serveOffsets([0, 1]);
  const consumer = run(`${consume} --url ${url} --seconds 1`);
  expect(await consumer.exitCode).toBe(0);
});

test('a file that is not there is a sentence', async () => {
  const consumer = run(`${consume} --url http://127.0.0.1:1 --token-file /nowhere/token`);
  await expect(consumer.exitCode).rejects.toThrow('--token-file /nowhere/token: cannot be read.');
});
