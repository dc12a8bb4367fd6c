import { once } from 'node:events';
import { createServer } from 'node:net';
import { findFreePorts } from '@causeway/lab/stack/ports.ts';
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from 'vitest';
import { KafkaView, unique } from '../../../../../test/harness/kafka-view.ts';
import { Stopwatch } from '../../../../../test/harness/stopwatch.ts';
import { until } from '../../../../../test/harness/until.ts';
import { Cluster, type ClusterOptions } from './cluster.ts';
import { within } from './limits.ts';

let kafka: KafkaView;

beforeAll(async () => {
  kafka = await KafkaView.connect(inject('kafkaBootstrap'));
});

afterAll(async () => {
  await kafka.close();
});

function clusterOf(first: string | Partial<ClusterOptions>, ...rest: string[]): Cluster {
  const [options, servers] = typeof first === 'string' ? [{}, [first, ...rest]] : [first, rest];
  const cluster = new Cluster({
    bootstrapServers: servers,
    clientId: 'test',
    connectTimeoutMs: 1000,
    requestTimeoutMs: 20_000,
    metadataMaxAgeMs: 30_000,
    ...options,
  });
  onTestFinished(() => cluster.close());
  return cluster;
}

test('topics that exist are returned beside those that do not', async () => {
  const cluster = clusterOf(inject('kafkaBootstrap'));
  const topic = await kafka.topic(2);
  const nowhere = unique('nowhere');
  const answers = await cluster.topics([topic, nowhere, 'bad name'], within(20_000));
  expect(answers.get(topic)).toMatchObject({
    topic: { name: topic, partitions: [{ partition: 0 }, { partition: 1 }] },
  });
  expect(answers.get(nowhere)).toEqual({ errorId: 'UNKNOWN_TOPIC_OR_PARTITION' });
  expect(answers.get('bad name')).toEqual({ errorId: 'INVALID_TOPIC_EXCEPTION' });
  expect(cluster.knownTopic(topic)?.partitions).toHaveLength(2);
  expect(cluster.knownTopic(nowhere)).toBeUndefined();
});

test('metadata are asked for again only when they are old', async () => {
  const cluster = clusterOf(inject('kafkaBootstrap'));
  const topic = await kafka.topic(1);
  await cluster.topics([topic], within(20_000));
  await kafka.admin.createPartitions({ topicPartitions: [{ topic, count: 2 }] });
  await cluster.topics([topic], within(20_000));
  expect(cluster.knownTopic(topic)?.partitions).toHaveLength(1);
  // The controller has it before the broker that responds.
  await until('the new partition', async () => {
    await cluster.topics([topic], within(20_000), { maxAgeMs: 0 });
    return cluster.knownTopic(topic)?.partitions.length === 2;
  });
});

describe('a bootstrap server that does not help is passed over', () => {
  test('when nothing listens there', async () => {
    const [port] = await findFreePorts(1);
    const cluster = clusterOf(`127.0.0.1:${port}`, inject('kafkaBootstrap'));
    const topic = await kafka.topic();
    expect(await cluster.listTopics(within(20_000))).toContain(topic);
  });

  test('when it accepts connections and does not respond', async () => {
    const silent = createServer().listen(0, '127.0.0.1');
    onTestFinished(() => {
      silent.close();
    });
    await once(silent, 'listening');
    const address = silent.address();
    const port = typeof address === 'object' ? address?.port : 0;
    const cluster = clusterOf({ requestTimeoutMs: 60_000 }, `127.0.0.1:${port}`, inject('kafkaBootstrap'));
    const watch = new Stopwatch();
    expect(Array.isArray(await cluster.listTopics(within(20_000)))).toBe(true);
    expect(watch.stop()).toBeLessThan(15_000);
  });
});

test('a cluster without a broker that responds is unavailable within the limits', async () => {
  const [port] = await findFreePorts(1);
  const watch = new Stopwatch();
  await expect(
    clusterOf({ requestTimeoutMs: 60_000 }, `127.0.0.1:${port}`).listTopics(within(500)),
  ).rejects.toMatchObject({
    code: 'kafkaUnavailable',
  });
  expect(watch.stop()).toBeLessThan(20_000);
});

test('a connection may fail more than once without ending the process', async () => {
  const cluster = clusterOf(inject('kafkaBootstrap'));
  const [host = '', port] = inject('kafkaBootstrap').split(':');
  const connection = await cluster.createPool().get({ host, port: Number(port) });
  expect(() => {
    connection.emit('error', new Error('first'));
    connection.emit('error', new Error('second'));
  }).not.toThrow();
});

test('attempts at a broker that refuses connections keep the pauses that they were given', async () => {
  let connectionCount = 0;
  const refusing = createServer((socket) => {
    connectionCount += 1;
    socket.destroy();
  }).listen(0, '127.0.0.1');
  onTestFinished(() => {
    refusing.close();
  });
  await once(refusing, 'listening');
  const address = refusing.address();
  const port = typeof address === 'object' ? address?.port : 0;
  const cluster = clusterOf({ retryBackoffMinMs: 1500, retryBackoffMaxMs: 2000 }, `127.0.0.1:${port}`);
  await expect(cluster.listTopics(within(4000))).rejects.toMatchObject({ code: 'kafkaUnavailable' });
  // At 0, 1.5 and 3.5 s of the caller's four, where the default pauses would make more than ten.
  expect(connectionCount).toBeGreaterThanOrEqual(2);
  expect(connectionCount).toBeLessThanOrEqual(3);
});
