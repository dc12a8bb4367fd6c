/** Names that are asked for again and again, at a real DNS server. */
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { DnsServer } from '../../../../test/harness/dns-server.ts';
import { until } from '../../../../test/harness/until.ts';
import { NameWatch, type WatchSettings } from './name-watch.ts';

const NAME = 'bridge.test';
let server: DnsServer;
let settings: WatchSettings;
beforeAll(async () => {
  server = await DnsServer.start();
});
afterAll(() => server.close());
beforeEach(() => {
  server.clear();
  settings = { servers: [server.address], timeoutMs: 20_000, maxTargets: 100, refreshMs: 10 };
});

interface Watched {
  watch: NameWatch;
  answerCount: () => number;
}

function watchName(now: () => number = () => performance.now()): Watched {
  let count = 0;
  const watch = new NameWatch({
    query: { name: NAME, kind: 'addresses' },
    settings: () => settings,
    onAnswer: () => {
      count += 1;
    },
    random: () => 0.5,
    now,
  });
  watch.start();
  return { watch, answerCount: () => count };
}

/** Waits for an answer to a question of a later time. */
async function nextAnswer({ answerCount }: Watched): Promise<void> {
  const before = answerCount();
  // One lookup may have begun before.
  await until('two more answers', () => answerCount() >= before + 2);
}

const addressesOf = ({ watch }: Watched): string[] => watch.endpoints.map(({ address }) => address);

const steps = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fc.subarray(['127.0.0.2', '127.0.0.3', '127.0.0.4', '::1']) },
    { weight: 1, arbitrary: fc.constantFrom('gone', 'SERVFAIL', 'REFUSED') },
  ),
  { minLength: 1, maxLength: 8 },
);

test('for any changes of the zone the endpoints are those of the last good answer; closed, nothing is left', async () => {
  const before = resources();
  await fc.assert(
    fc.asyncProperty(steps, async (changes) => {
      server.clear();
      const watched = watchName();
      let expected: string[] = [];
      for (const change of changes) {
        if (Array.isArray(change)) server.set(NAME, change);
        else if (change === 'gone') server.remove(NAME);
        else server.fail(NAME, change as 'SERVFAIL');
        if (Array.isArray(change) && change.length > 0) expected = [...change].sort();
        await nextAnswer(watched);
        expect([addressesOf(watched), watched.watch.isKnown]).toEqual([expected, expected.length > 0]);
        const isGood = Array.isArray(change) && change.length > 0;
        expect(watched.watch.problem === undefined).toBe(isGood);
      }
      watched.watch.close();
    }),
    { seed: 17, numRuns: 12 },
  );
  // Questions that were on their way when the watch closed may still arrive.
  await delay(50);
  const asked = server.questions.length;
  await delay(50);
  expect(server.questions.length).toBe(asked);
  await until('no timer and no socket is left', () => resources() <= before);
});

/** Timers that are referenced, and sockets. */
function resources(): number {
  return process.getActiveResourcesInfo().filter((kind) => /Timeout|UDP|TCPSocket|QUERY|DNS/i.test(kind)).length;
}

test('a failed connection asks again after the shortest gap, once, and also when a lookup runs', async () => {
  settings = { ...settings, refreshMs: 3_600_000 };
  server.set(NAME, ['127.0.0.2']);
  let nowMs = 0;
  const watched = watchName(() => nowMs);
  await until('the first answer', () => watched.answerCount() === 1);
  nowMs = 10_000;
  for (let count = 0; count < 100; count += 1) watched.watch.refreshSoon();
  await until('the second answer', () => watched.answerCount() === 2);
  // While the lookup runs, which may have begun before the failure.
  nowMs = 20_000;
  watched.watch.refreshSoon();
  await until('the next question', () => server.countOf(NAME, 'A') === 3);
  nowMs = 30_000;
  watched.watch.refreshSoon();
  await until('the last answer', () => watched.answerCount() >= 3);
  watched.watch.close();
  expect(server.countOf(NAME, 'A')).toBeLessThanOrEqual(4);
  expect(watched.watch.counts.found).toBe(watched.answerCount());
});

test('it never has two lookups at a time, and the age is that of the last good answer', async () => {
  server.fail(NAME, 'SILENT');
  settings = { ...settings, timeoutMs: 100 };
  let nowMs = 0;
  const watched = watchName(() => nowMs);
  const timer = setInterval(() => watched.watch.refreshSoon(), 1);
  nowMs = 5_000;
  await until('two lookups have failed', () => watched.answerCount() >= 2);
  clearInterval(timer);
  // c-ares sends each question twice.
  expect(server.countOf(NAME, 'A')).toBeLessThanOrEqual(2 * (watched.answerCount() + 1));
  expect(watched.watch.ageMs).toBe(5_000);
  expect(watched.watch.counts.failed).toBe(watched.answerCount());
  server.set(NAME, ['127.0.0.2']);
  await until('it has an answer', () => watched.watch.isKnown);
  expect(watched.watch.ageMs).toBe(0);
  watched.watch.close();
});

test('changed settings count at the next lookup', async () => {
  server.set(NAME, ['127.0.0.2', '127.0.0.3']);
  const watched = watchName();
  await until('it has an answer', () => watched.watch.isKnown);
  settings = { ...settings, maxTargets: 1 };
  await nextAnswer(watched);
  expect([addressesOf(watched), watched.watch.problem?.kind]).toEqual([['127.0.0.2'], 'tooMany']);
  watched.watch.close();
});
