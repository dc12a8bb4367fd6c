/** Requests with an idempotency key, against a real Kafka: one bridge, and two of them. */
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findFreePorts } from '@causeway/lab/stack/ports.ts';
import { keyIdentity, slotOf } from '@causeway/protocol/idempotency.ts';
import { describeTransactionsV0 } from '@platformatic/kafka';
import { request } from 'undici';
import { afterAll, describe, expect, onTestFinished, test } from 'vitest';
import { TestBridge } from '../../../test/harness/bridge.ts';
import { BridgeProcess } from '../../../test/harness/bridge-process.ts';
import { testCluster } from '../../../test/harness/cluster.ts';
import { committedValues } from '../../../test/harness/committed-values.ts';
import { regions, startGateway, TEST_TOKEN, type TestGateway } from '../../../test/harness/gateway.ts';
import { KafkaView, unique } from '../../../test/harness/kafka-view.ts';
import { type KeyedResponse, keyOfSlot, sendKeyed } from '../../../test/harness/keyed-traffic.ts';
import { PATIENT_BROKER, startOwnKafka } from '../../../test/harness/own-kafka.ts';
import { PROOF, TEST_TRUST } from '../../../test/harness/trust.ts';
import { until } from '../../../test/harness/until.ts';
import { Coordinator } from '../src/kafka/client/coordinator.ts';
import { within } from '../src/kafka/client/limits.ts';
import { testAnswers } from './idempotency-answers.ts';
import { testRecovery } from './idempotency-recovery.ts';

/** Slots belong to the whole Kafka: bridges of other tests would take them, some under the same name. */
const own = await startOwnKafka({ brokerCount: 1, ports: await findFreePorts(2), properties: PATIENT_BROKER });
const { bootstrap } = own.cluster;
const kafka = await KafkaView.connect(bootstrap);
const bridge = await TestBridge.start(bootstrap);
afterAll(async () => {
  await Promise.all([kafka.close(), bridge.close()]);
  await own.close();
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
  return keyOfSlot(slotOf(keyIdentity(undefined, key)));
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
  const other = await TestBridge.start(bootstrap, { bridge: { name: 'heir', region: 'west' } });
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
    const other = await TestBridge.start(bootstrap, { bridge: { name: 'other', region: 'west' } });
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

describe('two regions behind two gateways', () => {
  /** East is in this process, west in its own, which a test may kill. */
  async function system() {
    const directory = mkdtempSync(join(tmpdir(), 'causeway-keys-'));
    onTestFinished(() => rmSync(directory, { recursive: true }));
    const config = {
      bridge: { name: 'bridge', region: 'west' },
      listen: { port: 0 },
      kafka: { bootstrapServers: bootstrap.split(',') },
      trust: TEST_TRUST,
    };
    writeFileSync(join(directory, 'west.yaml'), JSON.stringify(config));
    const west = new BridgeProcess(directory, ['--config', 'west.yaml']);
    const urls = { east: bridge.url, west: await west.url() };
    const start = async (name: string): Promise<TestGateway> => {
      const gateway = await startGateway({ gateway: { name }, regions: regions(urls) });
      onTestFinished(() => gateway.close());
      return gateway;
    };
    const [first, second] = [await start('first'), await start('second')];
    /** Slots that a gateway believes to be in a region: the most of both. */
    const slotsOf = async (region: string): Promise<number> => {
      const counts = [first, second].map(async ({ adminUrl }) => {
        const text = await (await request(`${adminUrl}/metrics`)).body.text();
        return Number(new RegExp(`causeway_remembered_slots{region="${region}"} (\\d+)`).exec(text)?.[1]);
      });
      return Math.max(...(await Promise.all(counts)));
    };
    const change = async (path: string): Promise<void> => {
      const headers = { authorization: `Bearer ${TEST_TOKEN}` };
      for (const { adminUrl } of [first, second]) {
        const { statusCode } = await request(`${adminUrl}/api/regions/${path}`, { method: 'POST', headers });
        expect(statusCode).toBe(200);
      }
    };
    return { west, gateways: [first.url, second.url] as const, slotsOf, change };
  }

  /** Sends by undici, which keeps connections. */
  async function sendTo(url: string, topic: string, key: string): Promise<{ status: number; text: string }> {
    const { statusCode, body } = await request(`${url}/topics/${topic}`, {
      method: 'POST',
      headers: { 'content-type': JSON_V2, 'idempotency-key': key },
      body: JSON.stringify({ records: [{ value: key }] }),
    });
    return { status: statusCode, text: await body.text() };
  }

  /** What readers of committed records see. */
  async function valuesOf(topic: string, count: number): Promise<unknown[]> {
    await bridge.produce(topic, { records: [{ value: 'end' }] });
    const records = await kafka.read(topic, count + 1);
    return records.map(({ value }) => JSON.parse(String(value)));
  }

  test('one key through both gateways at once is stored once; neither a drain nor a killed owner costs a request, or stores one twice', async () => {
    const { west, gateways, slotsOf, change } = await system();
    const topic = await kafka.topic();
    const keys = Array.from({ length: 20 }, () => unique('key'));
    const answers = await Promise.all(keys.map((key) => Promise.all(gateways.map((url) => sendTo(url, topic, key)))));
    for (const [one, other] of answers) {
      expect([one?.status, one?.text]).toEqual([200, expect.stringContaining('offset')]);
      expect(other).toEqual(one);
    }
    let killedAfter = 0;
    const sent = [...keys];
    const failures: unknown[] = [];
    const client = async (number: number): Promise<void> => {
      // On after the kill until new requests no longer wait for it.
      while (killedAfter === 0 || sent.length < killedAfter + 200) {
        const key = unique('key');
        sent.push(key);
        const url = gateways[number % 2] ?? '';
        const answer = await sendTo(url, topic, key);
        // Some clients repeat each request, by the other gateway.
        const again = number < 4 ? await sendTo(gateways[(number + 1) % 2] ?? '', topic, key) : answer;
        if (answer.status !== 200 || again.text !== answer.text) failures.push({ answer, again });
      }
    };
    const clients = Array.from({ length: 12 }, (_, number) => client(number));
    await until('there is load', () => sent.length > 200);
    expect(await slotsOf('east')).toBeGreaterThan(0);
    await change('east/drain');
    await until('west has all slots', async () => (await slotsOf('east')) === 0);
    await change('east/undrain');
    west.child.kill('SIGKILL');
    await once(west.child, 'exit');
    killedAfter = sent.length;
    await Promise.all(clients);
    expect(failures).toEqual([]);
    const values = await valuesOf(topic, sent.length);
    expect(values.at(-1)).toBe('end');
    expect(values.slice(0, -1).sort()).toEqual(sent.sort());
  });
});

describe('a bridge that freezes with an open transaction', () => {
  const LANE = 'causeway-answers-west/frozen-0';

  test('is refused its commit when it wakes, and says who has its slots', async () => {
    const cluster = testCluster(bootstrap);
    onTestFinished(() => cluster.close());
    const coordinator = new Coordinator(cluster, { kind: 'transaction', key: LANE });
    const isOpen = async (): Promise<boolean> => {
      const { transactionStates } = await coordinator.send(
        (connection) => describeTransactionsV0.api.async(connection, [LANE]),
        within(30_000),
      );
      return transactionStates[0]?.transactionState === 'Ongoing';
    };
    const directory = mkdtempSync(join(tmpdir(), 'causeway-frozen-'));
    onTestFinished(() => rmSync(directory, { recursive: true }));
    const config = {
      bridge: { name: 'frozen', region: 'west' },
      listen: { port: 0 },
      kafka: { bootstrapServers: bootstrap.split(',') },
      trust: TEST_TRUST,
    };
    writeFileSync(join(directory, 'frozen.yaml'), JSON.stringify(config));
    const frozen = new BridgeProcess(directory, ['--config', 'frozen.yaml']);
    const url = await frozen.url();
    const topic = await kafka.topic();
    const gateway = { ...PROOF, 'causeway-gateway': 'tier1' };
    const first = unique('key');
    const taking = { ...gateway, 'causeway-failed': 'east/test-bridge' };
    // It reads the logs first.
    const isServed = async () => (await sendKeyed(url, { topic, key: first, headers: taking })).status === 200;
    await until('it has the slot', isServed, { timeoutMs: 60_000 });

    const answers = new Map<string, Promise<KeyedResponse>>();
    const answered = new Set<string>();
    let isFrozen = false;
    const client = async (): Promise<void> => {
      while (!isFrozen) {
        const key = keyOfSameSlot(first);
        const answer = sendKeyed(url, { topic, key, headers: gateway });
        answers.set(key, answer);
        await answer;
        answered.add(key);
      }
    };
    const clients = Array.from({ length: 8 }, client);
    await until('it is frozen with an open transaction', async () => {
      frozen.child.kill('SIGSTOP');
      isFrozen = await isOpen();
      if (!isFrozen) frozen.child.kill('SIGCONT');
      return isFrozen;
    });
    // Another bridge takes the slot, and executes some of the requests that are under way there.
    const failed = { ...gateway, 'causeway-failed': 'west/frozen' };
    const pending = [...answers.keys()].filter((key) => !answered.has(key));
    const executed = pending.slice(0, Math.ceil(pending.length / 2));
    const send = (key: string): Promise<KeyedResponse> => sendKeyed(bridge.url, { topic, key, headers: failed });
    const taken = new Map(await Promise.all(executed.map(async (key) => [key, await send(key)] as const)));
    frozen.child.kill('SIGCONT');
    await Promise.all(clients);
    await until('its commit was refused', () =>
      frozen.log.some(
        ({ msg, reason }) => /ended without a commit/.test(String(msg)) && /Fenced|Epoch/.test(String(reason)),
      ),
    );
    for (const key of pending) {
      const answer = await answers.get(key);
      // What the other bridge answered; the owner, for the client to send it there.
      if (answer?.status === 421) expect(answer.text).toContain('east/test-bridge');
      else expect(answer).toMatchObject({ status: 200, text: taken.get(key)?.text ?? answer?.text });
      expect(await send(key)).toMatchObject({ status: 200 });
    }
    const [values] = await committedValues(bootstrap, [topic]);
    expect(values?.map((value) => JSON.parse(value)).sort()).toEqual([first, ...answers.keys()].sort());
    expect(await sendKeyed(url, { topic, key: keyOfSameSlot(first), headers: gateway })).toMatchObject({ status: 421 });
  });
});

describe('answers', () => {
  testAnswers(kafka, (signal) => {
    for (const { process } of own.cluster.brokers) process.signal(signal);
  });
});

testRecovery(kafka);
