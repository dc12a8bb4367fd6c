import { connectionsApiChannel } from '@platformatic/kafka';
import { expect, inject, onTestFinished, test } from 'vitest';
import { kafkaOfFile, TestBridge } from '../../../../test/harness/bridge.ts';
import { clusterOfFile } from '../../../../test/harness/cluster.ts';
import { unique } from '../../../../test/harness/kafka-view.ts';
import { until } from '../../../../test/harness/until.ts';
import { TopicListing } from './topic-listing.ts';

const kafka = await kafkaOfFile();
const cluster = clusterOfFile();

/** Counts the metadata requests of this process. */
function countMetadataRequests(): () => number {
  const METADATA_KEY = 3;
  let count = 0;
  const onStart = (context: { apiKey?: number }): void => {
    if (context.apiKey === METADATA_KEY) count += 1;
  };
  connectionsApiChannel.start.subscribe(onStart as never);
  onTestFinished(() => {
    connectionsApiChannel.start.unsubscribe(onStart as never);
  });
  return () => count;
}

test('a listing begins after the call, and all calls that come while another one runs share it', async () => {
  const listing = new TopicListing(cluster, { refreshMs: 60_000, requestTimeoutMs: 20_000 });
  await cluster.listTopics({ deadlineAtMs: performance.now() + 20_000 });
  const requestCount = countMetadataRequests();
  const first = listing.look();
  const topic = await kafka.topic();
  const others = await Promise.all(Array.from({ length: 20 }, () => listing.look()));
  await first;
  for (const { names } of others) expect(names).toContain(topic);
  // The first one, one that the first of the others began, and one for all calls that came while that ran.
  expect(requestCount()).toBeLessThanOrEqual(3);
});

test('Kafka is not asked without watchers, and one request serves all of them', async () => {
  const listing = new TopicListing(cluster, { refreshMs: 20, requestTimeoutMs: 20_000 });
  const seen = Array.from({ length: 10 }, () => 0);
  const requestCount = countMetadataRequests();
  const stops = seen.map((_, index) =>
    listing.watch(() => {
      seen[index] = (seen[index] ?? 0) + 1;
    }),
  );
  await until('everyone has seen three looks', () => seen.every((count) => count >= 3));
  for (const stop of stops) stop();
  // All have seen the same listings; one more may be on its way.
  expect(new Set(seen).size).toBe(1);
  expect(requestCount()).toBeLessThanOrEqual((seen[0] ?? 0) + 1);
});

test('many consumers with patterns ask no more often than one', async () => {
  const REFRESH_MS = 200;
  const bridge = await TestBridge.start(inject('kafkaBootstrap'), {
    consumers: { topicRefreshMs: REFRESH_MS },
    // Nothing else asks for metadata meanwhile.
    readiness: { intervalMs: 3_000_000, maxAgeMs: 4_000_000 },
    kafka: { metadataMaxAgeMs: 600_000 },
  });
  onTestFinished(() => bridge.close());
  const prefix = unique('many');
  const consumers = await Promise.all(
    Array.from({ length: 12 }, async (_, index) => {
      const consumer = await bridge.consumer(unique('group'), `c${index}`, []);
      await bridge.post(`${consumer.path}/subscription`, { topic_pattern: `${prefix}.*` });
      return consumer;
    }),
  );
  const empty = await Promise.all(consumers.map((consumer) => consumer.poll('timeout=200')));
  for (const { body } of empty) expect(body).toEqual([]);
  const requestCount = countMetadataRequests();
  const startedAtMs = performance.now();
  await until('ten questions were asked', () => requestCount() >= 10);
  // The first one may come at once. With a timer for each, all would ask within one interval.
  expect(performance.now() - startedAtMs).toBeGreaterThan(5 * REFRESH_MS);
  // And all of them see a new topic.
  await kafka.createTopic(`${prefix}.new`);
  await kafka.write(`${prefix}.new`, [{ value: '"new"' }]);
  const taken = await Promise.all(consumers.map((consumer) => consumer.take(1)));
  for (const [record] of taken) expect(record?.value).toBe('new');
});
