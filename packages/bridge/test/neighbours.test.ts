/** Consumers of one group that are slow, silent or greedy, and what the others get. */
import { expect, inject, onTestFinished, test } from 'vitest';
import { bridgeOfFile, kafkaOfFile, TestBridge } from '../../../test/harness/bridge.ts';
import { unique } from '../../../test/harness/kafka-view.ts';
import { Stopwatch } from '../../../test/harness/stopwatch.ts';
import { until } from '../../../test/harness/until.ts';

const kafka = await kafkaOfFile();
const bridge = await bridgeOfFile();

async function otherBridge(overrides: Record<string, object>): Promise<TestBridge> {
  const other = await TestBridge.start(inject('kafkaBootstrap'), { bridge: { name: 'other' }, ...overrides });
  onTestFinished(() => other.close());
  return other;
}

async function topicWithTwo(): Promise<string> {
  const topic = await kafka.topic(2);
  await kafka.write(
    topic,
    [0, 1].map((partition) => ({ value: `${partition}`, partition })),
  );
  return topic;
}

test('a first poll waits for a group that takes its time, and no longer than its own', async () => {
  const slow = await otherBridge({ kafka: { heartbeatIntervalMs: 10_000, sessionTimeoutMs: 40_000 } });
  const [group, topic] = [unique('group'), await topicWithTwo()];
  const options = { 'enable.auto.commit': false };
  const first = await slow.consumer(group, 'first', [topic], options);
  expect((await first.take(2)).map(({ value }) => value).sort()).toEqual([0, 1]);
  // Its next heartbeat reports the new members.
  const impatient = await bridge.consumer(group, 'impatient', [topic], options);
  const watch = new Stopwatch();
  expect(await impatient.poll('timeout=100')).toMatchObject({ status: 200, body: [] });
  expect(watch.stop()).toBeLessThan(8000);
  // Joining continues meanwhile, and the first poll that waits long enough gets its records.
  expect((await impatient.poll('timeout=60000')).body).toHaveLength(1);
});

test('a rebalance waits a moment for a client that commits by itself and has just received records', async () => {
  const brisk = await otherBridge({ kafka: { heartbeatIntervalMs: 50 } });
  const options = { 'enable.auto.commit': false };
  // A machine that is busy takes longer than the moment: that says nothing.
  await until('a client commits in time', async () => {
    const [group, topic] = [unique('group'), await topicWithTwo()];
    const first = await brisk.consumer(group, 'first', [topic], options);
    const second = await bridge.consumer(group, 'second', [topic], options);
    let receivedAtMs = 0;
    for (let count = 0; count < 2; ) {
      const { body } = await first.poll();
      receivedAtMs = performance.now();
      count += body.length;
    }
    const polling = second.poll('timeout=20000');
    // Several heartbeats of the first one, which know of the second one by then.
    await until('the second one joins, or waits', async () => {
      const { state, members } = await kafka.group(group);
      const isWaiting = state === 'PreparingRebalance' && performance.now() - receivedAtMs > 300;
      return isWaiting || (state === 'Stable' && members.length === 2);
    });
    expect((await first.commit()).status).toBe(204);
    const tookMs = performance.now() - receivedAtMs;
    await kafka.write(
      topic,
      [0, 1].map((partition) => ({ value: '"later"', partition })),
    );
    const values = (await polling).body.map(({ value }: { value: unknown }) => value);
    await Promise.all([first.delete(), second.delete()]);
    if (tookMs > 800) return false;
    expect(values).toEqual(['later']);
    return true;
  });
});

test('partitions of a consumer that is no longer polled go to the others, with its unconfirmed records', async () => {
  const short = await otherBridge({ consumers: { inactivityTimeoutMs: 6000 } });
  const [group, topic] = [unique('group'), await topicWithTwo()];
  const used = await short.consumer(group, 'used', [topic]);
  const unused = await short.consumer(group, 'unused', [topic]);
  const seen = new Map<string, unknown[]>([
    ['used', []],
    ['unused', []],
  ]);
  await until('each has a partition', async () => {
    const answers = await Promise.all([used, unused].map((consumer) => consumer.poll('timeout=300')));
    for (const [index, { body }] of answers.entries()) {
      seen.get(index === 0 ? 'used' : 'unused')?.push(...body.map(({ value }: { value: unknown }) => value));
    }
    const held = await Promise.all([used, unused].map(({ path }) => short.get(`${path}/assignments`)));
    return held.every(({ body }) => body.partitions.length === 1) && [...seen.values()].flat().length >= 2;
  });
  await kafka.write(
    topic,
    [0, 1].map((partition) => ({ value: `${partition + 2}`, partition })),
  );
  // From now on only one of them is polled.
  const values: unknown[] = [];
  await until(
    'the other one’s records',
    async () => {
      values.push(...(await used.poll('timeout=300')).body.map(({ value }: { value: unknown }) => value));
      return values.includes(2) && values.includes(3);
    },
    { timeoutMs: 60_000 },
  );
  expect((await unused.poll()).status).toBe(404);
  expect((await short.get(`${used.path}/assignments`)).body.partitions).toHaveLength(2);
  expect(await kafka.members(group)).toEqual(['used']);
});

test('large records come one at a time to who takes small answers, and nothing is lost', async () => {
  const SIZE_BYTES = 300_000;
  const topic = await kafka.topic();
  for (let index = 0; index < 8; index += 1)
    await kafka.write(topic, [{ value: `"${index}${'x'.repeat(SIZE_BYTES)}"` }]);
  const consumer = await bridge.consumer(unique('group'), 'c', [topic]);
  const offsets: number[] = [];
  while (offsets.length < 8) {
    const { status, body, text } = await consumer.poll(`timeout=20000&max_bytes=${SIZE_BYTES * 1.5}`);
    expect(status).toBe(200);
    expect(Buffer.byteLength(text)).toBeLessThanOrEqual(SIZE_BYTES * 1.5);
    expect(body).toHaveLength(1);
    offsets.push(body[0].offset);
  }
  expect(offsets).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
});
