/** Batches whose responses are lost: behind a proxy that closes the connection when the response comes. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { findFreePorts } from '@causeway/lab/stack/ports.ts';
import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest';
import { testCluster } from '../../../../test/harness/cluster.ts';
import { KafkaView } from '../../../../test/harness/kafka-view.ts';
import { type OwnKafka, startOwnKafka } from '../../../../test/harness/own-kafka.ts';
import { until } from '../../../../test/harness/until.ts';
import type { Cluster } from '../kafka/client/cluster.ts';
import { ProduceClient } from '../kafka/produce/produce.ts';
import { ProducerId } from '../kafka/produce/producer-id.ts';
import type { ProduceResult, RecordToProduce } from '../records.ts';
import { Batcher } from './batcher.ts';

const PRODUCE_KEY = 0;
const INIT_PRODUCER_ID_KEY = 22;
/** Of its answer: behind the correlation id, the tagged fields of the head (none), and the throttle time. */
const INIT_PRODUCER_ID_ERROR_AT = 9;
const COORDINATOR_LOAD_IN_PROGRESS = 14;
const CLUSTER_AUTHORIZATION_FAILED = 31;
const LENGTH_BYTES = 4;

/** Asked for each produce request. */
let isAnswerLost: () => boolean = () => false;
let lostCount = 0;
/** Instead of an id, Kafka answers so. */
let idErrorCode: number | undefined;

/** Calls `onFrame` with each message of the protocol that has come whole, without its length. */
function readFrames(socket: Socket, onFrame: (frame: Buffer) => void): void {
  let rest: Buffer = Buffer.alloc(0);
  socket.on('data', (chunk: Buffer) => {
    rest = Buffer.concat([rest, chunk]);
    while (rest.length >= LENGTH_BYTES && rest.length >= LENGTH_BYTES + rest.readInt32BE(0)) {
      const end = LENGTH_BYTES + rest.readInt32BE(0);
      onFrame(rest.subarray(LENGTH_BYTES, end));
      rest = rest.subarray(end);
    }
  });
}

function withLength(frame: Buffer): Buffer {
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeInt32BE(frame.length);
  return Buffer.concat([length, frame]);
}

async function startProxy(port: number): Promise<{ port: number; close(): void }> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((near) => {
    const far = connect(port, '127.0.0.1');
    const end = (): void => {
      near.destroy();
      far.destroy();
    };
    const lost = new Set<number>();
    const refused = new Set<number>();
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('error', end);
      socket.on('close', end);
    }
    readFrames(near, (frame) => {
      if (frame.readInt16BE(0) === PRODUCE_KEY && isAnswerLost()) lost.add(frame.readInt32BE(4));
      if (frame.readInt16BE(0) === INIT_PRODUCER_ID_KEY && idErrorCode !== undefined) refused.add(frame.readInt32BE(4));
      far.write(withLength(frame));
    });
    readFrames(far, (frame) => {
      if (refused.has(frame.readInt32BE(0))) frame.writeInt16BE(idErrorCode ?? 0, INIT_PRODUCER_ID_ERROR_AT);
      if (!lost.has(frame.readInt32BE(0))) {
        near.write(withLength(frame));
        return;
      }
      lostCount += 1;
      end();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const close = (): void => {
    server.close();
    for (const socket of sockets) socket.destroy();
  };
  return { port: (server.address() as AddressInfo).port, close };
}

let own: OwnKafka;
let proxy: Awaited<ReturnType<typeof startProxy>>;
let kafka: KafkaView;

beforeAll(async () => {
  const ports = await findFreePorts(2);
  proxy = await startProxy(ports[0] ?? 0);
  const address = `127.0.0.1:${proxy.port}`;
  own = await startOwnKafka({
    brokerCount: 1,
    ports,
    properties: { 'advertised.listeners': `PLAINTEXT://${address}` },
  });
  kafka = await KafkaView.connect(address);
});

afterAll(async () => {
  await kafka?.close();
  proxy?.close();
  await own?.close();
});

beforeEach(() => {
  isAnswerLost = () => false;
  lostCount = 0;
  idErrorCode = undefined;
});

function newCluster(): Cluster {
  const cluster = testCluster(`127.0.0.1:${proxy.port}`);
  onTestFinished(() => cluster.close());
  return cluster;
}

interface TestBatcherOptions {
  deliveryTimeoutMs?: number;
  /** `undefined`: not idempotent. Default: one of its own. */
  producerId?: ProducerId | undefined;
}

function newBatcher(options: TestBatcherOptions = {}): Batcher {
  const cluster = newCluster();
  const client = new ProduceClient(cluster, { acks: 'all', timeoutMs: 5000, compression: 'none' });
  const batcher = new Batcher(cluster, client, {
    maxBlockMs: 30_000,
    deliveryTimeoutMs: 30_000,
    producerId: new ProducerId(cluster, () => {}),
    maxRequestBytes: 1_048_576,
    maxBatchBytes: 1_048_576,
    maxBatchRecords: 10_000,
    maxQueuedBytes: 10_000_000,
    ...options,
  });
  onTestFinished(async () => {
    await batcher.close();
    await client.close();
  });
  return batcher;
}

function record(value: string): RecordToProduce {
  return { key: null, value: Buffer.from(value), headers: undefined, partition: 0, timestampMs: undefined };
}

function offsetOf(results: readonly ProduceResult[]): bigint {
  const [result] = results;
  if (result === undefined || !('offset' in result)) throw new Error(result?.message ?? 'no result');
  return result.offset;
}

async function valuesOf(topic: string, count: number): Promise<string[]> {
  return (await kafka.read(topic, count)).map(({ value }) => String(value));
}

test('a record whose answer was lost is stored once, and its client gets the offset', async () => {
  const topic = await kafka.topic();
  const batcher = newBatcher();
  isAnswerLost = () => lostCount < 3;
  expect(offsetOf(await batcher.send(topic, [record('a')]))).toBe(0n);
  expect(lostCount).toBe(3);
  expect(offsetOf(await batcher.send(topic, [record('b')]))).toBe(1n);
  expect(await valuesOf(topic, 2)).toEqual(['a', 'b']);
});

test('without it, it is stored again with each attempt', async () => {
  const topic = await kafka.topic();
  const batcher = newBatcher({ producerId: undefined });
  isAnswerLost = () => lostCount < 1;
  expect(offsetOf(await batcher.send(topic, [record('a')]))).toBe(1n);
});

test('records of many clients are stored once and in order, however many answers are lost', async () => {
  const topic = await kafka.topic();
  const batcher = newBatcher();
  let produceCount = 0;
  isAnswerLost = () => {
    produceCount += 1;
    return produceCount % 3 !== 0;
  };
  const values = Array.from({ length: 300 }, (_, index) => String(index));
  const offsets: bigint[] = [];
  // Ten waves, so that there are batches behind those that go again.
  for (let at = 0; at < values.length; at += 30) {
    const wave = values.slice(at, at + 30).map(async (value) => {
      offsets[Number(value)] = offsetOf(await batcher.send(topic, [record(value)]));
    });
    await Promise.race(wave);
    if (at + 30 === values.length) await Promise.all(wave);
  }
  await until('all are stored', () => batcher.queuedBytes === 0);
  expect(lostCount).toBeGreaterThan(5);
  expect(await valuesOf(topic, values.length)).toEqual(values);
  expect(offsets).toEqual(values.map(BigInt));
});

test('records after one that was given up are not taken for it', async () => {
  const topic = await kafka.topic();
  const batcher = newBatcher({ deliveryTimeoutMs: 1000 });
  isAnswerLost = () => true;
  const [lost] = await batcher.send(topic, [record('given up')]);
  expect(lost).toMatchObject({ errorCode: 500, message: expect.stringContaining('Expiring 1 record(s)') });
  isAnswerLost = () => false;
  expect(offsetOf(await batcher.send(topic, [record('after')]))).toBe(1n);
  expect(await valuesOf(topic, 2)).toEqual(['given up', 'after']);
});

test('a batch in which some records came too late goes again as it was', async () => {
  const topic = await kafka.topic();
  const batcher = newBatcher({ deliveryTimeoutMs: 5000 });
  isAnswerLost = () => true;
  const first = batcher.send(topic, [record('first')]);
  await until('it is in flight', () => lostCount > 0);
  const early = batcher.send(topic, [record('early')]);
  await delay(2500);
  const late = batcher.send(topic, [record('late')]);
  // The first one goes through. The next batch are both others; its answers are lost until the early one's time is over.
  let passCount = 1;
  isAnswerLost = () => {
    passCount -= 1;
    return passCount < 0;
  };
  expect(offsetOf(await first)).toBe(0n);
  expect(await early).toMatchObject([{ errorCode: 500 }]);
  const countThen = lostCount;
  await until('it is sent again after that', () => lostCount >= countThen + 2);
  isAnswerLost = () => false;
  expect(offsetOf(await late)).toBe(2n);
  expect(offsetOf(await batcher.send(topic, [record('after')]))).toBe(3n);
  expect(await valuesOf(topic, 4)).toEqual(['first', 'early', 'late', 'after']);
});

test('where the broker knows another history of the producer, the producer continues under another id', async () => {
  const topic = await kafka.topic();
  const producerId = new ProducerId(newCluster(), () => {});
  const used = await producerId.get();
  // Both number their batches from 0.
  const [one, other] = [newBatcher({ producerId }), newBatcher({ producerId })];
  expect(offsetOf(await one.send(topic, [record('a')]))).toBe(0n);
  expect(offsetOf(await other.send(topic, [record('b'), record('c')]))).toBe(1n);
  expect(await valuesOf(topic, 3)).toEqual(['a', 'b', 'c']);
  expect(await producerId.get()).not.toBe(used);
});

test('a record that got no producer id in time says why, and one that waits gets it', async () => {
  const topic = await kafka.topic();
  const batcher = newBatcher({ deliveryTimeoutMs: 3000 });
  idErrorCode = COORDINATOR_LOAD_IN_PROGRESS;
  expect(await batcher.send(topic, [record('a')])).toMatchObject([
    { errorCode: 500, message: expect.stringContaining('errors.CoordinatorLoadInProgressException') },
  ]);
  const waiting = batcher.send(topic, [record('b')]);
  idErrorCode = undefined;
  expect(offsetOf(await waiting)).toBe(0n);
  expect(await valuesOf(topic, 1)).toEqual(['b']);
});

test('a producer that Kafka refuses an id stores records nevertheless, and reports it once until it gets one', async () => {
  const topic = await kafka.topic();
  const reasons: string[] = [];
  const producerId = new ProducerId(newCluster(), (reason) => reasons.push(reason), { forbiddenPauseMs: 500 });
  const batcher = newBatcher({ producerId });
  idErrorCode = CLUSTER_AUTHORIZATION_FAILED;
  for (const offset of [0n, 1n]) expect(offsetOf(await batcher.send(topic, [record('v')]))).toBe(offset);
  expect(reasons).toEqual([expect.stringContaining('ClusterAuthorizationException')]);
  idErrorCode = undefined;
  await until('it is asked for again', async () => (await producerId.get()) !== undefined);
  expect(offsetOf(await batcher.send(topic, [record('v')]))).toBe(2n);
  producerId.renew((await producerId.get()) ?? 0n);
  idErrorCode = CLUSTER_AUTHORIZATION_FAILED;
  expect(await producerId.get()).toBeUndefined();
  expect(reasons).toHaveLength(2);
});

test('a partition that needs an id waits for it alone', async () => {
  const [begun, fresh] = [await kafka.topic(), await kafka.topic()];
  const producerId = new ProducerId(newCluster(), () => {});
  const batcher = newBatcher({ producerId });
  await batcher.send(begun, [record('a')]);
  producerId.renew((await producerId.get()) ?? 0n);
  idErrorCode = COORDINATOR_LOAD_IN_PROGRESS;
  let isStored = false;
  const waiting = batcher.send(fresh, [record('a')]).finally(() => {
    isStored = true;
  });
  for (const offset of [1n, 2n]) expect(offsetOf(await batcher.send(begun, [record('b')]))).toBe(offset);
  expect(isStored).toBe(false);
  idErrorCode = undefined;
  expect(offsetOf(await waiting)).toBe(0n);
});
