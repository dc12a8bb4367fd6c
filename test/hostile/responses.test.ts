/** A gateway before a target that sends hostile responses: no client gets another one's response, and the gateway stays. */
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, onTestFinished, test } from 'vitest';
import { startGateway } from '../harness/gateway.ts';
import { until } from '../harness/until.ts';
import { startUpstream } from '../harness/upstream.ts';
import { eachOf, exchange } from './attacker.ts';
import { type HostileResponse, RESPONSES, type Received } from './corpus/responses.ts';
import { POISON, startHostileTarget } from './hostile-target.ts';
import { Program } from './program.ts';
import { parseResponses, type ResponseMessage } from './wire.ts';

const directory = mkdtempSync(join(tmpdir(), 'causeway-hostile-target-'));
const hostile = await startHostileTarget(RESPONSES);
const good = await startUpstream(({ url }, response) => {
  const body = JSON.stringify({ from: 'good', path: url });
  response.writeHead(200, { 'content-length': body.length }).end(body);
});
const gateway = new Program('gateway', 'gateway', {
  directory,
  config: {
    listen: { host: '127.0.0.1', port: 0 },
    admin: { port: 0 },
    regions: [
      { name: 'east', priority: 0, targets: [{ url: hostile.url }] },
      { name: 'west', priority: 1, targets: [{ url: good.url }] },
    ],
    healthCheck: { intervalMs: 200, timeoutMs: 20_000, rise: 1 },
    // The hostile target stays in use: a breaker would hide it.
    breaker: { errorPercent: 99, minRequests: 100_000 },
    retry: { budgetMinRetries: 100_000 },
    request: { deadlineMs: 60_000, attemptTimeoutMs: 5_000 },
    response: { bufferBytes: 10_000 },
  },
});
const port = Number(new URL(String((await gateway.line('started'))['url'])).port);
await gateway.line('health');
afterAll(async () => {
  await gateway.close();
  hostile.close();
  await good.kill();
  rmSync(directory, { recursive: true, force: true });
});

/** Clients that get the same hostile response at the same time. */
const CLIENTS = 3;
/** Requests of each client behind it, which may travel over the connections that the hostile response used. */
const FOLLOWERS = 3;
/** Cases at the same time: those that wait for a deadline take most of the time. */
const WIDTH = 16;

const CLOSE = 'connection: close\r\n';

interface Client {
  readonly path: string;
  readonly followers: readonly string[];
  readonly received: string | undefined;
}

async function ask(index: number, { method = 'GET', ending }: HostileResponse, id: string): Promise<Client> {
  const path = `/topics/${index}?id=${id}`;
  const followers = Array.from({ length: FOLLOWERS }, (_, at) => `/topics/follower-${id}-${at}`);
  const body = method === 'POST' ? 'content-length: 2\r\n\r\n{}' : '\r\n';
  // An unsolicited response meets an idle connection: beside a request, it would be the target's own response to that.
  const isAlone = ending === 'poison';
  const first = `${method} ${path} HTTP/1.1\r\nhost: h\r\n${isAlone ? CLOSE : ''}${body}`;
  const others = followers.map(
    (follower, at) => `GET ${follower} HTTP/1.1\r\nhost: h\r\n${at === FOLLOWERS - 1 ? CLOSE : ''}\r\n`,
  );
  if (!isAlone) return { path, followers, received: await exchange(connect(port, '127.0.0.1'), [first, ...others]) };
  const received = await exchange(connect(port, '127.0.0.1'), [first]);
  await until('the gateway closes the poisoned connection', () => hostile.closedAfterPoison.has(path));
  const more = await exchange(connect(port, '127.0.0.1'), others);
  return { path, followers, received: received === undefined || more === undefined ? undefined : received + more };
}

/** What the client got, or what is wrong with it, in a sentence. */
function judge({ path, followers, received }: Client, { method }: HostileResponse): Received | string {
  if (received === undefined) return 'the connection stays open';
  if (received.includes(POISON)) return 'the client got poison';
  const { responses, fault, rest } = parseResponses(received, { isHead: method === 'HEAD' });
  if (fault !== undefined) return fault;
  const [first, ...others] = responses;
  if (first === undefined) return 'cut';
  const isInOrder =
    others.length === followers.length &&
    followers.every((follower, at) => others[at]?.body.includes(`"path":"${follower}"`));
  if (!isInOrder || rest !== '')
    return `the responses behind it are ${others.map(({ body }) => body).join(' ')} ${rest}`;
  return kindOf(first, path, method);
}

function kindOf({ status, body }: ResponseMessage, path: string, method: string | undefined): Received | string {
  if (status === 502 || status === 504) return 'failed';
  if (body === JSON.stringify({ from: 'good', path })) return 'retried';
  const isWithoutBody = method === 'HEAD' || status === 204 || status === 304;
  return isWithoutBody || body === JSON.stringify({ path }) ? 'own' : `${status} ${body}`;
}

async function expectOutcomes(clientCount: number, isChosen: (response: HostileResponse) => boolean): Promise<void> {
  const found: Record<string, (Received | string)[]> = {};
  const cases = RESPONSES.map((response, index) => ({ response, index })).filter(({ response }) => isChosen(response));
  await eachOf(cases, clientCount === 1 ? 1 : WIDTH, async ({ response, index }) => {
    const clients = Array.from({ length: clientCount }, (_, client) => ask(index, response, `c${index}x${client}`));
    found[response.name] = (await Promise.all(clients)).map((client) => judge(client, response));
  });
  const expected = RESPONSES.filter(isChosen).map(({ name, expected }) => [name, Array(clientCount).fill(expected)]);
  expect(found).toEqual(Object.fromEntries(expected));
  expect(gateway.faults).toEqual([]);
}

const isPoisonedLater = ({ ending }: HostileResponse): boolean => ending === 'poison';

test('every hostile response has its outcome, and no client gets a response that is not its own', async () => {
  await expectOutcomes(CLIENTS, (response) => !isPoisonedLater(response));
  expect(hostile.requestCount).toBeGreaterThan(RESPONSES.length * CLIENTS);
});

test('an unsolicited response closes its connection before another request gets it', async () => {
  await expectOutcomes(1, isPoisonedLater);
});

test('hostile responses to probes end no gateway, and another region serves', async () => {
  const target = await startHostileTarget(RESPONSES, { areProbesHostile: true });
  const faults: unknown[] = [];
  const probing = await startGateway(
    {
      regions: [
        { name: 'east', priority: 0, targets: [{ url: good.url }] },
        { name: 'west', priority: 1, targets: [{ url: target.url }] },
      ],
      // One late probe of the good region must not leave the hostile one alone.
      healthCheck: { intervalMs: 20, timeoutMs: 500, rise: 1, fall: 4 },
    },
    { onFault: (error) => faults.push(error) },
  );
  onTestFinished(async () => {
    await probing.close();
    target.close();
  });
  await until('every response was the response to a probe', () => target.probeCount > RESPONSES.length);
  const received = await exchange(connect(Number(new URL(probing.url).port), '127.0.0.1'), [
    `GET /topics/beside HTTP/1.1\r\nhost: h\r\n${CLOSE}\r\n`,
  ]);
  expect(received).toContain('"path":"/topics/beside"');
  expect(received).not.toContain(POISON);
  expect(faults).toEqual([]);
});
