/** A whole run: the system, its good clients, a calm period, one attack after the other, the verdict. */
import { randomBytes } from 'node:crypto';
import { cpSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { Operator } from '../chaos/operator.ts';
import { ensureTopics } from '../stack/kafka.ts';
import { findStackPorts } from '../stack/ports.ts';
import { REGION_NAMES } from '../stack/regions.ts';
import { type Stack, startStack } from '../stack/stack.ts';
import type { Address } from './address.ts';
import type { Attack } from './attack.ts';
import type { AttackerData, FromAttacker, ToAttacker } from './attacker-messages.ts';
import { GoodClients, PARTITION_COUNT } from './good-clients.ts';
import { damageOf, type Measured } from './verdict.ts';
import { Watch, type Watched } from './watch.ts';

const CONFIG = fileURLToPath(new URL('../../../../config', import.meta.url));
const ATTACKER = new URL('./attacker.ts', import.meta.url);

/** Warm-up: the first records of new consumers take longer. */
const WARM_UP_MS = 2_000;
/** Calm period before the first attack, for comparison. */
const CALM_MS = 4_000;
/** Time after each attack in which its effects show, such as an open breaker. */
const AFTERMATH_MS = 1_000;
const MIN_ATTACK_MS = 2_000;
/** Time until an attack that does not end is aborted; its requests have their own limits. */
const ATTACK_GRACE_MS = 90_000;

export interface RunOptions {
  attacks: readonly Attack[];
  seed: number;
  /** Of all attacks together. */
  seconds: number;
  /** For logs, YAML and Kafka's data; absolute. */
  directory: string;
  /** TLS on every hop. Default: false. */
  isSecure?: boolean | undefined;
  /** An existing Kafka, for attacks that do not touch Kafka; not with `isSecure`. */
  bootstrap?: string | undefined;
  onResult?: ((result: AttackResult) => void) | undefined;
}

export interface AttackResult extends Measured {
  /** `calm` for the time before the first attack. */
  name: string;
  faults: string[];
}

export interface RunResult {
  results: AttackResult[];
  /** Of the whole run: records lost, or stored twice. */
  faults: string[];
}

/** Errors: those of `startStack`, and of the good clients' start; after everything is stopped. */
export async function runAttacks(options: RunOptions): Promise<RunResult> {
  const { directory, bootstrap, isSecure = false } = options;
  const configDirectory = join(directory, 'config');
  mkdirSync(directory, { recursive: true });
  cpSync(join(CONFIG, isSecure ? 'secure' : 'demo'), configDirectory, { recursive: true });
  const stack = await startStack({ configDirectory, directory, ports: await findStackPorts(), bootstrap, isSecure });
  try {
    await new Operator(stack, undefined).awaitWell();
    return await attack(stack, options);
  } finally {
    await stack.close();
  }
}

async function attack(stack: Stack, options: RunOptions): Promise<RunResult> {
  const { attacks, seconds, onResult } = options;
  const topic = `good-${randomBytes(4).toString('hex')}`;
  await ensureTopics(stack.kafka.access, [{ name: topic, partitionCount: PARTITION_COUNT }]);
  const good = new GoodClients({ url: stack.tier1.url, tls: stack.credentials?.lab, kafka: stack.kafka.access, topic });
  const watch = new Watch(watched(stack));
  const results: AttackResult[] = [];
  const add = (result: AttackResult): void => {
    results.push(result);
    onResult?.(result);
  };
  try {
    await good.start();
    watch.start();
    await delay(WARM_UP_MS);
    const calm = await measure(good, watch, () => delay(CALM_MS));
    add({ name: 'calm', ...calm.measured, faults: damageOf(calm.measured, calm.measured.window) });
    for (const scenario of attacks) {
      const share = (seconds * 1_000) / attacks.length - AFTERMATH_MS;
      const durationMs = Math.max(MIN_ATTACK_MS, scenario.minDurationMs ?? 0, share);
      const data = await prepare(stack, { seed: options.seed, attack: scenario, durationMs });
      const { measured, value } = await measure(good, watch, async () => {
        const found = await play(stack, { ...data, calmMs: calm.measured.window.p99Ms });
        await delay(AFTERMATH_MS);
        return found;
      });
      const damage = damageOf(measured, calm.measured.window, scenario.allowed);
      add({ name: scenario.name, ...measured, faults: [...value, ...damage] });
    }
    const { notStored, storedTwice, undelivered } = await good.finish();
    const counts = {
      'acknowledged records are not in Kafka': notStored,
      'records are stored more than once': storedTwice,
      'acknowledged records were not delivered to every group': undelivered,
    };
    return {
      results,
      faults: Object.entries(counts).flatMap(([what, count]) => (count > 0 ? [`${count} ${what}`] : [])),
    };
  } finally {
    await watch.close();
    await good.close();
  }
}

async function measure<Value>(
  { books }: GoodClients,
  watch: Watch,
  work: () => Promise<Value>,
): Promise<{ measured: Measured; value: Value }> {
  const own = monitorEventLoopDelay({ resolution: 10 });
  await watch.openWindow();
  books.openWindow();
  own.enable();
  const value = await work();
  own.disable();
  const window = books.closeWindow();
  return { measured: { window, vitals: await watch.closeWindow(), ownLateMs: own.max / 1e6 }, value };
}

async function prepare(
  stack: Stack,
  { seed, attack: { name }, durationMs }: { seed: number; attack: Attack; durationMs: number },
): Promise<Omit<AttackerData, 'calmMs'>> {
  const id = `${name}-${randomBytes(3).toString('hex')}`;
  await ensureTopics(stack.kafka.access, [{ name: id, partitionCount: 3 }]);
  const regions = REGION_NAMES.map((region) => stack.regions[region]);
  const bridges = regions.map(({ bridge }) => addressOf(stack, bridge));
  const gateways = regions.map(({ gateway }) => gateway);
  return {
    attackName: name,
    topic: id,
    id,
    seed,
    durationMs,
    tier1: addressOf(stack, stack.tier1),
    behind: [...gateways.map((gateway) => addressOf(stack, gateway)), ...bridges],
    admins: [stack.tier1, ...gateways].map(({ name, admin }) => addressOf(stack, { name, url: admin })),
  };
}

/** Plays the attack in its own thread; returns its findings. */
async function play(stack: Stack, data: AttackerData): Promise<string[]> {
  const { promise, resolve } = Promise.withResolvers<string[]>();
  const worker = new Worker(ATTACKER, { workerData: data });
  const answer = (message: ToAttacker): void => worker.postMessage(message);
  const signal = (name: 'SIGSTOP' | 'SIGCONT'): void => {
    for (const broker of stack.kafka.brokers) broker.process.signal(name);
  };
  worker.on('message', (message: FromAttacker) => {
    if (message.kind === 'finished') return resolve(message.faults);
    signal(message.kind === 'freeze' ? 'SIGSTOP' : 'SIGCONT');
    answer({ kind: 'done' });
  });
  worker.on('error', (error) => resolve([`the attacker failed: ${String(error)}`]));
  const timer = setTimeout(
    () => resolve([`the attack did not end within ${Math.round((data.durationMs + ATTACK_GRACE_MS) / 1_000)} s`]),
    data.durationMs + ATTACK_GRACE_MS,
  );
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    await worker.terminate();
    signal('SIGCONT');
  }
}

function watched(stack: Stack): Watched[] {
  return stack.services.map((service) => ({
    name: service.name,
    url: `${'admin' in service ? service.admin : service.url}/metrics`,
    token: 'admin' in service ? stack.adminToken : undefined,
    agent: stack.agent,
    pid: () => service.pid,
  }));
}

function addressOf({ credentials }: Stack, { name, url }: { name: string; url: string }): Address {
  const { hostname, port } = new URL(url);
  return { name, host: hostname, port: Number(port), tls: credentials?.lab };
}
