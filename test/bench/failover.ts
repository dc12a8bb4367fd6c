/**
 * A region's death with many consumers: the time until all of them have a response again through the one hostname, and the
 * time until the restarted bridge of the region is ready, with every session in the log that it reads.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import { type Adoptions, readAdoptions } from '@causeway/lab/chaos/adoptions.ts';
import { ensureTopics } from '@causeway/lab/stack/kafka.ts';
import { findStackPorts } from '@causeway/lab/stack/ports.ts';
import type { RegionName } from '@causeway/lab/stack/regions.ts';
import { type Stack, startStack } from '@causeway/lab/stack/stack.ts';
import { request } from 'undici';
import {
  type BridgeClient,
  bridgeClient,
  type ConsumerRef,
  createConsumer,
  homesOf,
  pollUntil,
  produceSteadily,
} from './bridge-clients.ts';
import { percentile } from './statistics.ts';

export interface FailoverBench {
  /** Consumers that poll; each is the only one of its group. */
  activeCount: number;
  /** Unused consumers in the log. */
  idleCount: number;
}

/** Bounds; beyond them the exit code is 1. */
const MOST_BACK_MS = 10_000;
const MOST_READY_MS = 5_000;
const TOPIC = 'failover';
const CREATING_AT_ONCE = 50;
/** Each record goes to every consumer; the first one arrives after they have moved. */
const RECORDS_PER_SECOND = 0.2;
/** Time between the last create and the kill, for joins and first responses. */
const SETTLE_MS = 10_000;
const POLL_TIMEOUT_MS = 5_000;
const WATCH_SECONDS = 20;
const MOST_ERRORS_TOLD = 5;

export async function benchFailover({ activeCount, idleCount }: FailoverBench): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'causeway-bench-'));
  const stack = await startStack({ directory, ports: await findStackPorts(), onEvent: tell });
  const { east, west } = stack.regions;
  const client = bridgeClient(Number(new URL(stack.tier1.url).port));
  const stop = new AbortController();
  try {
    await ensureTopics(stack.kafka.bootstrap, [{ name: TOPIC, partitionCount: 1 }]);
    const idle = Array.from({ length: idleCount }, (_, number) => `idle-${number}`);
    await createAll(client, idle, undefined);
    const groups = Array.from({ length: activeCount }, (_, number) => `active-${number}`);
    const polls: Promise<Poller>[] = [];
    // All of them live in the region that dies.
    await steer(stack, 'west', 'drain');
    await createAll(client, groups, (consumer) => void polls.push(poll(client, consumer, stop.signal)));
    await steer(stack, 'west', 'undrain');
    await delay(SETTLE_MS);
    const homes = await homesOf(stack.tier1.admin, stack.adminToken, activeCount + idleCount);
    const moving = new Set(groups.filter((group) => homes.get(group)?.startsWith('east/')));
    const producing = produceSteadily(client, {
      path: `/topics/${TOPIC}`,
      value: 'x',
      requestsPerSecond: RECORDS_PER_SECOND,
      seconds: WATCH_SECONDS,
    });
    const killedAtMs = performance.now();
    await stack.killRegion('east');
    const { errorCount: produceErrorCount } = await producing;
    stop.abort();
    const pollers = await Promise.all(polls);
    const backMs = pollers
      .filter(({ group }) => moving.has(group))
      .map(({ answeredAtMs }) => (answeredAtMs.find((atMs) => atMs > killedAtMs) ?? Number.NaN) - killedAtMs);
    const errors = pollers.flatMap((poller) => poller.errors);
    for (const { atMs, reason } of errors.slice(0, MOST_ERRORS_TOLD)) {
      process.stderr.write(`${((atMs - killedAtMs) / 1_000).toFixed(2)} s after the kill: ${reason}\n`);
    }
    const errorCount = errors.length + produceErrorCount;
    const adoptions = await readAdoptions([west.bridge.url], stack.agent);
    const startedAtMs = performance.now();
    await east.bridge.start();
    const readyMs = performance.now() - startedAtMs;
    report({ sessionCount: homes.size, backMs, adoptions, readyMs, errorCount });
  } finally {
    stop.abort();
    await client.agent.destroy();
    await stack.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Errors: when the gateway refuses. */
async function steer({ tier1, adminToken }: Stack, region: RegionName, action: 'drain' | 'undrain'): Promise<void> {
  const { statusCode, body } = await request(`${tier1.admin}/api/regions/${region}/${action}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${adminToken}` },
  });
  const text = await body.text();
  if (statusCode >= 300) throw new Error(`no ${action} of ${region}: ${statusCode} ${text}`);
}

interface Poller {
  group: string;
  answeredAtMs: number[];
  errors: { atMs: number; reason: string }[];
}

async function poll(client: BridgeClient, consumer: ConsumerRef, signal: AbortSignal): Promise<Poller> {
  const answeredAtMs: number[] = [];
  const errors: Poller['errors'] = [];
  await pollUntil(client, consumer, {
    timeoutMs: POLL_TIMEOUT_MS,
    signal,
    onAnswer: () => answeredAtMs.push(performance.now()),
    onError: (reason) => errors.push({ atMs: performance.now(), reason }),
  });
  return { group: consumer.group, answeredAtMs, errors };
}

/** One consumer in each group; without `onSubscribed` no consumer reads. */
async function createAll(
  client: BridgeClient,
  groups: readonly string[],
  onSubscribed: ((consumer: ConsumerRef) => void) | undefined,
): Promise<void> {
  const topic = onSubscribed === undefined ? undefined : TOPIC;
  for (let first = 0; first < groups.length; first += CREATING_AT_ONCE) {
    const created = await Promise.all(
      groups.slice(first, first + CREATING_AT_ONCE).map((group) => createConsumer(client, group, topic)),
    );
    for (const consumer of created) onSubscribed?.(consumer);
  }
}

interface Findings {
  sessionCount: number;
  backMs: readonly number[];
  adoptions: Adoptions;
  readyMs: number;
  errorCount: number;
}

function report({ sessionCount, backMs, adoptions, readyMs, errorCount }: Findings): void {
  const seconds = (ms: number): string => `${(ms / 1_000).toFixed(2)} s`;
  const mostBackMs = percentile(backMs, 100);
  process.stdout.write(
    [
      `Sessions in the log: ${sessionCount}`,
      `Consumers of the region that was killed: ${backMs.length}, answered again after ${seconds(percentile(backMs, 50))} (median), ${seconds(percentile(backMs, 99))} (p99), ${seconds(mostBackMs)} (last)`,
      `Adoptions: ${adoptions.count}, ${adoptions.medianMs} ms at the median; mean of the stages: ${formatStages(adoptions)}`,
      `Requests that failed: ${errorCount}`,
      `The bridge was ready ${seconds(readyMs)} after its start`,
      '',
    ].join('\n'),
  );
  const isWell = backMs.length > 0 && mostBackMs <= MOST_BACK_MS && readyMs <= MOST_READY_MS && errorCount === 0;
  if (!isWell) {
    process.stdout.write(
      `Not as claimed: at most ${seconds(MOST_BACK_MS)} and ${seconds(MOST_READY_MS)}, without a failed request.\n`,
    );
    process.exitCode = 1;
  }
}

function formatStages({ stageMeansMs }: Adoptions): string {
  return [...stageMeansMs].map(([stage, ms]) => `${stage} ${ms.toFixed(0)} ms`).join(', ');
}

function tell(event: { type: string; text?: string }): void {
  if (event.type === 'progress') process.stderr.write(`${event.text}\n`);
}
