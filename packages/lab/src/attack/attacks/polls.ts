/** Consumers with slow requests, which say nothing about their bridge. */
import type { Attack, Scene } from '../attack.ts';
import { AttackConsumer, describe } from '../attack-consumer.ts';
import { Findings, pause, times, untilOver } from '../pace.ts';

/** Allowed statuses of a surplus poll. */
const POLL_STATUSES = [200, 409, 429];
/** Added to a poll's own `timeout`: many times the duration of a quick request on this machine, and two seconds. */
function patienceMs({ calmMs }: Scene): number {
  return 2_000 + 50 * calmMs;
}

async function expectPoll(scene: Scene, consumer: AttackConsumer, timeoutMs: number, found: Findings): Promise<void> {
  const reply = await consumer.poll(timeoutMs);
  found.expect(POLL_STATUSES.includes(reply.status), `poll: status ${reply.status}`, describe(reply));
  const isInTime = reply.tookMs <= timeoutMs + patienceMs(scene);
  found.expect(isInTime, `poll of ${timeoutMs} ms without a response within its time`, describe(reply));
}

export const POLLS: readonly Attack[] = [
  {
    name: 'surplus-polls',
    title: '40 polls of one idle consumer at once, again and again',
    claim: 'each poll is 200, 409 or 429 within its own timeout',
    isShort: true,
    async play(scene) {
      const found = new Findings();
      const consumer = await AttackConsumer.idle(scene, 'greedy');
      do {
        await Promise.all(times(40, () => expectPoll(scene, consumer, 3_000, found)));
      } while (!scene.signal.aborted);
      await consumer.delete();
      return found.list();
    },
  },
  {
    name: 'poll-flood',
    title: 'one poll of 5 s each 150 ms, of one idle consumer',
    claim: 'each poll is 200, 409 or 429 within its own timeout',
    async play(scene) {
      const found = new Findings();
      const consumer = await AttackConsumer.idle(scene, 'impatient');
      const polls: Promise<void>[] = [];
      while (!scene.signal.aborted) {
        polls.push(expectPoll(scene, consumer, 5_000, found));
        await pause(150, scene.signal);
      }
      await Promise.all(polls);
      await consumer.delete();
      return found.list();
    },
  },
  {
    name: 'beside-a-poll',
    title: 'commit, seek and subscribe while a poll of the same consumer waits',
    claim: 'each is 204 long before the poll ends, and the poll is 200',
    isShort: true,
    async play(scene) {
      const found = new Findings();
      const consumer = await AttackConsumer.idle(scene, 'busy');
      const pollMs = Math.max(15_000, scene.durationMs);
      const poll = consumer.poll(pollMs);
      const calls = [
        ['/offsets', undefined],
        ['/offsets', { offsets: [{ topic: scene.topic, partition: 0, offset: 0 }] }],
        ['/positions', { offsets: [{ topic: scene.topic, partition: 0, offset: 0 }] }],
        ['/positions/end', { partitions: [{ topic: scene.topic, partition: 0 }] }],
        ['/subscription', { topics: [scene.topic] }],
      ] as const;
      for (const [path, body] of calls) {
        await pause(300, scene.signal);
        const reply = await consumer.post(path, body);
        found.expect(reply.status === 204, `${path}: status ${reply.status}`, describe(reply));
        found.expect(reply.tookMs < pollMs / 3, `${path} waited for the poll`, describe(reply));
      }
      // The poll may have ended early; otherwise it ends with the consumer.
      await consumer.delete();
      const polled = await poll;
      found.expect([200, 404].includes(polled.status), `the poll: status ${polled.status}`, describe(polled));
      return found.list();
    },
  },
  {
    name: 'commit-nowhere',
    title: 'commits to partitions that do not exist, with a request timeout of ten minutes',
    claim: 'no target is blamed for it',
    async play(scene) {
      const found = new Findings();
      const consumer = await AttackConsumer.idle(scene, 'patient', { 'consumer.request.timeout.ms': 600_000 });
      // Not awaited: a client that leaves is part of the attack.
      void untilOver(4, scene.signal, async (loop, round) => {
        const topic = loop % 2 === 0 ? scene.topic : `no-topic-${scene.id}`;
        const reply = await consumer.post('/offsets', { offsets: [{ topic, partition: 9_999 + round, offset: 1 }] });
        found.expect(reply.status !== 502, 'commit: status 502', describe(reply));
        await pause(100, scene.signal);
      });
      await pause(scene.durationMs, scene.signal);
      return found.list();
    },
  },
  {
    name: 'patterns',
    title: 'sixty consumers with a pattern that backtracks catastrophically',
    claim: 'each subscription is 204 or refused, and nothing else stalls',
    isShort: true,
    async play(scene) {
      const found = new Findings();
      const bait = `a${'abcdefghij'.repeat(5)}${scene.id.replace(/[^a-z]/g, '')}`;
      await scene.client.ask({ path: '/admin/topics', body: { topic_name: bait, partitions_count: 1 } });
      const patterns = ['(([a-z]+)+)+!', '(a|aa)+$!', '([a-zA-Z]+)*\\d!', '(.*a){25}!', '(?:x?){40}x{40}'];
      const consumers = await Promise.all(times(60, (index) => AttackConsumer.create(scene, `pattern-${index}`)));
      await Promise.all(
        consumers.map(async (consumer, index) => {
          const reply = await consumer.post('/subscription', { topic_pattern: patterns[index % patterns.length] });
          const isAnswered = reply.status === 204 || (reply.status >= 400 && reply.status <= 500);
          found.expect(isAnswered, `subscription: status ${reply.status}`, describe(reply));
        }),
      );
      await untilOver(consumers.length, scene.signal, async (index) => {
        await consumers[index]?.poll(1_000);
        await pause(500, scene.signal);
      });
      await Promise.all(consumers.map((consumer) => consumer.delete()));
      return found.list();
    },
  },
  {
    name: 'create-delete',
    title: 'consumers created and deleted in a loop',
    claim: 'each is 200 and 204, and memory does not grow with the number of deleted consumers',
    allowed: { growthBytes: 150 * 2 ** 20 },
    async play(scene) {
      const found = new Findings();
      await untilOver(8, scene.signal, async (loop, round) => {
        const name = `brief-${loop}-${round}`;
        const group = `attack-${scene.id}`;
        const created = await scene.client.ask({ path: `/consumers/${group}`, body: { name, format: 'json' } });
        found.expect([200, 429, 503].includes(created.status), `create: status ${created.status}`, describe(created));
        if (created.status !== 200) return;
        const path = `/consumers/${group}/instances/${name}`;
        const deleted = await scene.client.ask({ method: 'DELETE', path });
        found.expect(deleted.status === 204, `delete: status ${deleted.status}`, describe(deleted));
      });
      return found.list();
    },
  },
];
