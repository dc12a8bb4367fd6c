/** Requests with an idempotency key, against a real Kafka: one bridge, and two of them. */
import { keyIdentity, slotOf } from '@causeway/protocol/idempotency.ts';
import { afterAll, describe, expect, inject, onTestFinished, test } from 'vitest';
import { TestBridge } from '../../../test/harness/bridge.ts';
import { KafkaView, unique } from '../../../test/harness/kafka-view.ts';
import { PROOF } from '../../../test/harness/trust.ts';
import { until } from '../../../test/harness/until.ts';

const kafka = await KafkaView.connect(inject('kafkaBootstrap'));
const bridge = await TestBridge.start(inject('kafkaBootstrap'));
afterAll(async () => {
  await Promise.all([kafka.close(), bridge.close()]);
});

const JSON_V2 = 'application/vnd.kafka.json.v2+json';

async function send(to: TestBridge, topic: string, key: string, value = 'v', headers: Record<string, string> = {}) {
  const response = await fetch(`${to.url}/topics/${topic}`, {
    method: 'POST',
    headers: { 'content-type': JSON_V2, 'idempotency-key': key, ...headers },
    body: JSON.stringify({ records: [{ key: 'k', value }] }),
  });
  return {
    status: response.status,
    text: await response.text(),
    replayed: response.headers.get('idempotency-replayed'),
    owner: response.headers.get('causeway-owner'),
  };
}

/** Another key of the same slot. */
function keyOfSameSlot(key: string): string {
  for (;;) {
    const other = unique('key');
    if (slotOf(keyIdentity(undefined, other)) === slotOf(keyIdentity(undefined, key))) return other;
  }
}

describe('one bridge', () => {
  test('a repeated request gets the same answer, and its records are stored once', async () => {
    const topic = await kafka.topic();
    const key = unique('key');
    const first = await send(bridge, topic, key);
    expect(first).toMatchObject({ status: 200, text: '{"offsets":[{"partition":0,"offset":0}]}', replayed: null });
    expect(await send(bridge, topic, key)).toEqual({ ...first, replayed: 'true' });
    expect(await send(bridge, topic, `"${key}"`)).toEqual({ ...first, replayed: 'true' });
    const other = await send(bridge, topic, unique('key'));
    expect(other.text).toContain('"partition":0');
    expect(await kafka.read(topic, 2)).toHaveLength(2);
  });

  test('a key that was used for another request is refused, and nothing is stored', async () => {
    const topic = await kafka.topic();
    const key = unique('key');
    await send(bridge, topic, key);
    expect(await send(bridge, topic, key, 'other')).toMatchObject({ status: 422 });
    expect((await send(bridge, topic, unique('key'))).text).toContain('"partition":0');
    expect(await kafka.read(topic, 2)).toHaveLength(2);
  });

  test('many requests at once share transactions, and repetitions in flight wait for the first', async () => {
    const topic = await kafka.topic(3);
    const keys = Array.from({ length: 50 }, () => unique('key'));
    const answers = await Promise.all([...keys, ...keys].map((key) => send(bridge, topic, key, key)));
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
    for (const [index] of keys.entries()) expect(answers[index]?.text).toBe(answers[index + keys.length]?.text);
    expect(answers.filter(({ replayed }) => replayed === 'true')).toHaveLength(keys.length);
    expect(await kafka.read(topic, keys.length)).toHaveLength(keys.length);
  });
});

test('a slot that a gateway has released goes to another bridge, and requests on their way do not bring it back', async () => {
  const other = await TestBridge.start(inject('kafkaBootstrap'), { bridge: { name: 'heir', region: 'west' } });
  onTestFinished(() => other.close());
  const topic = await kafka.topic();
  const key = unique('key');
  const gateway = { ...PROOF, 'causeway-gateway': 'tier1' };
  expect(await send(bridge, topic, key)).toMatchObject({ status: 200 });
  const ofSlot = keyOfSameSlot(key);
  const released = await send(bridge, topic, ofSlot, 'v', { ...gateway, 'causeway-release': 'drain' });
  expect(released).toMatchObject({ status: 421, owner: null });
  expect(await send(bridge, topic, ofSlot, 'v', gateway)).toMatchObject({ status: 421, owner: null });
  expect(await send(other, topic, ofSlot, 'v', gateway)).toMatchObject({ status: 200, replayed: null });
  expect(await send(bridge, topic, keyOfSameSlot(ofSlot), 'v', gateway)).toMatchObject({
    status: 421,
    owner: 'west/heir',
  });
});

describe('two bridges', () => {
  test('an answer of the other bridge is repeated; a slot is taken over from a bridge that is gone, and from one that stopped', async () => {
    const other = await TestBridge.start(inject('kafkaBootstrap'), { bridge: { name: 'other', region: 'west' } });
    onTestFinished(() => other.close());
    const topic = await kafka.topic();
    const key = unique('key');
    const gateway = { ...PROOF, 'causeway-gateway': 'tier1', 'causeway-failed': 'east/test-bridge' };
    const first = await send(other, topic, key, 'v', gateway);
    expect(first).toMatchObject({ status: 200, replayed: null });
    // Until it has read the answer, it names the owner.
    await until('the other bridge knows the answer', async () => {
      const repeated = await send(bridge, topic, key);
      expect(repeated.status === 200 ? repeated.text : first.text).toBe(first.text);
      return repeated.status === 200;
    });
    await other.close();
    expect(await send(bridge, topic, key)).toMatchObject({ text: first.text, replayed: 'true' });
    expect(await kafka.read(topic, 1)).toHaveLength(1);
  });
});
