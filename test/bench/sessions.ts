/** Consumers that have joined their groups and wait: their cost for one bridge, and the latency of a new consumer. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { BRIDGE_NODE_OPTIONS } from '@causeway/bridge/node-options.ts';
import { ensureTopics, startKafka } from '@causeway/lab/stack/kafka.ts';
import { findFreePorts } from '@causeway/lab/stack/ports.ts';
import { LabProcess, Reaper } from '@causeway/lab/stack/process.ts';
import { type BridgeClient, bridgeClient, createConsumer, deleteConsumer, pollOnce } from './bridge-clients.ts';
import { usageOf } from './process-usage.ts';
import { percentile } from './statistics.ts';

/** Allowed cost of 10,000 joined consumers. */
export const BOUNDS = { corePercent: 30, residentMiB: 700, createMedianMs: 20 } as const;

const JOINING_AT_ONCE = 20;
/** Long enough for most to join; the others join later. */
const JOIN_POLL_MS = 500;
/** Time until the joins have settled: fetches that a broker holds, idle connections. */
const SETTLE_MS = 45_000;
const IDLE_MS = 30_000;
const CREATE_COUNT = 200;
const CREATE_PAUSE_MS = 50;
const MIB = 1_048_576;

export interface SessionsBench {
  consumerCount: number;
  /** Default: {@link SETTLE_MS}. */
  settleMs?: number;
}

export async function benchSessions({ consumerCount, settleMs = SETTLE_MS }: SessionsBench): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'causeway-bench-'));
  const reaper = new Reaper();
  const kafka = await startKafka({
    brokerCount: 1,
    isSustained: true,
    ports: await findFreePorts(2),
    directory: join(directory, 'kafka'),
    reaper,
    onProgress: progress,
  });
  try {
    await ensureTopics(kafka.bootstrap, [{ name: 'quiet', partitionCount: 1 }]);
    const { port, child } = await startBridge(directory, { bootstrap: kafka.bootstrap, reaper, consumerCount });
    const client = bridgeClient(port);
    await joinAll(client, consumerCount);
    progress(`${consumerCount} consumers joined; waiting ${settleMs / 1000} s`);
    await delay(settleMs);
    const { usage } = await usageOf(child.pid, () => delay(IDLE_MS));
    const { usage: creating, result: createMs } = await usageOf(child.pid, () => measureCreates(client));
    await client.agent.destroy();
    await child.stop();
    print(consumerCount, {
      corePercent: (100 * usage.cpuSeconds) / usage.wallSeconds,
      residentMiB: Math.max(usage.residentBytes, creating.residentBytes) / MIB,
      createMedianMs: percentile(createMs, 50),
    });
  } finally {
    await kafka.kill();
    await reaper.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

async function startBridge(
  directory: string,
  { bootstrap, reaper, consumerCount }: { bootstrap: string; reaper: Reaper; consumerCount: number },
): Promise<{ port: number; child: LabProcess }> {
  const [port = 0] = await findFreePorts(1);
  const file = join(directory, 'bridge.yaml');
  const config = {
    bridge: { name: 'bench', region: 'bench' },
    listen: { port },
    kafka: { bootstrapServers: [bootstrap] },
    // None expires, and the limit leaves room for the consumers that are created during the measurement.
    consumers: { maxCount: 2 * consumerCount + CREATE_COUNT, inactivityTimeoutMs: 7_200_000 },
  };
  // JSON is YAML.
  writeFileSync(file, JSON.stringify(config));
  const profiling = process.env['CAUSEWAY_BENCH_NODE_ARGS']?.split(' ') ?? [];
  const main = fileURLToPath(new URL('../../packages/bridge/src/main.ts', import.meta.url));
  const child = await LabProcess.start({
    name: 'bridge',
    command: process.execPath,
    reaper,
    logFile: join(directory, 'bridge.log'),
    args: [...BRIDGE_NODE_OPTIONS, ...profiling, main, '--config', file],
  });
  const isReady = async (): Promise<boolean> => {
    const answer = await fetch(`http://127.0.0.1:${port}/ready`).catch(() => undefined);
    await answer?.arrayBuffer();
    return answer?.status === 200;
  };
  await child.waitUntilReady(isReady, { timeoutMs: 60_000 });
  return { port, child };
}

/** Kafka may be busy with earlier groups: then tries another group. Errors: those of the last attempt. */
const JOIN_ATTEMPTS = 5;

/** Each is the only member of its group, as most consumers of a REST API are. */
async function joinAll(client: BridgeClient, count: number): Promise<void> {
  let next = 0;
  const joinSome = async (): Promise<void> => {
    for (let index = next++; index < count; index = next++) {
      await joinOne(client, index);
      if (index % 1000 === 999) progress(`${index + 1} consumers`);
    }
  };
  await Promise.all(Array.from({ length: JOINING_AT_ONCE }, joinSome));
}

async function joinOne(client: BridgeClient, index: number): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await pollOnce(client, await createConsumer(client, `group-${index}-${attempt}`, 'quiet'), JOIN_POLL_MS);
      return;
    } catch (error) {
      if (attempt === JOIN_ATTEMPTS) throw error;
    }
  }
}

/** Durations of creates, one after another, beside the other consumers. */
async function measureCreates(client: BridgeClient): Promise<number[]> {
  const durationsMs: number[] = [];
  for (let index = 0; index < CREATE_COUNT; index += 1) {
    const startedAtMs = performance.now();
    const consumer = await createConsumer(client, `new-${index}`, undefined);
    durationsMs.push(performance.now() - startedAtMs);
    await deleteConsumer(client, consumer);
    await delay(CREATE_PAUSE_MS);
  }
  return durationsMs.sort((a, b) => a - b);
}

function print(consumerCount: number, measured: Record<keyof typeof BOUNDS, number>): void {
  process.stdout.write(`${consumerCount} joined consumers on one bridge\n`);
  const names = { corePercent: '% of a core', residentMiB: 'MiB resident', createMedianMs: 'ms, median of creates' };
  for (const key of ['corePercent', 'residentMiB', 'createMedianMs'] as const) {
    const isMet = measured[key] < BOUNDS[key];
    if (!isMet) process.exitCode = 1;
    process.stdout.write(
      `  ${measured[key].toFixed(1)} ${names[key]} (below ${BOUNDS[key]}: ${isMet ? 'yes' : 'no'})\n`,
    );
  }
}

function progress(text: string): void {
  process.stderr.write(`${text}\n`);
}
