import { afterEach, beforeEach, describe, expect, inject, onTestFinished, test } from 'vitest';
import { testCluster } from '../../../../test/harness/cluster.ts';
import { KafkaView, unique } from '../../../../test/harness/kafka-view.ts';
import { IDLE_SESSION } from '../../../../test/harness/session-description.ts';
import { until } from '../../../../test/harness/until.ts';
import { within } from '../kafka/client/limits.ts';
import { Claims } from './claims.ts';
import { DELETED_RETENTION_MS, forgetOld, MAX_DELETED } from './forgetting.ts';
import { Leases } from './leases.ts';
import { type EntryValue, isCarriedOver } from './session-entry.ts';
import { SessionLog } from './session-log.ts';
import type { SessionLogFollower } from './session-log-partitions.ts';

const HELD: EntryValue = {
  version: 1,
  owner: 'east/a',
  state: 'held',
  writtenAtMs: 1,
  createdAtMs: 1,
  description: IDLE_SESSION,
};

async function open(topic: string, follower: SessionLogFollower = {}): Promise<SessionLog> {
  const cluster = testCluster(inject('kafkaBootstrap'));
  const log = new SessionLog(cluster, { requestTimeoutMs: 20_000, topic });
  log.follow(follower);
  log.start();
  onTestFinished(async () => {
    await log.close();
    await cluster.close();
  });
  await until('the log is read', () => log.unreadyReason === undefined, { timeoutMs: 60_000 });
  return log;
}

test('sessions that are created and deleted in a loop are forgotten by every bridge, but for the last ones', async () => {
  const topic = unique('sessions');
  const [a, b] = [await open(topic), await open(topic)];
  const count = MAX_DELETED + 1000;
  const identities = Array.from({ length: count }, (_, at) => ({ group: 'g', name: `c${at}` }));
  await Promise.all(
    identities.map(async (identity) => {
      await a.append(identity, { epoch: 1, id: 'x' }, HELD, within(60_000));
      const over = { version: 1, owner: 'east/a', state: 'deleted' as const, writtenAtMs: 1, createdAtMs: 1 };
      await a.append(identity, { epoch: 2, id: 'y' }, over, within(60_000));
    }),
  );
  await Promise.all([a, b].map((log) => log.readToEnd(within(60_000))));
  expect([a.deletedCount, b.deletedCount]).toEqual([count, count]);
  const forget = async (log: SessionLog, self: string, afterMs: number): Promise<number[]> => {
    const nowMs = performance.now() + afterMs;
    await forgetOld(log, { self, watch: { sinceMs: 0, nowMs }, limits: within(60_000) });
    await Promise.all([a, b].map((each) => each.readToEnd(within(60_000))));
    return [a.deletedCount, b.deletedCount];
  };
  // A write may be late; and the other bridge leaves the removal to the one that deleted them.
  expect(await forget(a, 'east/a', 0)).toEqual([count, count]);
  expect(await forget(b, 'west/b', 61_000)).toEqual([count, count]);
  const [left = 0, leftElsewhere] = await forget(a, 'east/a', 61_000);
  expect(left).toBeLessThanOrEqual(MAX_DELETED);
  expect(left).toBeGreaterThan(MAX_DELETED / 2);
  expect(leftElsewhere).toBe(left);
  expect(await forget(b, 'west/b', 2 * DELETED_RETENTION_MS + 1000)).toEqual([0, 0]);
});

describe('of a log that was deleted', () => {
  const identity = { group: 'g', name: 'c' };
  let topic: string;
  let kafka: KafkaView;

  beforeEach(async () => {
    topic = unique('sessions');
    kafka = await KafkaView.connect(inject('kafkaBootstrap'));
  });
  afterEach(() => kafka.close());

  const claimed = (epoch: number) => ({
    identity,
    epoch,
    createdAtMs: 1,
    inherited: {},
    limits: within(20_000),
    content: { state: 'held' as const, description: IDLE_SESSION },
  });

  test('a claim confirms nothing until it is written again, and confirms under its epoch then', async () => {
    const writing = Promise.withResolvers<void>();
    let isRecreated = false;
    const log = await open(topic, {
      onRecreated: async () => {
        isRecreated = true;
        await writing.promise;
      },
    });
    const claims = new Claims({ log, self: 'east/a', inactivityTimeoutMs: 60_000 });
    const won = await claims.write(claimed(7));
    if (won === undefined) throw new Error('not won');
    const own = { entry: won.entry, description: IDLE_SESSION };
    await kafka.admin.deleteTopics({ topics: [topic] });
    await until('the bridge notices', () => isRecreated);
    const leases = new Leases(log);
    await expect(leases.confirm(own, within(200))).rejects.toMatchObject({
      code: 'kafkaUnavailable',
      message: expect.stringContaining('recreated'),
    });
    expect(await claims.writeAgain(own, IDLE_SESSION, within(20_000))).toBe(true);
    writing.resolve();
    expect(await leases.confirm(own, within(20_000))).toEqual({ kind: 'keep' });
    const entry = log.get(identity);
    expect(entry).toMatchObject({ id: won.entry.id, epoch: 7 });
    expect(entry && isCarriedOver(entry)).toBe(false);
    // A bridge that starts now reads the same, with the claim's place in the new log.
    await claims.update(own, IDLE_SESSION, { limits: within(20_000) });
    expect((await open(topic)).get(identity)).toMatchObject({
      id: won.entry.id,
      epoch: 7,
      claimedAtOffset: entry?.claimedAtOffset,
    });
  });

  test('a claim that was not written again is confirmed no more, and the session is claimed under the next epoch', async () => {
    let isRecreated = false;
    const log = await open(topic, {
      onRecreated: async () => {
        isRecreated = true;
      },
    });
    const claims = new Claims({ log, self: 'east/a', inactivityTimeoutMs: 60_000 });
    const won = await claims.write(claimed(7));
    if (won === undefined) throw new Error('not won');
    const own = { entry: won.entry, description: IDLE_SESSION };
    await kafka.admin.deleteTopics({ topics: [topic] });
    await until('the bridge notices', () => isRecreated);
    await log.readToEnd(within(20_000));
    const leases = new Leases(log);
    expect(leases.isUnfit(own.entry)).toBe(true);
    await expect(leases.confirm(own, within(20_000))).rejects.toMatchObject({ code: 'kafkaUnavailable' });
    const written = await claims.claimAgain(own, IDLE_SESSION, { limits: within(20_000) });
    if (written.kind !== 'written') throw new Error(written.kind);
    expect(written.claim.entry.epoch).toBe(8);
    expect(await leases.confirm(written.claim, within(20_000))).toEqual({ kind: 'keep' });
    expect((await open(topic)).get(identity)).toMatchObject({ epoch: 8 });
  });

  test('claims that are made during the deletion are in the new log, and win there', async () => {
    const log = await open(topic);
    const claims = new Claims({ log, self: 'east/a', inactivityTimeoutMs: 60_000 });
    let own = await claims.write(claimed(1));
    let isDeleted = false;
    const deleting = kafka.admin.deleteTopics({ topics: [topic] }).then(() => {
      isDeleted = true;
    });
    for (let afterwards = 0; afterwards < 20; afterwards += isDeleted ? 1 : 0) {
      if (own === undefined) throw new Error('not won');
      const again = await claims.claimAgain({ entry: own.entry, description: IDLE_SESSION }, IDLE_SESSION, {
        limits: within(20_000),
      });
      if (again.kind !== 'written') throw new Error(again.kind);
      own = { entry: again.claim.entry, storedAtMs: 0 };
    }
    await deleting;
    expect((await open(topic)).get(identity)).toMatchObject({ id: own?.entry.id, epoch: own?.entry.epoch });
  });
});
