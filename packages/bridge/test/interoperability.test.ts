/** The bridge beside other Kafka clients: keys, groups and records that are shared with librdkafka and kafkajs. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { independentClient } from '@causeway/lab/stack/kafka-client.ts';
import kafkajs from 'kafkajs';
import { describe, expect, inject, onTestFinished, test } from 'vitest';
import { bridgeOfFile, type ConsumedJson, kafkaOfFile, type TestConsumer } from '../../../test/harness/bridge.ts';
import { hasDebianTool } from '../../../test/harness/debian-tool.ts';
import { unique } from '../../../test/harness/kafka-view.ts';
import { until } from '../../../test/harness/until.ts';

const hasKcat = hasDebianTool('kcat', '-V');
const SKIPPED = '(skipped without the Debian package kcat)';
const PARTITION_COUNT = 4;
const JOIN_TIMEOUT_MS = 60_000;

const kafka = await kafkaOfFile();
const bridge = await bridgeOfFile();

/** Runs kcat to its end. */
function kcat(args: string[], input = ''): string {
  const { stdout, stderr, status } = spawnSync('kcat', ['-b', inject('kafkaBootstrap'), ...args], {
    input,
    encoding: 'utf8',
    timeout: 20_000,
  });
  if (status !== 0) throw new Error(`kcat ${args.join(' ')}: ${stderr}`);
  return stdout;
}

function numbered(first: number, count: number): number[] {
  return Array.from({ length: count }, (_, index) => first + index);
}

describe('a key goes where Kafka clients in Java send it', () => {
  test.skipIf(!hasKcat)(`as kcat does with murmur2 ${SKIPPED}`, async () => {
    const topic = await kafka.topic(7);
    const keys = Array.from({ length: 100 }, (_, index) => `key ${index}${'ü'.repeat(index % 4)}`);
    const lines = keys.map((key) => `${key}\tkcat\n`).join('');
    kcat(['-P', '-t', topic, '-K', '\t', '-X', 'partitioner=murmur2_random'], lines);
    const { body } = await bridge.produce(
      topic,
      { records: keys.map((key) => ({ key, value: 'bridge' })) },
      { format: 'text' },
    );
    const consumer = await bridge.consumer(unique('group'), 'c', [topic], { format: 'text' });
    const chosen = new Map(
      (await consumer.take(200))
        .filter(({ value }) => value === 'kcat')
        .map(({ key, partition }) => [key, partition] as const),
    );
    expect(body.offsets.map(({ partition }: ConsumedJson) => partition)).toEqual(keys.map((key) => chosen.get(key)));
  });
});

describe('records', () => {
  test.skipIf(!hasKcat).each(['none', 'gzip', 'snappy', 'lz4', 'zstd'])(
    `that kcat writes are read with keys and headers: %s ${SKIPPED}`,
    async (compression) => {
      const topic = await kafka.topic();
      const lines = numbered(0, 50).map((index) => `k${index}\tvalue ${index} ${'x'.repeat(100)}\n`);
      const headers = ['-H', 'first=1', '-H', 'second=ü', '-H', 'first=again'];
      kcat(['-P', '-t', topic, '-K', '\t', '-z', compression, ...headers], lines.join(''));
      const consumer = await bridge.consumer(unique('group'), 'c', [topic], { format: 'text' });
      const records = await consumer.take(50);
      expect(records.map(({ key, value }) => `${key}\t${value}\n`)).toEqual(lines);
      expect(
        records[7]?.headers?.map(({ key, value }) => [key, Buffer.from(value ?? '', 'base64').toString()]),
      ).toEqual([
        ...[
          ['first', '1'],
          ['second', 'ü'],
          ['first', 'again'],
        ],
      ]);
    },
  );

  test.skipIf(!hasKcat)(`that the bridge writes are read by kcat ${SKIPPED}`, async () => {
    const topic = await kafka.topic();
    const base64 = (text: string): string => Buffer.from(text).toString('base64');
    await bridge.produce(topic, {
      records: [
        {
          key: 'k',
          value: { a: [1, 'ü'] },
          headers: [
            { key: 'h', value: base64('1') },
            { key: 'h', value: base64('2') },
          ],
        },
        { value: 'no key', timestamp: 1_700_000_000_000 },
        { key: 'gone', value: null },
      ],
    });
    const text = kcat(['-C', '-t', topic, '-e', '-q', '-Z', '-f', '%p %o %k %s %h %T\n']);
    expect(text.replace(/ \d+$/m, ' TIME').split('\n')).toEqual([
      '0 0 "k" {"a":[1,"ü"]} h=1,h=2 TIME',
      '0 1 NULL "no key"  1700000000000',
      expect.stringMatching(/^0 2 "gone" NULL {2}\d+$/),
      '',
    ]);
  });
});

/** Another client in the group: what it has read, and how to end it in order. */
interface OtherMember {
  readonly values: number[];
  leave(): Promise<void>;
}

function joinKcat(group: string, topic: string, strategy: string): OtherMember {
  const settings = {
    'partition.assignment.strategy': strategy,
    'auto.offset.reset': 'earliest',
    'heartbeat.interval.ms': '200',
    'session.timeout.ms': '6000',
  };
  const options = Object.entries(settings).flatMap(([name, value]) => ['-X', `${name}=${value}`]);
  const child: ChildProcess = spawn(
    'kcat',
    ['-b', inject('kafkaBootstrap'), '-u', '-q', ...options, '-f', '%s\n', '-G', group, topic],
    { stdio: ['ignore', 'pipe', 'ignore'] },
  );
  const values: number[] = [];
  if (child.stdout !== null) createInterface(child.stdout).on('line', (line) => values.push(Number(line)));
  const closed = once(child, 'close');
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  const leave = async (): Promise<void> => {
    child.kill('SIGTERM');
    await closed;
  };
  return { values, leave };
}

async function joinKafkajs(group: string, topic: string, strategy: string): Promise<OtherMember> {
  const { AssignerProtocol, PartitionAssigners } = kafkajs;
  const consumer = independentClient(inject('kafkaBootstrap')).consumer({
    groupId: group,
    heartbeatInterval: 200,
    sessionTimeout: 6000,
    // kafkajs knows the strategy under a name of its own; the bridge's consumer leads the group and assigns.
    partitionAssigners: [
      (config) => ({
        ...PartitionAssigners.roundRobin(config),
        name: strategy,
        protocol: ({ topics }) => ({
          name: strategy,
          metadata: AssignerProtocol.MemberMetadata.encode({ version: 0, topics, userData: Buffer.alloc(0) }),
        }),
      }),
    ],
  });
  const values: number[] = [];
  await consumer.connect();
  onTestFinished(() => consumer.disconnect());
  await consumer.subscribe({ topic, fromBeginning: true });
  await consumer.run({
    eachMessage: async ({ message }) => {
      values.push(Number(message.value));
    },
  });
  return { values, leave: () => consumer.disconnect() };
}

/** A consumer of the bridge that polls until it is ended. */
function keepPolling(consumer: TestConsumer): { values: number[]; end: () => Promise<void> } {
  const values: number[] = [];
  let isOver = false;
  const polling = (async () => {
    while (!isOver) {
      const { status, body } = await consumer.poll('timeout=300');
      if (status !== 200) throw new Error(JSON.stringify(body));
      for (const { value } of body) values.push(value);
    }
  })();
  const end = async (): Promise<void> => {
    isOver = true;
    await polling;
  };
  onTestFinished(end);
  return { values, end };
}

describe('a group that is shared', () => {
  const partners: [
    string,
    string,
    (group: string, topic: string, strategy: string) => OtherMember | Promise<OtherMember>,
  ][] = [
    [`kcat ${SKIPPED}`, 'range', joinKcat],
    [`kcat ${SKIPPED}`, 'roundrobin', joinKcat],
    ['kafkajs', 'range', joinKafkajs],
  ];
  for (const [name, strategy, join] of partners) {
    test.skipIf(!hasKcat && join === joinKcat)(
      `with ${name}, ${strategy}: together they read everything once`,
      async () => {
        const [group, topic] = [unique('shared'), await kafka.topic(PARTITION_COUNT)];
        const write = async (first: number, count: number): Promise<void> => {
          await kafka.write(
            topic,
            numbered(first, count).map((value) => ({ value: `${value}`, partition: value % PARTITION_COUNT })),
          );
        };
        const consumer = await bridge.consumer(group, 'c', [topic]);
        const own = keepPolling(consumer);
        const others: OtherMember[] = [];
        const seen = (): number[] => [...own.values, ...others.flatMap(({ values }) => values)];
        const reads = (count: number): Promise<void> =>
          until(`${count} records were read`, () => seen().length >= count, { timeoutMs: JOIN_TIMEOUT_MS });
        const owns = (count: number): Promise<void> =>
          until(
            `the consumer has ${count} partitions`,
            async () => (await bridge.get(`${consumer.path}/assignments`)).body.partitions.length === count,
            { timeoutMs: JOIN_TIMEOUT_MS },
          );
        await write(0, 40);
        await reads(40);
        const first = await join(group, topic, strategy);
        others.push(first);
        await owns(PARTITION_COUNT / 2);
        await write(40, 40);
        await reads(80);
        expect(first.values.length).toBe(20);
        // The other one goes, and its partitions come back with everything committed.
        await first.leave();
        await owns(PARTITION_COUNT);
        await write(80, 40);
        await reads(120);
        // Another one comes, and takes everything when the bridge's consumer goes.
        const second = await join(group, topic, strategy);
        others.push(second);
        await owns(PARTITION_COUNT / 2);
        await own.end();
        expect((await consumer.delete()).status).toBe(204);
        await write(120, 40);
        await reads(160);
        await second.leave();
        expect(seen().sort((a, b) => a - b)).toEqual(numbered(0, 160));
      },
      400_000,
    );
  }
});
