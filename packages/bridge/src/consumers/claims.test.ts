import { expect, inject, onTestFinished, test } from 'vitest';
import { testCluster } from '../../../../test/harness/cluster.ts';
import { unique } from '../../../../test/harness/kafka-view.ts';
import { until } from '../../../../test/harness/until.ts';
import { within } from '../kafka/limits.ts';
import type { EntryValue } from '../kafka/session-entry.ts';
import { DELETED_RETENTION_MS, MAX_DELETED, SessionLog } from '../kafka/session-log.ts';
import { Claims } from './claims.ts';

const HELD: EntryValue = {
  ...{ version: 1, owner: 'east/a', state: 'held', writtenAtMs: 1, createdAtMs: 1 },
  description: {
    options: {
      ...{ format: 'json', resetPolicy: 'latest', fetchMinBytes: 1, requestTimeoutMs: 1 },
      ...{ isAutoCommit: true, isolationLevel: 'read_uncommitted' },
    },
    ...{ subscription: { kind: 'none' }, seeks: [] },
  },
};

async function open(topic: string): Promise<SessionLog> {
  const cluster = testCluster(inject('kafkaBootstrap'));
  const log = new SessionLog(cluster, { requestTimeoutMs: 20_000, topic });
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
  const claims = (log: SessionLog, self: string) => new Claims({ log, self, inactivityTimeoutMs: 60_000 });
  const forget = async (log: SessionLog, self: string, afterMs: number): Promise<number[]> => {
    const nowMs = performance.now() + afterMs;
    await claims(log, self).forgetOld({ sinceMs: 0, nowMs }, within(60_000));
    await Promise.all([a, b].map((each) => each.readToEnd(within(60_000))));
    return [a.deletedCount, b.deletedCount];
  };
  // A write may be late, and the other bridge leaves it to the one that ended them.
  expect(await forget(a, 'east/a', 0)).toEqual([count, count]);
  expect(await forget(b, 'west/b', 61_000)).toEqual([count, count]);
  const [left = 0, leftElsewhere] = await forget(a, 'east/a', 61_000);
  expect(left).toBeLessThanOrEqual(MAX_DELETED);
  expect(left).toBeGreaterThan(MAX_DELETED / 2);
  expect(leftElsewhere).toBe(left);
  expect(await forget(b, 'west/b', 2 * DELETED_RETENTION_MS + 1000)).toEqual([0, 0]);
});
