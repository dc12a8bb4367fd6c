import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Admin, Kafka } from 'kafkajs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type OwnKafka, QUICK_RESTART, startOwnKafka } from '../../../../test/harness/own-kafka.ts';
import { until } from '../../../../test/harness/until.ts';
import { independentClient } from './kafka-client.ts';
import { resolveMirrorRuntime } from './kafka-runtime.ts';
import type { NamedCluster } from './mirror-maker.ts';
import { findFreePorts } from './ports.ts';
import { type ProcessEvent, Reaper } from './process.ts';
import { Replication } from './replication.ts';

/** A cluster with a topic of one partition, and an independent client. */
class Cluster implements NamedCluster {
  readonly name: string;
  readonly kafka: OwnKafka;
  readonly admin: Admin;
  readonly #client: Kafka;

  constructor(name: string, kafka: OwnKafka) {
    this.name = name;
    this.kafka = kafka;
    this.#client = independentClient(this.bootstrap);
    this.admin = this.#client.admin();
  }

  get bootstrap(): string {
    return this.kafka.cluster.bootstrap;
  }

  async produce(topic: string, values: readonly string[]): Promise<void> {
    const producer = this.#client.producer({ idempotent: true });
    await producer.connect();
    await producer.send({ topic, messages: values.map((value) => ({ value })) });
    await producer.disconnect();
  }

  async values(topic: string): Promise<string[]> {
    const [bounds] = await this.admin.fetchTopicOffsets(topic);
    const consumer = this.#client.consumer({ groupId: `reader-${Math.random()}` });
    const values: string[] = [];
    const { promise, resolve } = Promise.withResolvers<void>();
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: true });
    await consumer.run({
      eachMessage: async ({ message }) => {
        values.push(message.value?.toString() ?? '');
        if (Number(message.offset) + 1 >= Number(bounds?.high)) resolve();
      },
    });
    await promise;
    await consumer.disconnect();
    return values;
  }

  async end(topic: string): Promise<number> {
    const topics = await this.admin.listTopics();
    if (!topics.includes(topic)) return 0;
    const [bounds] = await this.admin.fetchTopicOffsets(topic);
    return Number(bounds?.high);
  }
}

const numbered = (prefix: string, count: number): string[] => Array.from({ length: count }, (_, i) => `${prefix}${i}`);

let directory: string;
let reaper: Reaper;
let east: Cluster;
let west: Cluster;
let replication: Replication;
const events: ProcessEvent[] = [];
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'causeway-replication-'));
  reaper = new Reaper();
  const ports = await findFreePorts(4);
  const start = (index: number): Promise<OwnKafka> =>
    startOwnKafka({ brokerCount: 1, ports: ports.slice(index, index + 2), properties: QUICK_RESTART });
  const [eastKafka, westKafka] = await Promise.all([start(0), start(2)]);
  east = new Cluster('east', eastKafka);
  west = new Cluster('west', westKafka);
  await Promise.all([east.admin.connect(), west.admin.connect()]);
  const runtime = await resolveMirrorRuntime({ onProgress: () => {}, reaper });
  replication = new Replication({ directory, runtime, reaper, onEvent: (event) => events.push(event) });
});
afterAll(async () => {
  await replication?.stop();
  await Promise.all([east, west].map((cluster) => cluster?.admin.disconnect()));
  await Promise.all([east, west].map((cluster) => cluster?.kafka.close()));
  await reaper.close();
  rmSync(directory, { recursive: true, force: true });
});

async function untilCopied(topic: string, { from, to }: { from: Cluster; to: Cluster }): Promise<void> {
  const end = await from.end(topic);
  await until(`${to.name} has ${topic} up to ${end}`, async () => (await to.end(topic)) >= end);
}

test('a cluster that dies while it is filled from another one gets the rest later', async () => {
  await east.admin.createTopics({ topics: ['orders', 'quiet'].map((topic) => ({ topic, numPartitions: 1 })) });
  await east.produce('quiet', numbered('q', 10));
  await east.produce('orders', numbered('a', 100));
  await replication.start({ source: east, target: west });
  await untilCopied('orders', { from: east, to: west });

  await west.kafka.cluster.killBroker(1);
  await east.produce('orders', numbered('b', 100));
  await west.kafka.cluster.restartBroker(1);
  await untilCopied('orders', { from: east, to: west });

  // MirrorMaker repeats what it wrote just before, at most.
  expect([...new Set(await west.values('orders'))]).toEqual([...numbered('a', 100), ...numbered('b', 100)]);
  expect(events.filter(({ type }) => type === 'started')).toHaveLength(1);
});
