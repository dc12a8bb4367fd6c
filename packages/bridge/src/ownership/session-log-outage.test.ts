/** The session log while Kafka is away; on a Kafka of its own, because it is killed. */
import { findFreePorts } from '@causeway/lab/stack/ports.ts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { testCluster } from '../../../../test/harness/cluster.ts';
import { type OwnKafka, QUICK_RESTART, startOwnKafka } from '../../../../test/harness/own-kafka.ts';
import { until } from '../../../../test/harness/until.ts';
import { readClocks } from '../clock.ts';
import type { Cluster } from '../kafka/client/cluster.ts';
import { within } from '../kafka/client/limits.ts';
import { DEFAULT_LEASE_MS, isConfirmed } from './rules.ts';
import type { EntryValue } from './session-entry.ts';
import { SessionLog } from './session-log.ts';

let kafka: OwnKafka | undefined;
let cluster: Cluster;
let log: SessionLog;
const troubles: (string | undefined)[] = [];

beforeAll(async () => {
  const ports = await findFreePorts(2);
  cluster = testCluster(`127.0.0.1:${ports[0]}`);
  log = new SessionLog(cluster, { requestTimeoutMs: 2000, onTrouble: (reason) => troubles.push(reason) });
  // The bridge is there before Kafka is.
  log.start();
  await expect(log.readToEnd(within(500))).rejects.toMatchObject({ code: 'kafkaUnavailable' });
  expect(log.unreadyReason).toBeDefined();
  kafka = await startOwnKafka({ brokerCount: 1, ports, properties: QUICK_RESTART });
});

afterAll(async () => {
  await log.close();
  await cluster.close();
  await kafka?.close();
});

const IDENTITY = { group: 'g', name: 'c' };

async function write(epoch: number): Promise<string> {
  const value: EntryValue = { version: 1, owner: 'east/b', state: 'deleted', writtenAtMs: 0, createdAtMs: 0 };
  return (await log.append(IDENTITY, { epoch, id: `${epoch}` }, value, within(20_000))).kind;
}

function isNowConfirmed(): boolean {
  return isConfirmed(log.confirmedAt(IDENTITY), readClocks(), DEFAULT_LEASE_MS);
}

async function isConfirmedWhenAsked(): Promise<boolean> {
  await log.readToEnd(within(2000)).catch(() => {});
  return isNowConfirmed();
}

test('the log is readable once Kafka is, confirms nothing while Kafka is away, and continues after that', async () => {
  await until('the log is read', () => log.unreadyReason === undefined, { timeoutMs: 60_000 });
  await until('a claim is stored', async () => (await write(1)) === 'stored');
  await until('it is confirmed', isConfirmedWhenAsked);

  const [broker] = kafka?.cluster.brokers ?? [];
  if (broker === undefined) throw new Error('no broker');
  broker.process.signal('SIGSTOP');
  await until('nothing is confirmed any more', () => !isNowConfirmed());
  await expect(log.readToEnd(within(500))).rejects.toMatchObject({ code: 'kafkaUnavailable' });
  // Whether it will be stored is unknown.
  expect(await write(2)).toBe('unknown');
  await until('it reports why', () => log.unreadyReason !== undefined);
  broker.process.signal('SIGCONT');
  await until('it continues', async () => (await isConfirmedWhenAsked()) && log.unreadyReason === undefined);

  await kafka?.cluster.killBroker(broker.id);
  await until('it reports why again', () => log.unreadyReason !== undefined);
  expect(log.get(IDENTITY)).toBeDefined();
  await kafka?.cluster.restartBroker(broker.id);
  await until('it continues again', async () => (await isConfirmedWhenAsked()) && log.unreadyReason === undefined, {
    timeoutMs: 60_000,
  });
  await until('a claim is stored again', async () => (await write(3)) === 'stored');
  await log.readToEnd(within(20_000));
  expect(log.get(IDENTITY)?.epoch).toBe(3);
  // Reported once for each change, not at each attempt.
  expect(troubles.filter((reason, at) => at > 0 && reason === troubles[at - 1])).toEqual([]);
  expect(troubles.filter((reason) => reason === undefined).length).toBeGreaterThanOrEqual(3);
});

test('a log that waits for a missing Kafka closes at once', async () => {
  // No process listens on the discard port (RFC 863).
  const nowhere = testCluster('127.0.0.1:9');
  const lonely = new SessionLog(nowhere, { requestTimeoutMs: 60_000 });
  lonely.start();
  await expect(lonely.readToEnd(within(200))).rejects.toMatchObject({ code: 'kafkaUnavailable' });
  const startMs = performance.now();
  await lonely.close();
  await nowhere.close();
  expect(performance.now() - startMs).toBeLessThan(20_000);
});
