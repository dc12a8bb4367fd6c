/** A lane over a real Kafka: one topic in trouble does not hold up the others, and a key is stored once whatever its slot did. */
import { setTimeout as delay } from 'node:timers/promises';
import { expect, onTestFinished, test, vi } from 'vitest';
import { kafkaOfFile } from '../../../test/harness/bridge.ts';
import { clusterOfFile } from '../../../test/harness/cluster.ts';
import { unique } from '../../../test/harness/kafka-view.ts';
import { until } from '../../../test/harness/until.ts';
import { runAtOnce } from '../src/http/sliced-work.ts';
import { AnswerLog } from '../src/idempotency/answer-log.ts';
import { IdempotencyTotals } from '../src/idempotency/idempotency-totals.ts';
import { hashKey } from '../src/idempotency/key-shard.ts';
import type { KeyedOutcome } from '../src/idempotency/keyed-request.ts';
import { Lane } from '../src/idempotency/lane.ts';
import { within } from '../src/kafka/client/limits.ts';
import type { TopicInfo } from '../src/kafka/client/metadata.ts';
import { ProduceClient } from '../src/kafka/produce/produce.ts';
import { TransactionalProducer } from '../src/kafka/transactions/transactional-producer.ts';

const kafka = await kafkaOfFile();
const cluster = clusterOfFile();

/** A lane that holds all slots, and a way to send it requests. */
async function lane({ isHeld = () => true, maxBatchBytes = 1_048_576 } = {}) {
  const options = { requestTimeoutMs: 20_000, retentionMs: 86_400_000, maxKeys: 1_000_000, onTrouble: () => {} };
  const answerLog = new AnswerLog(cluster, options);
  answerLog.start();
  onTestFinished(() => answerLog.close());
  await answerLog.untilLoaded(within(20_000));
  const client = new ProduceClient(cluster, { acks: 'all', timeoutMs: 20_000, compression: 'none' });
  onTestFinished(() => client.close());
  const transaction = { transactionalId: unique('causeway-answers-lane'), transactionTimeoutMs: 15_000 };
  const totals = new IdempotencyTotals();
  /** As of the first request. */
  const infos = new Map<string, TopicInfo>();
  const tested = new Lane({
    producer: new TransactionalProducer(cluster, client, transaction),
    answerLog,
    totals,
    maxRequestBytes: 1_048_576,
    maxBlockMs: 10_000,
    maxBatchBytes,
    maxBatchRecords: 10_000,
    holds: isHeld,
    regain: (limits) => answerLog.readToEnd(limits),
    suspend: () => {},
    onFreed: () => {},
    topicOf: (name) => infos.get(name),
    onTopicGone: () => {},
    log: { info: () => {}, error: () => {} },
  });
  onTestFinished(() => tested.close());
  const infoOf = async (topic: string) => {
    const known = infos.get(topic);
    if (known !== undefined) return known;
    const answer = (await cluster.topics([topic], within(20_000))).get(topic);
    if (answer === undefined || !('topic' in answer)) throw new Error(`no ${topic}`);
    infos.set(topic, answer.topic);
    return answer.topic;
  };
  const send = async (topic: string, key = unique('key')): Promise<KeyedOutcome> => {
    const info = await infoOf(topic);
    const identity = Buffer.from(key);
    return await new Promise((resolve, reject) => {
      tested.push({
        identity,
        keyHash: hashKey(identity),
        slot: 0,
        fingerprint: 'f',
        topic,
        info,
        records: [
          { key: null, value: Buffer.from(key), headers: undefined, partition: undefined, timestampMs: undefined },
        ],
        recordBytes: [200],
        bytes: 139,
        results: [],
        inSlices: runAtOnce,
        answer: undefined,
        deadlineAtMs: performance.now() + 20_000,
        notBeforeMs: 0,
        isUncertain: false,
        resolve,
        reject,
      });
    });
  };
  return { tested, send, totals };
}

test('requests for a topic that was deleted do not hold up those for others', async () => {
  const { send } = await lane();
  const [gone, other] = [await kafka.topic(), await kafka.topic()];
  expect(await send(gone)).toMatchObject({ kind: 'answered' });
  await kafka.admin.deleteTopics({ topics: [gone] });
  const isOver = vi.fn();
  await until('the topic takes no more', async () => {
    const stuck = send(gone)
      .catch(() => {})
      .finally(isOver);
    isOver.mockClear();
    return (await Promise.race([stuck, delay(200, 'stuck')])) === 'stuck';
  });
  await Promise.all([send(other), send(other)]);
  for (let count = 0; count < 10; count += 1) expect(await send(other)).toMatchObject({ kind: 'answered' });
  expect(isOver).not.toHaveBeenCalled();
});

test('a key that was answered while its request waited is not stored again', async () => {
  const { send } = await lane();
  const topic = await kafka.topic();
  const key = unique('key');
  expect(await send(topic, key)).toMatchObject({ kind: 'answered' });
  expect(await send(topic, key)).toEqual({ kind: 'lost' });
  expect(await send(topic)).toMatchObject({ kind: 'answered' });
  expect(await kafka.read(topic, 2)).toHaveLength(2);
});

test('what arrives while the markers of a transaction are written shares the next one', async () => {
  const { send, totals } = await lane();
  const topic = await kafka.topic();
  await send(topic);
  const before = totals.committedCount;
  const first = send(topic);
  await new Promise((resolve) => setImmediate(resolve));
  await Promise.all([first, send(topic), send(topic)]);
  expect(totals.committedCount - before).toBe(1);
});
