/** Clients of a bridge over HTTP with keep-alive: consumers that read or wait, and a producer at a steady rate. */
import { setTimeout as delay } from 'node:timers/promises';
import type { ConsumerPage } from '@causeway/protocol/admin/model.ts';
import { Agent, request } from 'undici';

const V2 = 'application/vnd.kafka.v2+json';
const JSON_V2 = 'application/vnd.kafka.json.v2+json';
/** Occurs once in every record of a response, and in no value of the benchmark. */
const RECORD_MARK = ',"timestamp":';
/** Spread, so that consumers that started together do not end their polls together. */
const WAIT_TIMEOUT_MS = { shortest: 20_000, longest: 60_000 } as const;

export interface Timings {
  durationsMs: number[];
  errorCount: number;
}

export interface BridgeClient {
  origin: string;
  agent: Agent;
}

/** One connection for each request at a time. */
export function bridgeClient(port: number): BridgeClient {
  const agent = new Agent({ pipelining: 1, connections: null, headersTimeout: 0, bodyTimeout: 0 });
  return { origin: `http://127.0.0.1:${port}`, agent };
}

interface Call {
  method: 'GET' | 'POST' | 'DELETE';
  path: string;
  body?: unknown;
  contentType?: string;
  signal?: AbortSignal;
}

async function call(
  { agent, origin }: BridgeClient,
  { method, path, body, contentType = V2, signal }: Call,
): Promise<{ status: number; content: Buffer }> {
  const answer = await agent.request({
    origin,
    path,
    method,
    headers: body === undefined ? { accept: '*/*' } : { 'content-type': contentType },
    body: body === undefined ? null : JSON.stringify(body),
    ...(signal === undefined ? {} : { signal }),
  });
  return { status: answer.statusCode, content: Buffer.from(await answer.body.arrayBuffer()) };
}

export interface ConsumerRef {
  group: string;
  path: string;
}

/** A consumer in its own group; subscribed, if there is a topic. Errors: when it is not created. */
export async function createConsumer(
  client: BridgeClient,
  group: string,
  topic: string | undefined,
): Promise<ConsumerRef> {
  const path = `/consumers/${group}/instances/c`;
  const created = await call(client, {
    method: 'POST',
    path: `/consumers/${group}`,
    body: { name: 'c', format: 'json', 'auto.offset.reset': 'earliest' },
  });
  if (created.status !== 200) throw new Error(`no consumer: ${created.status} ${created.content}`);
  if (topic === undefined) return { group, path };
  const subscribed = await call(client, { method: 'POST', path: `${path}/subscription`, body: { topics: [topic] } });
  if (subscribed.status !== 204) throw new Error(`no subscription: ${subscribed.status} ${subscribed.content}`);
  return { group, path };
}

export async function deleteConsumer(client: BridgeClient, { path }: ConsumerRef): Promise<void> {
  await call(client, { method: 'DELETE', path });
}

/** One poll, which joins the consumer to its group. Errors: when it is refused. */
export async function pollOnce(client: BridgeClient, { path }: ConsumerRef, timeoutMs: number): Promise<void> {
  const { status, content } = await call(client, { method: 'GET', path: `${path}/records?timeout=${timeoutMs}` });
  if (status !== 200) throw new Error(`no poll: ${status} ${content}`);
}

/** Polls, with default options, until it has received this many records. */
export async function readRecords(
  client: BridgeClient,
  { path }: ConsumerRef,
  recordCount: number,
): Promise<Timings & { recordCount: number }> {
  const timings = { durationsMs: [] as number[], errorCount: 0, recordCount: 0 };
  while (timings.recordCount < recordCount && timings.errorCount === 0) {
    const startedAtMs = performance.now();
    const { status, content } = await call(client, { method: 'GET', path: `${path}/records` });
    timings.durationsMs.push(performance.now() - startedAtMs);
    if (status !== 200) timings.errorCount += 1;
    timings.recordCount += countRecords(content);
  }
  return timings;
}

function countRecords(content: Buffer): number {
  let count = 0;
  for (let at = content.indexOf(RECORD_MARK); at !== -1; at = content.indexOf(RECORD_MARK, at + RECORD_MARK.length)) {
    count += 1;
  }
  return count;
}

/** Long polls, one after another, until the signal; does not wait for the last response. Returns the number of failures. */
export async function waitInPolls(client: BridgeClient, consumer: ConsumerRef, signal: AbortSignal): Promise<number> {
  const { shortest, longest } = WAIT_TIMEOUT_MS;
  return await pollUntil(client, consumer, {
    get timeoutMs() {
      return Math.round(shortest + Math.random() * (longest - shortest));
    },
    signal,
  });
}

/** The same, with a timeout for each poll and a callback for each response. */
export async function pollUntil(
  client: BridgeClient,
  { path }: ConsumerRef,
  options: {
    readonly timeoutMs: number;
    signal: AbortSignal;
    onAnswer?: () => void;
    onError?: (reason: string) => void;
  },
): Promise<number> {
  const { signal, onAnswer, onError } = options;
  let errorCount = 0;
  const onFailed = (reason: string): void => {
    errorCount += 1;
    onError?.(reason);
  };
  while (!signal.aborted) {
    try {
      const { status, content } = await call(client, {
        method: 'GET',
        path: `${path}/records?timeout=${options.timeoutMs}`,
        signal,
      });
      if (status === 200) onAnswer?.();
      else onFailed(`${status} ${content}`);
    } catch (error) {
      if (!signal.aborted) onFailed(String(error));
    }
  }
  return errorCount;
}

/** By group: the bridge that owns the first consumer, from a gateway's admin API. */
export async function homesOf(admin: string, token: string, limit: number): Promise<Map<string, string>> {
  const homes = new Map<string, string>();
  while (homes.size < limit) {
    const { body } = await request(`${admin}/api/consumers?limit=1000&offset=${homes.size}`, {
      headers: { authorization: `Bearer ${token}` },
    });
    const { consumers } = (await body.json()) as ConsumerPage;
    if (consumers.length === 0) break;
    for (const { group, home } of consumers) homes.set(group, home);
  }
  return homes;
}

/** Produces at a fixed rate, independent of response times. */
export async function produceSteadily(
  client: BridgeClient,
  options: { path: string; value: unknown; requestsPerSecond: number; seconds: number },
): Promise<Timings> {
  const { path, value, requestsPerSecond, seconds } = options;
  const timings: Timings = { durationsMs: [], errorCount: 0 };
  const startedAtMs = performance.now();
  const running: Promise<void>[] = [];
  for (let index = 0; index < requestsPerSecond * seconds; index += 1) {
    const dueAtMs = startedAtMs + (index * 1000) / requestsPerSecond;
    const pauseMs = dueAtMs - performance.now();
    if (pauseMs > 0) await delay(pauseMs);
    const sentAtMs = performance.now();
    const body = { records: [{ value }] };
    running.push(
      call(client, { method: 'POST', path, body, contentType: JSON_V2 }).then(
        ({ status }) => {
          timings.durationsMs.push(performance.now() - sentAtMs);
          if (status !== 200) timings.errorCount += 1;
        },
        () => {
          timings.errorCount += 1;
        },
      ),
    );
  }
  await Promise.all(running);
  return timings;
}
