/** The whole: two real Kafka clusters with their bridges, a gateway, and for each cluster a program that runs a real MirrorMaker towards it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { type JavaRuntime, javaArguments, resolveMirrorRuntime } from '@causeway/lab/stack/kafka-runtime.ts';
import { mirrorMakerProperties } from '@causeway/lab/stack/mirror-maker.ts';
import { findFreePorts } from '@causeway/lab/stack/ports.ts';
import { Reaper } from '@causeway/lab/stack/process.ts';
import type { KafkaClusters } from '@causeway/protocol/admin/model.ts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ask } from '../../../test/harness/admin.ts';
import { TestBridge } from '../../../test/harness/bridge.ts';
import { regions, startGateway, TEST_TOKEN, type TestGateway } from '../../../test/harness/gateway.ts';
import { KafkaView } from '../../../test/harness/kafka-view.ts';
import { type OwnKafka, QUICK_RESTART, startOwnKafka } from '../../../test/harness/own-kafka.ts';
import { until } from '../../../test/harness/until.ts';

type Name = 'east' | 'west';

interface Side {
  name: Name;
  kafka: OwnKafka;
  view: KafkaView;
  bridge: TestBridge;
}

const MAIN = fileURLToPath(new URL('../src/main.ts', import.meta.url));
const OTHER = { east: 'west', west: 'east' } as const;

let directory: string;
let reaper: Reaper;
let sides: Record<Name, Side>;
let gateway: TestGateway;
let programs: Record<Name, Program>;

/** Fills one cluster. */
class Program {
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown>;
  /** Of MirrorMaker, as it was started last. */
  pid = 0;

  constructor(target: Name, { command, classPath, loggingOption }: JavaCommand) {
    const java = [command, '-Xmx256m', loggingOption, ...classPath, 'org.apache.kafka.connect.mirror.MirrorMaker'];
    const file = join(directory, '{source}-{target}.properties');
    const options = ['--target', target, '--interval-ms', '200', '--url', gateway.adminUrl, '--token', TEST_TOKEN];
    const stdio = ['ignore', 'pipe', 'ignore'] as const;
    this.#child = spawn(process.execPath, [MAIN, ...options, '--', ...java, file], { stdio: [...stdio] });
    this.#exited = once(this.#child, 'exit');
    this.#child.stdout?.on('data', (chunk) => {
      const [, pid] =
        /"pid":(\d+),"msg":"MirrorMaker started"/.exec(String(chunk).replace(/"pid":\d+,"hostname"/, '')) ?? [];
      if (pid !== undefined) this.pid = Number(pid);
    });
  }

  async close(): Promise<void> {
    this.#child.kill('SIGTERM');
    await this.#exited;
  }
}

interface JavaCommand {
  command: string;
  classPath: string[];
  loggingOption: string;
}

function commandOf(runtime: JavaRuntime): JavaCommand {
  return { command: runtime.command, classPath: javaArguments(runtime), loggingOption: runtime.loggingOption };
}

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'causeway-follow-'));
  reaper = new Reaper();
  const ports = await findFreePorts(4);
  const kafkaOf = (first: number): Promise<OwnKafka> =>
    startOwnKafka({ brokerCount: 1, ports: ports.slice(first, first + 2), properties: QUICK_RESTART });
  const [eastKafka, westKafka] = await Promise.all([kafkaOf(0), kafkaOf(2)]);
  const kafkas = { east: eastKafka, west: westKafka };
  const bootstrapOf = (name: Name): string => kafkas[name].cluster.bootstrap;
  const sideOf = async (name: Name): Promise<Side> => ({
    name,
    kafka: kafkas[name],
    view: await KafkaView.connect(bootstrapOf(name)),
    bridge: await TestBridge.start(bootstrapOf(name), {
      bridge: { name: 'b', region: name },
      kafka: { cluster: name, requestTimeoutMs: 10_000 },
      clusters: {
        peer: { name: OTHER[name], bootstrapServers: [bootstrapOf(OTHER[name])] },
        leaseMs: 400,
        switchOverTimeoutMs: 20_000,
      },
    }),
  });
  const [east, west] = await Promise.all([sideOf('east'), sideOf('west')]);
  sides = { east, west };
  await east.view.createTopic('orders');
  gateway = await startGateway({
    regions: regions({ east: east.bridge.url, west: west.bridge.url }),
    clusters: { active: 'east', members: ['east', 'west'].map((name) => ({ name, regions: [name] })) },
  });
  const runtime = await resolveMirrorRuntime({ onProgress: () => {}, reaper });
  for (const target of ['east', 'west'] as const) {
    const source = OTHER[target];
    const [from, to] = [source, target].map((name) => ({ name, bootstrap: bootstrapOf(name as Name) }));
    if (from === undefined || to === undefined) throw new Error('two clusters');
    const properties = mirrorMakerProperties(
      { source: from, target: to, directory, runtime, reaper },
      `mirror-${target}`,
    );
    const lines = Object.entries(properties).map(([key, value]) => `${key}=${value.replaceAll('\\', '\\\\')}\n`);
    writeFileSync(join(directory, `${source}-${target}.properties`), lines.join(''));
  }
  const command = commandOf(runtime);
  programs = { east: new Program('east', command), west: new Program('west', command) };
}, 400_000);

afterAll(async () => {
  await Promise.all(Object.values(programs ?? {}).map((program) => program.close()));
  await gateway?.close();
  await Promise.all(Object.values(sides ?? {}).map(({ bridge }) => bridge.close()));
  await Promise.all(Object.values(sides ?? {}).map(({ view }) => view.close()));
  await Promise.all(Object.values(sides ?? {}).map(({ kafka }) => kafka.close()));
  await reaper?.close();
  rmSync(directory, { recursive: true, force: true });
});

/** Through the gateway, to whichever cluster is active. */
async function produce(...values: string[]): Promise<void> {
  const response = await fetch(`${gateway.url}/topics/orders`, {
    method: 'POST',
    headers: { 'content-type': 'application/vnd.kafka.json.v2+json' },
    body: JSON.stringify({ records: values.map((value) => ({ value })) }),
  });
  expect(response.status).toBe(200);
  await response.arrayBuffer();
}

async function valuesIn(name: Name): Promise<string[]> {
  const { view } = sides[name];
  const [ends] = await view.admin.fetchTopicOffsets('orders');
  return (await view.read('orders', Number(ends?.high))).map(({ value }) => String(JSON.parse(String(value))));
}

/** `isRepeated`: whether a record may be there twice: a MirrorMaker that was killed copies its last ones again. */
async function untilBothHave(values: readonly string[], { isRepeated = false } = {}): Promise<void> {
  for (const name of ['east', 'west'] as const) {
    await until(`${name} has ${values.at(-1)}`, async () => (await valuesIn(name)).at(-1) === values.at(-1));
    const found = await valuesIn(name);
    expect(isRepeated ? [...new Set(found)] : found).toEqual(values);
  }
}

async function change(path: string): Promise<void> {
  let message: unknown;
  // It is refused while replication has not caught up.
  await until(path, async () => {
    const answer = await ask(`${gateway.adminUrl}/api/clusters/${path}`, { method: 'POST' });
    message = answer.body;
    return answer.status === 200;
  }).catch((cause: unknown) => {
    throw new Error(`${path}: ${JSON.stringify(message)}`, { cause });
  });
}

test('MirrorMaker turns with each switch-over, there and back, and each record is in both clusters once', async () => {
  await until('topic orders is copied', async () => (await sides.west.view.admin.listTopics()).includes('orders'));
  await produce('a', 'b');
  await untilBothHave(['a', 'b']);
  await change('west/promote');
  await produce('c');
  await untilBothHave(['a', 'b', 'c']);
  await change('east/promote');
  await produce('d');
  await untilBothHave(['a', 'b', 'c', 'd']);
}, 180_000);

test('a MirrorMaker that is killed is started again', async () => {
  const killed = programs.west.pid;
  process.kill(killed, 'SIGKILL');
  await produce('e');
  await untilBothHave(['a', 'b', 'c', 'd', 'e'], { isRepeated: true });
  expect(programs.west.pid).not.toBe(killed);
}, 120_000);

test('a lost cluster that rejoins is filled again, without another step', async () => {
  await sides.east.kafka.cluster.killBroker(1);
  await change('west/promote');
  await produce('f');
  await sides.east.kafka.cluster.restartBroker(1);
  const modeOfEast = async (): Promise<string | undefined> => {
    const { body } = await ask(`${gateway.adminUrl}/api/clusters`);
    return (body as KafkaClusters).members.find(({ name }) => name === 'east')?.mode;
  };
  await until('east is fenced', async () => (await modeOfEast()) === 'fenced');
  await change('east/rejoin');
  await untilBothHave(['a', 'b', 'c', 'd', 'e', 'f'], { isRepeated: true });
}, 180_000);
