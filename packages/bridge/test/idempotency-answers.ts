/**
 * What a client gets for a request with an idempotency key, and for its repetition: answers, refusals and limits. Part of
 * `idempotency.test.ts`, which has a Kafka of its own.
 */
import { keyIdentity, slotOf } from '@causeway/protocol/idempotency.ts';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { TestBridge } from '../../../test/harness/bridge.ts';
import { type KafkaView, unique } from '../../../test/harness/kafka-view.ts';
import { keyOfSlot } from '../../../test/harness/keyed-traffic.ts';
import { PROOF } from '../../../test/harness/trust.ts';
import { until } from '../../../test/harness/until.ts';

const JSON_V2 = 'application/vnd.kafka.json.v2+json';
const BINARY_V2 = 'application/vnd.kafka.binary.v2+json';

interface Sent {
  path: string;
  body: string;
  key: string;
  contentType?: string;
  headers?: Record<string, string>;
}

/** Through a gateway that cannot reach the other bridges of the same Kafka, which own slots, too. */
const GATEWAY = { ...PROOF, 'causeway-gateway': 'tier1' };

async function sendTo(to: TestBridge, { path, body, key, contentType = JSON_V2, headers = {} }: Sent) {
  let owners = '';
  for (let turn = 0; turn < 20; turn += 1) {
    const response = await fetch(`${to.url}${path}`, {
      method: 'POST',
      headers: {
        'content-type': contentType,
        'idempotency-key': key,
        ...GATEWAY,
        ...(owners === '' ? {} : { 'causeway-failed': owners }),
        ...headers,
      },
      body,
    });
    const text = await response.text();
    owners = response.headers.get('causeway-owner') ?? owners;
    if (response.status !== 421) {
      return { status: response.status, text, replayed: response.headers.get('idempotency-replayed') };
    }
  }
  throw new Error('no bridge answers');
}

const records = (...values: string[]): string => JSON.stringify({ records: values.map((value) => ({ value })) });

/** Declares the tests. */
/** `kafkaProcess`: stops and continues Kafka. */
export function testAnswers(kafka: KafkaView, kafkaProcess: (signal: 'SIGSTOP' | 'SIGCONT') => void): void {
  let bridge: TestBridge;
  beforeAll(async () => {
    bridge = await TestBridge.start(kafka.bootstrap, { bridge: { name: unique('answers'), region: 'east' } });
    return () => bridge.close();
  });
  const send = (sent: Sent, to = bridge) => sendTo(to, sent);

  describe('a repetition gets the same status and the same bytes', () => {
    test.each([
      ['one record', (topic: string) => ({ path: `/topics/${topic}`, body: records('a') }), 1],
      ['several records', (topic: string) => ({ path: `/topics/${topic}`, body: records('a', 'b', 'c') }), 3],
      ['a partition', (topic: string) => ({ path: `/topics/${topic}/partitions/1`, body: records('a', 'b') }), 2],
      [
        'an answer that is stored compressed',
        (topic: string) => ({ path: `/topics/${topic}`, body: records(...Array.from({ length: 500 }, String)) }),
        500,
      ],
      [
        'bytes',
        (topic: string) => ({
          path: `/topics/${topic}`,
          body: '{"records":[{"value":"YQ=="}]}',
          contentType: BINARY_V2,
        }),
        1,
      ],
      ['no record', (topic: string) => ({ path: `/topics/${topic}`, body: '{"records":[]}' }), 0],
      [
        'a record that is too large for its topic, beside others',
        (topic: string) => ({ path: `/topics/${topic}`, body: records('a', 'x'.repeat(20_000), 'c') }),
        2,
      ],
      [
        'a partition that does not exist, beside one that does',
        (topic: string) => ({
          path: `/topics/${topic}`,
          body: '{"records":[{"value":"a","partition":0},{"value":"b","partition":7}]}',
        }),
        1,
      ],
    ])('%s', async (_, requestOf, storedCount) => {
      const topic = await kafka.topic(2, { 'max.message.bytes': '10000' });
      const request = { ...requestOf(topic), key: unique('key') };
      const first = await send(request);
      const again = [await send(request), await send(request)];
      expect(again).toEqual([
        { ...first, replayed: 'true' },
        { ...first, replayed: 'true' },
      ]);
      const ends = await kafka.admin.fetchTopicOffsets(topic);
      expect(first.status).toBe(200);
      const offsets = (JSON.parse(first.text) as { offsets: { offset?: number }[] }).offsets;
      expect(offsets.filter(({ offset }) => offset !== undefined)).toHaveLength(storedCount);
      if (storedCount > 0) expect(await kafka.read(topic, storedCount)).toHaveLength(storedCount);
      else expect(ends.every(({ high }) => high === '0')).toBe(true);
    });

    test('for a topic that does not exist', async () => {
      const lean = await TestBridge.start(kafka.bootstrap, {
        bridge: { name: unique('lean'), region: 'east' },
        producer: { allowAutoTopicCreation: false, maxBlockMs: 1_000 },
      });
      onTestFinished(() => lean.close());
      const request = { path: `/topics/${unique('nowhere')}`, body: records('a'), key: unique('key') };
      const first = await send(request, lean);
      expect(first.text).toContain('not present in metadata');
      expect(await send(request, lean)).toEqual({ ...first, replayed: 'true' });
    });

    test('with async=true, after the commit and without a body', async () => {
      const topic = await kafka.topic();
      const request = { path: `/topics/${topic}?async=true`, body: records('a'), key: unique('key') };
      expect(await send(request)).toEqual({ status: 204, text: '', replayed: null });
      expect(await kafka.read(topic, 1)).toHaveLength(1);
      expect(await send(request)).toEqual({ status: 204, text: '', replayed: 'true' });
    });

    test('from a bridge that was started again', async () => {
      const named = { bridge: { name: unique('again'), region: 'east' } };
      const before = await TestBridge.start(kafka.bootstrap, named);
      const topic = await kafka.topic();
      const request = { path: `/topics/${topic}`, body: records('a'), key: unique('key') };
      const first = await send(request, before);
      await before.close();
      const after = await TestBridge.start(kafka.bootstrap, named);
      onTestFinished(() => after.close());
      expect(await send(request, after)).toEqual({ ...first, replayed: 'true' });
      expect(await send({ ...request, key: unique('key') }, after)).toMatchObject({ status: 200, replayed: null });
    });
  });

  describe('a topic that was known, and is deleted', () => {
    async function knownTopic(to: TestBridge, partitionCount: number): Promise<string> {
      const topic = await kafka.topic(partitionCount);
      const request = { path: `/topics/${topic}`, body: records('a'), key: unique('key') };
      expect(await send(request, to)).toMatchObject({ status: 200, replayed: null });
      await kafka.admin.deleteTopics({ topics: [topic] });
      return topic;
    }
    /** Has no topics made. */
    let lean: TestBridge;
    beforeAll(async () => {
      const producer = { allowAutoTopicCreation: false, maxBlockMs: 1_000 };
      const named = { bridge: { name: unique('lean'), region: 'east' } };
      lean = await TestBridge.start(kafka.bootstrap, Object.assign(named, { producer }));
      return () => lean.close();
    });

    test('has the entry of one that was never known, now and at each repetition', async () => {
      const request = {
        path: `/topics/${await knownTopic(lean, 1)}`,
        body: records('a', 'b'),
        key: unique('key'),
      };
      const first = await send(request, lean);
      const entry = { error_code: 404, message: expect.stringContaining('not present in metadata') };
      expect(JSON.parse(first.text)).toEqual({ offsets: [entry, entry] });
      expect(await send(request, lean)).toEqual({ ...first, replayed: 'true' });
    });

    test('and made again with fewer partitions, stores the records', async () => {
      const topic = await knownTopic(lean, 3);
      const keys = Array.from({ length: 9 }, (_, index) => `k${index}`);
      const body = JSON.stringify({ records: keys.map((key) => ({ key, value: key })) });
      const sent = send({ path: `/topics/${topic}`, body, key: unique('key') }, lean);
      await kafka.createTopic(topic, 1);
      // An attempt that was aborted may have stored some of them.
      const { offsets } = JSON.parse((await sent).text) as { offsets: { partition: number; offset: number }[] };
      const first = offsets[0]?.offset ?? Number.NaN;
      expect(offsets).toEqual(keys.map((_, index) => ({ partition: 0, offset: first + index })));
    });
  });

  describe('async=true', () => {
    let strict: TestBridge;
    beforeAll(async () => {
      const named = { bridge: { name: unique('strict'), region: 'east' } };
      const producer = { maxRequestBytes: 10_000, maxBatchBytes: 10_000 };
      strict = await TestBridge.start(kafka.bootstrap, Object.assign(named, { producer }));
      return () => strict.close();
    });
    test.each([
      ['a partition that does not exist', (topic: string) => ({ topic, record: { value: 'b', partition: 7 } }), 404],
      ['a record that is too large', (topic: string) => ({ topic, record: { value: 'x'.repeat(20_000) } }), 413],
      ['an illegal name', () => ({ topic: 'a,b', record: { value: 'b' } }), 422],
    ])('refuses a request as a whole for %s, with the status as without a key', async (_, partsOf, status) => {
      const { topic, record } = partsOf(await kafka.topic());
      const path = `/topics/${topic}?async=true`;
      const body = JSON.stringify({ records: [{ value: 'a' }, record] });
      const without = await fetch(`${strict.url}${path}`, {
        method: 'POST',
        headers: { 'content-type': JSON_V2 },
        body,
      });
      const refused = await send({ path, body, key: unique('key') }, strict);
      expect(refused).toEqual({ status, text: await without.text(), replayed: null });
      expect(without.status).toBe(status);
      if (status === 422) return;
      const ends = await kafka.admin.fetchTopicOffsets(topic);
      expect(ends.every(({ high }) => high === '0')).toBe(true);
    });
  });

  describe('a key stands for one request of one principal', () => {
    const changes: [string, { body?: string; contentType?: string; partition?: string; query?: string }][] = [
      ['another body', { body: records('other') }],
      ['another content type', { contentType: 'application/json' }],
      ['another partition', { partition: '/partitions/0' }],
      ['another query', { query: '?async=false' }],
    ];
    test.each(changes)('%s is refused, and nothing is stored', async (_, change) => {
      const { body = records('a'), contentType = JSON_V2, partition = '', query = '' } = change;
      const topic = await kafka.topic();
      const key = unique('key');
      await send({ path: `/topics/${topic}`, body: records('a'), key });
      const changed = await send({ path: `/topics/${topic}${partition}${query}`, body, contentType, key });
      expect(changed).toMatchObject({ status: 422, text: expect.stringContaining('was used for another request') });
      expect(await kafka.read(topic, 1)).toHaveLength(1);
    });

    test('two principals may use the same key', async () => {
      const topic = await kafka.topic();
      const request = { path: `/topics/${topic}`, body: records('a'), key: unique('key') };
      for (const principal of ['ada', 'bob']) {
        const headers = { 'causeway-principal': principal };
        expect(await send({ ...request, headers })).toMatchObject({ status: 200, replayed: null });
        expect(await send({ ...request, headers })).toMatchObject({ status: 200, replayed: 'true' });
      }
      expect(await kafka.read(topic, 2)).toHaveLength(2);
    });

    test.each(['', '""', '"open', 'two words', 'a, b', 'é', 'x'.repeat(256), '"x" ; y=1'])(
      '%j is no key',
      async (key) => {
        const topic = await kafka.topic();
        const answer = await send({ path: `/topics/${topic}`, body: records('a'), key });
        expect(answer).toMatchObject({
          status: 400,
          text: expect.stringContaining('1 to 255 visible ASCII characters'),
        });
      },
    );
  });

  describe('limits', () => {
    test('a full index refuses new keys, and knows the old ones until their time is over', async () => {
      const small = await TestBridge.start(kafka.bootstrap, {
        bridge: { name: unique('small'), region: 'east' },
        producer: { idempotencyMaxKeys: 1 },
      });
      onTestFinished(() => small.close());
      const topic = await kafka.topic();
      // The log has the keys of the tests before.
      const key = unique('key');
      await send({ path: `/topics/${topic}`, body: records('a'), key });
      const refused = await send({ path: `/topics/${topic}`, body: records('b'), key: unique('key') }, small);
      expect(refused).toMatchObject({ status: 503, text: expect.stringContaining('producer.idempotencyMaxKeys') });
    });

    test('a key is forgotten when its time is over: then its request is a new one', async () => {
      const brief = await TestBridge.start(kafka.bootstrap, {
        bridge: { name: unique('brief'), region: 'east' },
        producer: { idempotencyRetentionMs: 1_000 },
      });
      onTestFinished(() => brief.close());
      const topic = await kafka.topic();
      const request = { path: `/topics/${topic}`, body: records('a'), key: unique('key') };
      const first = await send(request, brief);
      expect(first).toMatchObject({ status: 200, replayed: null });
      let again = first;
      await until('the key is forgotten', async () => {
        again = await send(request, brief);
        return again.text !== first.text;
      });
      expect(again).toMatchObject({ status: 200, replayed: null });
      expect(await kafka.read(topic, 2)).toHaveLength(2);
    });

    test('a repetition waits for a first request under way as long as it may: 409, and Kafka has yet to decide', async () => {
      const patient = await TestBridge.start(kafka.bootstrap, {
        bridge: { name: unique('patient'), region: 'east' },
        producer: { deliveryTimeoutMs: 1_500 },
      });
      onTestFinished(() => patient.close());
      const [topic, key] = [await kafka.topic(), unique('key')];
      await until('the bridge has the slot, and knows the topic', async () => {
        const request = {
          path: `/topics/${topic}`,
          body: records('a'),
          key: keyOfSlot(slotOf(keyIdentity(undefined, key))),
        };
        return (await send(request, patient)).status === 200;
      });
      kafkaProcess('SIGSTOP');
      onTestFinished(() => kafkaProcess('SIGCONT'));
      const request = { path: `/topics/${topic}`, body: records('a'), key };
      const first = send(request, patient);
      await until('it is under way', async () => {
        const metrics = await (await fetch(`${patient.url}/metrics`)).text();
        return !/^causeway_bridge_producer_queued_bytes 0$/m.test(metrics);
      });
      const statuses = await Promise.all([1, 2].map(async () => (await send(request, patient)).status));
      expect(statuses).toEqual([409, 409]);
      kafkaProcess('SIGCONT');
      expect([200, 503]).toContain((await first).status);
      await until('it is stored', async () => (await send(request, patient)).status === 200);
    });

    test('without Kafka, a request is to be repeated: 503 with Retry-After, and not the fault of the bridge', async () => {
      const lost = await TestBridge.start('127.0.0.1:1', { producer: { deliveryTimeoutMs: 200 } });
      onTestFinished(() => lost.close());
      const response = await fetch(`${lost.url}/topics/t`, {
        method: 'POST',
        headers: { 'content-type': JSON_V2, 'idempotency-key': unique('key'), ...GATEWAY },
        body: records('a'),
      });
      expect([response.status, response.headers.get('retry-after')]).toEqual([503, '1']);
      expect(response.headers.get('causeway-fault')).toBe('kafka');
      expect(await response.text()).toContain('cannot be served now');
    });

    test('a bridge on which keys are switched off refuses them, and serves requests without', async () => {
      const without = await TestBridge.start(kafka.bootstrap, { producer: { idempotencyKeys: false } });
      onTestFinished(() => without.close());
      const topic = await kafka.topic();
      const request = { path: `/topics/${topic}`, body: records('a'), key: unique('key') };
      expect(await send(request, without)).toMatchObject({ status: 501 });
      expect((await without.produce(topic, { records: [{ value: 'a' }] })).status).toBe(200);
    });
  });
}
