/** A gateway and a bridge parse every request target alike: the same operation with the same names, or the same refusal. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { INTERNAL_OPERATIONS, isManagement, OPERATIONS } from '@causeway/protocol/operations/table.ts';
import { METHODS, parseUrl } from '@causeway/protocol/paths.ts';
import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import { bridgeOfFile, kafkaOfFile } from './harness/bridge.ts';
import { regions, startGateway } from './harness/gateway.ts';
import { unique } from './harness/kafka-view.ts';
import { ODD_PATHS } from './harness/odd-paths.ts';
import { answersOf, HOST, type RawAnswer, raw } from './harness/raw.ts';
import { until } from './harness/until.ts';

const directory = mkdtempSync(join(tmpdir(), 'causeway-odd-paths-'));
const logs = { gateway: join(directory, 'gateway.log'), bridge: join(directory, 'bridge.log') };
const bridge = await bridgeOfFile({ accessLog: { file: logs.bridge } });
const kafka = await kafkaOfFile();
const gateway = await startGateway({
  gateway: { name: 'east', region: 'east' },
  regions: regions({ east: bridge.url }),
  accessLog: { file: logs.gateway },
});
afterAll(async () => {
  await gateway.close();
  rmSync(directory, { recursive: true });
});

const PORTS = { bridge: bridge.bridge.port, gateway: Number(new URL(gateway.url).port) };
type Program = keyof typeof PORTS;

async function ask(program: Program, method: string, target: string, id = unique('ask')): Promise<RawAnswer> {
  const head = `${method} ${target} HTTP/1.1\r\n${HOST}x-request-id: ${id}\r\n`;
  const text = await raw(PORTS[program], `${head}content-length: 0\r\nconnection: close\r\n\r\n`);
  // A request that Node's parser rejects is refused with a body, even for HEAD.
  const readable = method === 'HEAD' ? text.slice(0, text.indexOf('\r\n\r\n') + 4) : text;
  const [answer] = answersOf(readable, { isHead: method === 'HEAD' });
  if (answer === undefined) throw new Error(`${method} ${target}: no answer`);
  return answer;
}

/** The operations in an access log, by request id. */
function operationsIn(file: string): Map<string, string> {
  const lines = readFileSync(file, 'utf8').split('\n').slice(0, -1);
  return new Map(lines.map((line) => JSON.parse(line)).map(({ requestId, operation }) => [requestId, operation]));
}

interface Asked {
  method: string;
  target: string;
  /** Request ids, by the program that got the request. */
  ids: Record<Program, string>;
  answers: Record<Program, RawAnswer>;
}

async function askBoth(method: string, target: string): Promise<Asked> {
  const ids = { bridge: unique('to-bridge'), gateway: unique('to-gateway') };
  const answers = {
    bridge: await ask('bridge', method, target, ids.bridge),
    gateway: await ask('gateway', method, target, ids.gateway),
  };
  return { method, target, ids, answers };
}

/** Waits for the logs, and adds the operation that the gateway, the bridge behind it, and the bridge alone parsed. */
async function readBy(asked: readonly Asked[]): Promise<(Asked & { operations: (string | undefined)[] })[]> {
  const last = await askBoth('GET', '/topics');
  await until('the logs have the last request', () => {
    const inBridge = operationsIn(logs.bridge);
    const isAtGateway = operationsIn(logs.gateway).has(last.ids.gateway);
    return isAtGateway && inBridge.has(last.ids.gateway) && inBridge.has(last.ids.bridge);
  });
  const inBridge = operationsIn(logs.bridge);
  const inGateway = operationsIn(logs.gateway);
  return asked.map((one) => ({
    ...one,
    operations: [inGateway.get(one.ids.gateway), inBridge.get(one.ids.gateway), inBridge.get(one.ids.bridge)],
  }));
}

/** How the programs differ; `undefined` if they agree. */
function problem({ method, target, answers, operations }: Awaited<ReturnType<typeof readBy>>[number]): unknown {
  const { bridge: direct, gateway: through } = answers;
  const [byGateway, behindGateway, byBridge] = operations;
  const { operation } = parseUrl(method, target.replace(/^https?:\/\/[^/?]*/i, ''));
  const seen = { method, target, operations, direct, through };
  // A gateway responds itself, and has its metrics on another port.
  if (isManagement(operation) && direct.status === 200) {
    const isServedAlike = operation === 'metrics' ? through.status === 404 : through.status === direct.status;
    return isServedAlike && operations.every((found) => found === undefined) ? undefined : seen;
  }
  if (direct.status !== through.status || direct.headers['allow'] !== through.headers['allow']) return seen;
  // Refused before the request has an operation.
  if (direct.status === 400 && byBridge === undefined) return behindGateway === undefined ? undefined : seen;
  if (byBridge !== byGateway) return seen;
  return behindGateway === undefined || behindGateway === byBridge ? undefined : seen;
}

test('odd targets have their meaning in both programs', async () => {
  const asked: Asked[] = [];
  for (const [method, target] of ODD_PATHS) asked.push(await askBoth(method, target));
  const read = await readBy(asked);
  expect(read.map(problem).filter((found) => found !== undefined)).toEqual([]);
  for (const [index, [method, target, meaning]] of ODD_PATHS.entries()) {
    const { answers, operations } = read[index] as (typeof read)[number];
    const seen = { method, target, meaning };
    if (meaning === 400) {
      expect({ ...seen, status: answers.bridge.status }).toEqual({ ...seen, status: 400 });
    } else if (isManagement(meaning)) {
      expect({ ...seen, status: answers.bridge.status }).toEqual({ ...seen, status: 200 });
    } else {
      expect({ ...seen, operations: [operations[0], operations[2]] }).toEqual({
        ...seen,
        operations: [meaning, meaning],
      });
    }
  }
});

const SEGMENT = fc.oneof(
  {
    arbitrary: fc.constantFrom(
      ...['topics', 'consumers', 'instances', 'partitions', 'records', 'subscription', 'offsets', 'positions'],
      ...['healthy', 'admin', 'openapi', 'v3', 'beginning', 'causeway-delivered', 'causeway-sessions'],
    ),
    weight: 6,
  },
  { arbitrary: fc.constantFrom('', '.', '..', '%2e', '%2E.', '%2e%2e', '...', '%252e'), weight: 4 },
  {
    arbitrary: fc.constantFrom('g', '0', 'a%2Fb', '%2F', '%C3%BC', '%74opics', 'a;b', 'a:b', '*', '%3F', '\\'),
    weight: 4,
  },
  { arbitrary: fc.constantFrom('%zz', '%', '%FF', 'a#b'), weight: 1 },
);
const ODDITIES: readonly (readonly string[])[] = [
  ...[[], [], [], [], [], [''], ['', ''], ['.'], ['%2E'], ['x', '..'], ['x', 'y', '%2e.', '..'], ['', '..'], ['..']],
];
/** The path of an operation, with odd segments between its own. */
const ODD_OPERATION = fc
  .tuple(
    fc.constantFrom(...OPERATIONS, ...INTERNAL_OPERATIONS),
    fc.array(fc.constantFrom(...ODDITIES), { minLength: 7, maxLength: 7 }),
  )
  .map(([{ path }, oddities]) =>
    path
      .split('/')
      .slice(1)
      .flatMap((segment, index) => [...(oddities[index] ?? []), segment.replace(/[{}]/g, '')]),
  );
const TARGET = fc
  .tuple(
    fc.constantFrom('/', '/', '/', 'http://h/', 'HTTP://h:1/', ''),
    fc.oneof(fc.array(SEGMENT, { maxLength: 8 }), ODD_OPERATION),
    fc.constantFrom('', '', '/', '//', '?', '?a=/../b', '/?a?b', '?%74imeout=0', '?%'),
  )
  .map(([start, segments, end]) => `${start}${segments.join('/')}${end}`)
  // An empty target is not a request line.
  .filter((target) => target !== '');
const METHOD = fc.constantFrom(...METHODS, 'GET', 'GET', 'POST', 'PUT', 'PATCH');

test('both programs parse generated targets alike', async () => {
  const asked: Asked[] = [];
  for (const [method, target] of fc.sample(fc.tuple(METHOD, TARGET), { seed: 20_261_127, numRuns: 500 })) {
    asked.push(await askBoth(method, target));
  }
  const read = await readBy(asked);
  expect(read.map(problem).filter((found) => found !== undefined)).toEqual([]);
  // Many operations are among the targets, not only refusals.
  expect(new Set(read.map(({ operations }) => operations[0])).size).toBeGreaterThan(15);
});

test('every spelling of a path reaches the same consumer', async () => {
  const group = unique('group');
  const spellings = (suffix: string): string[] => [
    `/consumers/${group}/instances/c${suffix}`,
    `//consumers//${group}/instances///c${suffix}/`,
    `/consumers/./${group}/x/../instances/c${suffix}`,
    `/topics/../consumers/${group}/instances/%63${suffix}`,
    `/consumers/${group}/instances//../c${suffix}`,
    `/consumers/${group}//../instances/c${suffix}`,
    `/%63onsumers/${group}/instances/${encodeURIComponent('c')}${suffix}?x`,
  ];
  await bridge.consumer(group, 'c', []);
  const counted = async (): Promise<number> => {
    const response = await fetch(`${gateway.adminUrl}/api/topology`);
    return ((await response.json()) as { consumers: { count: number } }).consumers.count;
  };
  const before = await counted();
  for (const program of ['gateway', 'bridge'] as const) {
    for (const target of spellings('/subscription')) {
      const { status, body } = await ask(program, 'GET', target);
      expect({ target, status, body }).toEqual({ target, status: 200, body: '{"topics":[],"partitions":[]}' });
    }
  }
  // With other names, the gateway would remember other consumers.
  expect(await counted()).toBe(before + 1);
});

test('every spelling of a path reaches the same topic', async () => {
  const topic = await kafka.topic();
  const message = `Topic '${topic}' does not have partition with id 99`;
  const encoded = [...topic].map((letter) => `%${letter.charCodeAt(0).toString(16)}`).join('');
  for (const program of ['gateway', 'bridge'] as const) {
    for (const target of [`/topics//${topic}`, `/x/%2e%2E/topics/./${encoded}`, `/topics/a/../${topic}/.`]) {
      const { status, body } = await ask(program, 'GET', `${target}/partitions//99/offsets/?x`);
      expect({ target, status, body: JSON.parse(body) }).toEqual({
        target,
        status: 404,
        body: { error_code: 404, message },
      });
    }
  }
});
