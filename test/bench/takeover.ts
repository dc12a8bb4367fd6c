/**
 * The death of a region that owns slots of idempotency keys: how long requests with keys of these slots take through the one hostname, and
 * how long the other region's bridge takes to take the slots over.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import { DETECTION_MS } from '@causeway/lab/chaos/steps.ts';
import { ensureTopics } from '@causeway/lab/stack/kafka.ts';
import { findStackPorts } from '@causeway/lab/stack/ports.ts';
import { type Stack, startStack } from '@causeway/lab/stack/stack.ts';
import { Agent, request } from 'undici';
import { percentile } from './statistics.ts';

export interface TakeoverBench {
  /** How often a region is killed. */
  rounds: number;
}

/** Bounds; beyond them the exit code is 1. */
const MOST_TAKEOVER_MS = 300;
const MOST_ANSWER_MS = DETECTION_MS + 1_000;
const TOPIC = 'takeover';
/** Each sends one request after another; together they use all slots. */
const CLIENTS = 64;
const SETTLE_MS = 3_000;
const WATCH_MS = 6_000;
const REGIONS = ['east', 'west'] as const;
const METRIC = 'causeway_bridge_idempotency_takeover_duration_seconds';

interface Sent {
  startedAtMs: number;
  tookMs: number;
}

export async function benchTakeover({ rounds }: TakeoverBench): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'causeway-bench-'));
  const stack = await startStack({ directory, ports: await findStackPorts(), onEvent: () => {} });
  const agent = new Agent({ connections: CLIENTS, pipelining: 1 });
  const clients = new KeyedClients(stack.tier1.url, agent);
  const slowestMs: number[] = [];
  const takeoverMs: number[] = [];
  try {
    await ensureTopics(stack.kafka.bootstrap, [{ name: TOPIC, partitionCount: 3 }]);
    clients.start();
    await delay(SETTLE_MS);
    for (let round = 0; round < rounds; round += 1) {
      const dying = REGIONS[round % 2] as (typeof REGIONS)[number];
      const heir = REGIONS[(round + 1) % 2] as (typeof REGIONS)[number];
      const before = await takeovers(stack, heir);
      const killedAtMs = performance.now();
      await stack.killRegion(dying);
      await delay(WATCH_MS);
      const after = await takeovers(stack, heir);
      const sent = clients.sent.filter(({ startedAtMs, tookMs }) => startedAtMs + tookMs >= killedAtMs);
      slowestMs.push(Math.max(...sent.map(({ tookMs }) => tookMs)));
      const count = after.count - before.count;
      if (count > 0) takeoverMs.push(((after.sum - before.sum) * 1_000) / count);
      process.stderr.write(`${dying} killed: slowest answer ${slowestMs.at(-1)?.toFixed(0)} ms, ${count} take-overs\n`);
      await stack.restoreRegion(dying);
      await delay(SETTLE_MS);
    }
  } finally {
    await clients.stop();
    await agent.destroy();
    await stack.close();
    rmSync(directory, { recursive: true, force: true });
  }
  report({ slowestMs, takeoverMs, failures: clients.failures, sentCount: clients.sent.length });
}

class KeyedClients {
  readonly sent: Sent[] = [];
  readonly failures: string[] = [];
  readonly #url: string;
  readonly #agent: Agent;
  #isStopped = false;
  #running: Promise<void>[] = [];

  constructor(url: string, agent: Agent) {
    this.#url = url;
    this.#agent = agent;
  }

  start(): void {
    this.#running = Array.from({ length: CLIENTS }, (_, client) => this.#run(client));
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#running);
  }

  async #run(client: number): Promise<void> {
    for (let number = 0; !this.#isStopped; number += 1) {
      const startedAtMs = performance.now();
      await this.#send(`${client}-${number}`).catch((error: unknown) => this.failures.push(String(error)));
      this.sent.push({ startedAtMs, tookMs: performance.now() - startedAtMs });
      // Enough to have a request of each slot under way, and little enough to leave the machine to the failover.
      await delay(100);
    }
  }

  async #send(key: string): Promise<void> {
    const { statusCode, body } = await request(`${this.#url}/topics/${TOPIC}`, {
      method: 'POST',
      dispatcher: this.#agent,
      headers: { 'content-type': 'application/vnd.kafka.json.v2+json', 'idempotency-key': `${process.pid}-${key}` },
      body: JSON.stringify({ records: [{ value: { key } }] }),
    });
    const text = await body.text();
    if (statusCode !== 200) this.failures.push(`${statusCode} ${text}`);
  }
}

async function takeovers({ regions, agent }: Stack, region: 'east' | 'west'): Promise<{ sum: number; count: number }> {
  const { body } = await request(`${regions[region].bridge.url}/metrics`, { dispatcher: agent });
  const text = await body.text();
  const value = (suffix: string): number =>
    Number(new RegExp(`^${METRIC}_${suffix} (\\S+)$`, 'm').exec(text)?.[1] ?? 0);
  return { sum: value('sum'), count: value('count') };
}

interface Findings {
  slowestMs: readonly number[];
  takeoverMs: readonly number[];
  failures: readonly string[];
  sentCount: number;
}

function report({ slowestMs, takeoverMs, failures, sentCount }: Findings): void {
  const [median, slowest] = [percentile(takeoverMs, 50), percentile(slowestMs, 100)];
  for (const failure of failures.slice(0, 5)) process.stderr.write(`${failure}\n`);
  process.stdout.write(
    [
      `Requests with keys: ${sentCount}, failed: ${failures.length}`,
      `Slowest answer in each round: ${slowestMs.map((ms) => `${(ms / 1_000).toFixed(2)} s`).join(', ')} (at most ${MOST_ANSWER_MS / 1_000} s)`,
      `Taking slots over: ${median.toFixed(0)} ms at the median of the rounds' means (at most ${MOST_TAKEOVER_MS} ms)`,
      '',
    ].join('\n'),
  );
  const isWell =
    failures.length === 0 && takeoverMs.length > 0 && median <= MOST_TAKEOVER_MS && slowest <= MOST_ANSWER_MS;
  if (!isWell) process.exitCode = 1;
}
