/** Transactions on Kafka itself: of its current release, and of the last one whose brokers do not add partitions. */
import { findFreePorts } from '@causeway/lab/stack/ports.ts';
import kafkajs from 'kafkajs';
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from 'vitest';
import { TestBridge } from '../../../../../test/harness/bridge.ts';
import { testCluster } from '../../../../../test/harness/cluster.ts';
import { committedValues } from '../../../../../test/harness/committed-values.ts';
import { KafkaView, unique } from '../../../../../test/harness/kafka-view.ts';
import { sendKeyed } from '../../../../../test/harness/keyed-traffic.ts';
import { type LostResponse, nextRequest } from '../../../../../test/harness/lost-response.ts';
import { type OwnKafka, PATIENT_BROKER, startOwnKafka } from '../../../../../test/harness/own-kafka.ts';
import { PROOF } from '../../../../../test/harness/trust.ts';
import { until } from '../../../../../test/harness/until.ts';
import type { RecordToProduce } from '../../records.ts';
import type { Cluster } from '../client/cluster.ts';
import { within } from '../client/limits.ts';
import { listOffsets } from '../client/list-offsets.ts';
import { ProduceClient } from '../produce/produce.ts';
import { TransactionEnded } from './transaction-ended.ts';
import { transactionVersion } from './transaction-requests.ts';
import { TransactionalProducer } from './transactional-producer.ts';

const { AclOperationTypes, AclPermissionTypes, AclResourceTypes, ResourcePatternTypes } = kafkajs;
const LIMITS = () => within(60_000);

describe.each([
  { release: undefined, version: 2 },
  { release: '3.9', version: 1 },
] as const)('transactions of version $version', ({ release, version }) => {
  let own: OwnKafka | undefined;
  let bootstrap: string;
  let kafka: KafkaView;
  let cluster: Cluster;
  let client: ProduceClient;

  beforeAll(async () => {
    if (release !== undefined) own = await startOld(release);
    bootstrap = own?.cluster.bootstrap ?? inject('kafkaBootstrap');
    kafka = await KafkaView.connect(bootstrap);
    cluster = testCluster(bootstrap);
    client = new ProduceClient(cluster, { acks: 'all', timeoutMs: 20_000, compression: 'none' });
  }, 400_000);

  afterAll(async () => {
    await cluster?.close();
    await kafka?.close();
    await own?.close();
  });

  async function producerOf(transactionalId: string, transactionTimeoutMs = 60_000): Promise<TransactionalProducer> {
    const producer = new TransactionalProducer(cluster, client, { transactionalId, transactionTimeoutMs });
    await producer.init(LIMITS());
    return producer;
  }

  /** Topics with one partition each. */
  async function topicsOf(count: number, configs: Record<string, string> = {}): Promise<string[]> {
    const topics = await Promise.all(Array.from({ length: count }, () => kafka.topic(1, configs)));
    await cluster.topics(topics, LIMITS());
    return topics;
  }

  const committed = (topics: readonly string[]): Promise<string[][]> => committedValues(bootstrap, topics);

  test('the cluster has this version', async () => {
    expect(await cluster.onAnyBroker(transactionVersion, LIMITS())).toBe(version);
  });

  test('one after another under one id: committed as a whole or aborted, and records have the offsets that were reported', async () => {
    const topics = await topicsOf(2);
    const producer = await producerOf(unique('id'));
    const offsets: bigint[] = [];
    const expected: string[] = [];
    for (let index = 0; index < 12; index += 1) {
      const outcomes = await producer.send(batches(topics, `${index}`, `${index}+`), LIMITS());
      if (index % 3 === 2) {
        await producer.abort(LIMITS());
      } else {
        await producer.commit(LIMITS());
        offsets.push(...outcomes.map((outcome) => (outcome.kind === 'stored' ? outcome.baseOffset : -1n)));
        expected.push(`${index}`, `${index}+`);
      }
    }
    expect(await committed(topics)).toEqual([expected, expected]);
    // Two records and a marker each.
    const kept = Array.from({ length: 12 }, (_, index) => index).filter((index) => index % 3 !== 2);
    expect(offsets).toEqual(kept.flatMap((index) => [BigInt(3 * index), BigInt(3 * index)]));
  });

  describe('another producer takes the id over', () => {
    test.each([
      { point: 'before the first send', sends: 0, isCommitted: false },
      { point: 'after the first send', sends: 1, isCommitted: false },
      { point: 'before the commit', sends: 2, isCommitted: false },
      { point: 'after the commit', sends: 2, isCommitted: true },
    ])('$point: all or nothing is visible, and nothing more after the refusal', async ({ sends, isCommitted }) => {
      const topics = await topicsOf(2);
      const id = unique('id');
      const old = await producerOf(id);
      const send = (index: number) => old.send(batches([topics[index] as string], `old-${index}`), LIMITS());
      for (let index = 0; index < sends; index += 1) await send(index);
      if (isCommitted) await old.commit(LIMITS());
      const next = await producerOf(id);
      const failure = await failureOf(async () => {
        for (let index = isCommitted ? 0 : sends; index < 2; index += 1) await send(index);
        await old.commit(LIMITS());
      });
      expect(failure).toBeInstanceOf(TransactionEnded);
      expect(failure).toMatchObject({ isFenced: true, mayBeCommitted: false });
      await next.send(batches(topics, 'next'), LIMITS());
      await next.commit(LIMITS());
      const before = (index: number): string[] => (isCommitted ? [`old-${index}`] : []);
      expect(await committed(topics)).toEqual([
        [...before(0), 'next'],
        [...before(1), 'next'],
      ]);
      // The old one may take the id back, and then the other one has lost it.
      await old.init(LIMITS());
      await expect(next.send(batches(topics, 'lost'), LIMITS())).rejects.toMatchObject({ isFenced: true });
      await old.send(batches(topics, 'back'), LIMITS());
      await old.commit(LIMITS());
      expect((await committed(topics)).map((values) => values.at(-1))).toEqual(['back', 'back']);
    });

    test('at the moment of the commit: visible if the commit succeeded, and not if it was refused', async () => {
      const topics = await topicsOf(2);
      const id = unique('id');
      let producer = await producerOf(id);
      const expected: string[] = [];
      for (let round = 0; round < 8; round += 1) {
        await producer.send(batches(topics, `${round}`), LIMITS());
        const taking = round % 2 === 0 ? producerOf(id) : undefined;
        const failure = await failureOf(() => producer.commit(LIMITS()));
        producer = await (taking ?? producerOf(id));
        if (failure === undefined) expected.push(`${round}`);
        else expect(failure).toMatchObject({ isFenced: true, mayBeCommitted: false });
      }
      expect(await committed(topics)).toEqual([expected, expected]);
    });
  });

  test('a transaction that Kafka has ended after its time is refused as a whole, and the id can be used again', async () => {
    const [topic = ''] = await topicsOf(1);
    const producer = await producerOf(unique('id'), 500);
    await producer.send(batches([topic], 'late'), LIMITS());
    await until('Kafka has aborted it', async () => {
      const [end] = await listOffsets(cluster, [{ topic, partition: 0 }], {
        spec: 'latest',
        isolationLevel: 'read_committed',
        limits: LIMITS(),
      });
      return end?.offset === 2n;
    });
    await expect(producer.commit(LIMITS())).rejects.toMatchObject({ isFenced: true, mayBeCommitted: false });
    await producer.init(LIMITS());
    await producer.send(batches([topic], 'in time'), LIMITS());
    await producer.commit(LIMITS());
    expect(await committed([topic])).toEqual([['in time']]);
  });

  describe('the response is lost', () => {
    /** The connection of the next request breaks when the broker has acted on it. */
    async function losing(
      kind: Parameters<typeof nextRequest>[0],
      run: () => Promise<unknown>,
      untilDone: () => Promise<unknown>,
    ): Promise<{ outcome: Promise<unknown>; request: LostResponse }> {
      const request = nextRequest(kind);
      onTestFinished(request.stop);
      const outcome = failureOf(run);
      await request.sent;
      await untilDone();
      request.lose();
      return { outcome, request };
    }

    test('to a commit: it is repeated, and the next transactions are as any others', async () => {
      const topics = await topicsOf(2);
      const producer = await producerOf(unique('id'));
      await producer.send(batches(topics, 'a'), LIMITS());
      const { outcome, request } = await losing(
        'endTxn',
        () => producer.commit(LIMITS()),
        () => until('it is committed', async () => (await endOf(topics[1] ?? '')) === 2n),
      );
      expect(await outcome).toBeUndefined();
      expect(request.count).toBe(2);
      for (const value of ['b', 'c']) {
        await producer.send(batches(topics, value), LIMITS());
        await producer.commit(LIMITS());
      }
      await producer.send(batches(topics, 'd'), LIMITS());
      await producer.abort(LIMITS());
      const expected = ['a', 'b', 'c'];
      expect(await committed(topics)).toEqual([expected, expected]);
    });

    test('to a commit, and another producer takes the id over: the refusal says that it may be committed', async () => {
      const topics = await topicsOf(2);
      const id = unique('id');
      const producer = await producerOf(id);
      await producer.send(batches(topics, 'a'), LIMITS());
      // Over connections of its own.
      const other = testCluster(bootstrap);
      onTestFinished(() => other.close());
      const { outcome } = await losing(
        'endTxn',
        () => producer.commit(LIMITS()),
        () =>
          new TransactionalProducer(other, client, { transactionalId: id, transactionTimeoutMs: 60_000 }).init(
            LIMITS(),
          ),
      );
      expect(await outcome).toMatchObject({ isFenced: true, mayBeCommitted: true });
      expect(await committed(topics)).toEqual([['a'], ['a']]);
    });

    test('to records: they are sent again and stored once', async () => {
      const [topic = ''] = await topicsOf(1);
      const producer = await producerOf(unique('id'));
      const { outcome, request } = await losing(
        'produce',
        () => producer.send(batches([topic], 'a', 'b'), LIMITS()),
        () => until('they are stored', async () => (await endOf(topic, 'read_uncommitted')) === 2n),
      );
      expect(await outcome).toBeUndefined();
      expect(request.count).toBe(2);
      await producer.send(batches([topic], 'c'), LIMITS());
      await producer.commit(LIMITS());
      expect(await committed([topic])).toEqual([['a', 'b', 'c']]);
    });

    test('to records, and the transaction is aborted: those of the next one are not taken for them', async () => {
      const [topic = ''] = await topicsOf(1);
      const producer = await producerOf(unique('id'));
      const request = nextRequest('produce');
      onTestFinished(request.stop);
      const outcome = failureOf(() => producer.send(batches([topic], 'a', 'b'), within(1000)));
      await request.sent;
      await until('they are stored', async () => (await endOf(topic, 'read_uncommitted')) === 2n);
      // There is no time for a second attempt.
      expect(await outcome).toMatchObject({ errorId: undefined, isFenced: false, mayBeCommitted: false });
      request.lose();
      await producer.abort(LIMITS());
      // As many records as were lost: the broker would take them for the same batch.
      await producer.send(batches([topic], 'c', 'd'), LIMITS());
      await producer.commit(LIMITS());
      expect(await committed([topic])).toEqual([['c', 'd']]);
    });

    async function endOf(topic: string, isolationLevel: 'read_committed' | 'read_uncommitted' = 'read_committed') {
      const [end] = await listOffsets(cluster, [{ topic, partition: 0 }], {
        spec: 'latest',
        isolationLevel,
        limits: LIMITS(),
      });
      return end?.offset;
    }
  });

  test('records that are too large for their topic are refused, and the others are committed', async () => {
    const [narrow = ''] = await topicsOf(1, { 'max.message.bytes': '1000' });
    const [wide = ''] = await topicsOf(1);
    const producer = await producerOf(unique('id'));
    const large = 'x'.repeat(5000);
    const outcomes = await producer.send(batches([narrow, wide], large), LIMITS());
    expect(outcomes).toMatchObject([{ kind: 'refused', errorId: 'MESSAGE_TOO_LARGE' }, { kind: 'stored' }]);
    await producer.send(batches([narrow], 'small'), LIMITS());
    await producer.commit(LIMITS());
    expect(await committed([narrow, wide])).toEqual([['small'], [large]]);
  });

  test('a transaction of which Kafka refused everything ends, too', async () => {
    const [narrow = ''] = await topicsOf(1, { 'max.message.bytes': '1000' });
    const producer = await producerOf(unique('id'));
    for (const end of ['commit', 'abort', 'commit'] as const) {
      const [outcome] = await producer.send(batches([narrow], 'x'.repeat(5000)), LIMITS());
      expect(outcome).toMatchObject({ errorId: 'MESSAGE_TOO_LARGE' });
      await producer[end](LIMITS());
      await producer.send(batches([narrow], end), LIMITS());
      await producer.commit(LIMITS());
    }
    expect(await committed([narrow])).toEqual([['commit', 'abort', 'commit']]);
  });

  test.runIf(release !== undefined)('bridges serve idempotency keys, and take them over from each other', async () => {
    const [topic = ''] = await topicsOf(1);
    const start = async (region: string): Promise<TestBridge> => {
      const bridge = await TestBridge.start(bootstrap, { bridge: { name: 'bridge', region } });
      onTestFinished(() => bridge.close());
      return bridge;
    };
    const [east, west] = [await start('east'), await start('west')];
    const keys = Array.from({ length: 20 }, () => unique('key'));
    const sendAll = async (to: TestBridge, sent: readonly string[], failed?: string): Promise<string[]> => {
      const headers = {
        ...PROOF,
        'causeway-gateway': 'test',
        ...(failed === undefined ? {} : { 'causeway-failed': failed }),
      };
      const answers = await Promise.all(sent.map((key) => sendKeyed(to.url, { topic, key, headers })));
      expect(answers.map(({ status }) => status)).toEqual(sent.map(() => 200));
      return answers.map(({ text }) => text);
    };
    await until('they are served', async () => (await sendKeyed(east.url, { topic, key: 'first' })).status === 200);
    const first = await sendAll(east, keys);
    const later = Array.from({ length: 20 }, () => unique('key'));
    // At the same moment the slots change their owner.
    const [moved] = await Promise.all([
      sendAll(west, [...keys, ...later], 'east/bridge'),
      ...later.map((key) => sendKeyed(east.url, { topic, key, headers: { ...PROOF, 'causeway-gateway': 'test' } })),
    ]);
    expect(moved.slice(0, keys.length)).toEqual(first);
    const [values] = await committed([topic]);
    expect(values?.map((value) => JSON.parse(value)).sort()).toEqual(['first', ...keys, ...later].sort());
  });

  test.runIf(release !== undefined)('a topic without rights is refused, and the others are committed', async () => {
    const [open = '', closed = ''] = await topicsOf(2);
    await forbidWriting(kafka, closed);
    const producer = await producerOf(unique('id'));
    // Alone, and with others: then the brokers add none of them.
    for (const topics of [[closed], [closed, open]]) {
      const [refused, ...others] = await producer.send(batches(topics, `${topics.length}`), LIMITS());
      expect(refused).toMatchObject({ kind: 'refused', errorId: 'TOPIC_AUTHORIZATION_FAILED' });
      for (const outcome of others) expect(outcome).toMatchObject({ kind: 'stored' });
      await producer.commit(LIMITS());
    }
    expect(await committed([open])).toEqual([['2']]);
  });
});

/** A broker that checks rights, and gives all of them for what no right names. */
async function startOld(release: '3.9'): Promise<OwnKafka> {
  return await startOwnKafka({
    brokerCount: 1,
    ports: await findFreePorts(2),
    release,
    properties: {
      ...PATIENT_BROKER,
      'transaction.abort.timed.out.transaction.cleanup.interval.ms': '200',
      'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
      'allow.everyone.if.no.acl.found': 'true',
    },
  });
}

/** Clients may still see the topic and read it. */
async function forbidWriting(kafka: KafkaView, topic: string): Promise<void> {
  const right = (principal: string, operation: number) => ({
    resourceType: AclResourceTypes.TOPIC,
    resourceName: topic,
    resourcePatternType: ResourcePatternTypes.LITERAL,
    principal,
    host: '*',
    operation,
    permissionType: AclPermissionTypes.ALLOW,
  });
  await kafka.admin.createAcls({ acl: [right('User:ANONYMOUS', AclOperationTypes.READ)] });
  await until('the broker knows it', async () => {
    const { resources } = await kafka.admin.describeAcls({
      resourceType: AclResourceTypes.TOPIC,
      resourceName: topic,
      resourcePatternType: ResourcePatternTypes.LITERAL,
      operation: AclOperationTypes.ANY,
      permissionType: AclPermissionTypes.ANY,
    });
    return resources.length > 0;
  });
}

function batches(topics: readonly string[], ...values: string[]) {
  const records: RecordToProduce[] = values.map((value) => ({
    key: null,
    value: Buffer.from(value),
    headers: undefined,
    partition: undefined,
    timestampMs: undefined,
  }));
  return topics.map((topic) => ({ topic, partition: 0, records }));
}

async function failureOf(run: () => Promise<unknown>): Promise<unknown> {
  try {
    await run();
    return undefined;
  } catch (error) {
    return error;
  }
}
