/** Bridges of two real Kafka clusters behind one gateway, and the program beside each of them that fills it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import type { KafkaClusters } from '@causeway/protocol/admin/model.ts';
import { expect } from 'vitest';
import { ask } from '../../../test/harness/admin.ts';
import { TestBridge } from '../../../test/harness/bridge.ts';
import { regions, startGateway, TEST_TOKEN, type TestGateway } from '../../../test/harness/gateway.ts';
import { KafkaView } from '../../../test/harness/kafka-view.ts';
import type { OwnKafka } from '../../../test/harness/own-kafka.ts';
import { until } from '../../../test/harness/until.ts';

export type Name = 'east' | 'west';
export const NAMES = ['east', 'west'] as const;
export const OTHER = { east: 'west', west: 'east' } as const;

const MAIN = fileURLToPath(new URL('../src/main.ts', import.meta.url));

/** `npm run mirror-maker`. */
export class Program {
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown>;
  #output = '';

  /** `way`: the arguments that say how MirrorMaker runs. */
  constructor(target: Name, { adminUrl }: TestGateway, way: readonly string[]) {
    const options = ['--target', target, '--interval-ms', '200', '--url', adminUrl, '--token', TEST_TOKEN];
    this.#child = spawn(process.execPath, [MAIN, ...options, ...way], { stdio: ['ignore', 'pipe', 'inherit'] });
    this.#exited = once(this.#child, 'exit');
    this.#child.stdout?.on('data', (chunk) => {
      this.#output += String(chunk);
    });
  }

  get log(): { time: number; msg: string; pid?: number }[] {
    // What Java writes is between its lines.
    const lines = this.#output
      .split('\n')
      .slice(0, -1)
      .filter((line) => line.startsWith('{"level":'));
    return lines.map((line) => JSON.parse(line) as { time: number; msg: string });
  }

  async close(): Promise<void> {
    this.#child.kill('SIGTERM');
    await this.#exited;
  }
}

/** MirrorMaker ran towards these clusters, in this order, and towards one only after it had ended towards the other. */
export function expectTurns(programs: Readonly<Record<Name, Program>>, expected: readonly Name[]): void {
  const lines = NAMES.flatMap((name) => programs[name].log.map(({ time, msg }) => ({ time, msg, name })));
  const turns: Name[] = [];
  let running: Name | undefined;
  for (const { msg, name } of lines.toSorted((a, b) => a.time - b.time)) {
    if (msg === 'MirrorMaker does not run' && running === name) running = undefined;
    // A process, or several connectors one after another.
    if (msg !== 'MirrorMaker started' && msg !== 'MirrorMaker resume') continue;
    expect([undefined, name], JSON.stringify(lines)).toContain(running);
    if (running === undefined) turns.push(name);
    running = name;
  }
  expect(turns).toEqual(expected);
}

export class TwoClusters {
  readonly gateway: TestGateway;
  readonly views: Readonly<Record<Name, KafkaView>>;
  readonly #bridges: readonly TestBridge[];

  private constructor(gateway: TestGateway, views: Record<Name, KafkaView>, bridges: readonly TestBridge[]) {
    this.gateway = gateway;
    this.views = views;
    this.#bridges = bridges;
  }

  /** East is active, and has a topic `orders`. */
  static async start(kafkas: Readonly<Record<Name, OwnKafka>>): Promise<TwoClusters> {
    const bootstrapOf = (name: Name): string => kafkas[name].cluster.bootstrap;
    const startBridge = (name: Name): Promise<TestBridge> =>
      TestBridge.start(bootstrapOf(name), {
        bridge: { name: 'b', region: name },
        kafka: { cluster: name, requestTimeoutMs: 10_000 },
        clusters: {
          peer: { name: OTHER[name], bootstrapServers: [bootstrapOf(OTHER[name])] },
          leaseMs: 400,
          switchOverTimeoutMs: 20_000,
        },
      });
    const [east, west] = await Promise.all([startBridge('east'), startBridge('west')]);
    const views = {
      east: await KafkaView.connect(bootstrapOf('east')),
      west: await KafkaView.connect(bootstrapOf('west')),
    };
    await views.east.createTopic('orders');
    const gateway = await startGateway({
      regions: regions({ east: east.url, west: west.url }),
      clusters: { active: 'east', members: NAMES.map((name) => ({ name, regions: [name] })) },
    });
    return new TwoClusters(gateway, views, [east, west]);
  }

  async close(): Promise<void> {
    await this.gateway.close();
    await Promise.all(this.#bridges.map((bridge) => bridge.close()));
    await Promise.all(NAMES.map((name) => this.views[name].close()));
  }

  async untilOrdersIsCopied(): Promise<void> {
    await until('topic orders is copied', async () => (await this.views.west.admin.listTopics()).includes('orders'));
  }

  /** Through the gateway, to whichever cluster is active. */
  async produce(...values: string[]): Promise<void> {
    const response = await fetch(`${this.gateway.url}/topics/orders`, {
      method: 'POST',
      headers: { 'content-type': 'application/vnd.kafka.json.v2+json' },
      body: JSON.stringify({ records: values.map((value) => ({ value })) }),
    });
    expect(response.status).toBe(200);
    await response.arrayBuffer();
  }

  async valuesIn(name: Name): Promise<string[]> {
    const view = this.views[name];
    const [ends] = await view.admin.fetchTopicOffsets('orders');
    return (await view.read('orders', Number(ends?.high))).map(({ value }) => String(JSON.parse(String(value))));
  }

  /** `isRepeated`: whether a record may be there twice: a MirrorMaker that was killed copies its last ones again. */
  async untilBothHave(values: readonly string[], { isRepeated = false } = {}): Promise<void> {
    for (const name of NAMES) {
      await until(`${name} has ${values.at(-1)}`, async () => (await this.valuesIn(name)).at(-1) === values.at(-1));
      const found = await this.valuesIn(name);
      expect(isRepeated ? [...new Set(found)] : found).toEqual(values);
    }
  }

  /** Records a to d, of which the first two stand in east before, c in west, and d in east again. */
  async switchOverAndBack(): Promise<void> {
    await this.untilOrdersIsCopied();
    await this.produce('a', 'b');
    await this.untilBothHave(['a', 'b']);
    await this.change('west/promote');
    await this.produce('c');
    await this.untilBothHave(['a', 'b', 'c']);
    await this.change('east/promote');
    await this.produce('d');
    await this.untilBothHave(['a', 'b', 'c', 'd']);
  }

  /** `POST /api/clusters/PATH`, until it is accepted: it is refused while replication has not caught up. */
  async change(path: string): Promise<void> {
    let message: unknown;
    await until(path, async () => {
      const answer = await ask(`${this.gateway.adminUrl}/api/clusters/${path}`, { method: 'POST' });
      message = answer.body;
      return answer.status === 200;
    }).catch((cause: unknown) => {
      throw new Error(`${path}: ${JSON.stringify(message)}`, { cause });
    });
  }

  async untilMode(name: Name, mode: string): Promise<void> {
    await until(`${name} is ${mode}`, async () => {
      const { body } = await ask(`${this.gateway.adminUrl}/api/clusters`);
      return (body as KafkaClusters).members.find((member) => member.name === name)?.mode === mode;
    });
  }
}
