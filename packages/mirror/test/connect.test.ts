/** MirrorMaker's connectors in real clusters of Kafka Connect, between two real Kafka clusters. */

import type { StartPosition } from '@causeway/protocol/clusters.ts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { until } from '../../../test/harness/until.ts';
import { ConnectApi } from '../src/connect/connect-api.ts';
import { type ConnectEvent, ConnectReplicator } from '../src/connect/connect-replicator.ts';
import {
  createConnectors,
  endOf,
  type Side,
  startTwoSides,
  type TwoSides,
  untilCount,
  valuesOf,
  write,
} from './connect-fixture.ts';

const numbered = (prefix: string, count: number): string[] => Array.from({ length: count }, (_, i) => `${prefix}${i}`);

let sides: TwoSides;
let east: Side;
let west: Side;
let towardsWest: Filled;
let towardsEast: Filled;

/** The replicator of one cluster, and what it does. */
class Filled {
  readonly side: Side;
  readonly source: Side;
  readonly events: ConnectEvent[] = [];
  /** Where to begin; throws if undefined. */
  positions: StartPosition[] | undefined = [];
  #replicator: ConnectReplicator;

  constructor(source: Side, side: Side) {
    this.source = source;
    this.side = side;
    this.#replicator = this.restart();
  }

  /** Another process: it remembers nothing. */
  restart(): ConnectReplicator {
    this.#replicator = new ConnectReplicator({
      api: new ConnectApi([this.side.connect.url], undefined),
      target: this.side.name,
      prepare: async () => {
        if (this.positions === undefined) throw new Error('no positions yet');
        return this.positions;
      },
      onEvent: (event) => this.events.push(event),
      now: () => performance.now(),
    });
    return this.#replicator;
  }

  async run(): Promise<void> {
    await until(`${this.side.name} is filled`, () => this.#replicator.run(this.source.name));
  }

  look(): Promise<boolean> {
    return this.#replicator.run(this.source.name);
  }

  async stop(): Promise<void> {
    await until(`${this.side.name} is not filled`, () => this.#replicator.stop());
  }

  /** Since the last call. */
  happened(): ConnectEvent[] {
    return this.events.splice(0);
  }
}

const SOURCE = { towardsWest: 'east to west: Source', towardsEast: 'west to east: Source' };
const CHECKPOINT = { towardsWest: 'east to west: Checkpoint', towardsEast: 'west to east: Checkpoint' };

beforeAll(async () => {
  sides = await startTwoSides();
  ({ east, west } = sides);
  await Promise.all([createConnectors(east, west), createConnectors(west, east)]);
  towardsWest = new Filled(east, west);
  towardsEast = new Filled(west, east);
});
afterAll(() => sides?.close());

test('connectors that were created stopped run in the first direction, and copy all', async () => {
  for (const topic of ['orders', 'quiet']) await east.view.createTopic(topic);
  await write(east, 'orders', numbered('a', 10));
  await write(east, 'quiet', numbered('q', 3));
  await towardsWest.run();
  await untilCount(west, 'orders', 10);
  await untilCount(west, 'quiet', 3);
  expect(await valuesOf(west, 'orders')).toEqual(numbered('a', 10));
  expect(towardsWest.happened()).toEqual([
    { type: 'resume', connector: SOURCE.towardsWest },
    { type: 'resume', connector: CHECKPOINT.towardsWest },
  ]);
  expect(await towardsWest.look()).toBe(true);
  expect(towardsWest.happened()).toEqual([]);
});

test('a turn copies what was written since the promotion, and nothing back', async () => {
  await towardsWest.stop();
  expect(towardsWest.happened().map(({ type }) => type)).toEqual(['stop', 'stop']);
  // Records of east that west never got, and records of west since its promotion.
  await write(east, 'orders', numbered('tail', 2));
  await write(west, 'orders', numbered('b', 5));

  // No position is known yet: nothing runs, however often it is tried.
  towardsEast.positions = undefined;
  for (let i = 0; i < 3; i += 1) await expect(towardsEast.look()).rejects.toThrow('no positions yet');
  expect(towardsEast.happened()).toEqual([]);
  // Another process knows where to begin.
  towardsEast.restart();
  towardsEast.positions = [
    { topic: 'orders', partition: 0, offset: 9 },
    { topic: 'quiet', partition: 0, offset: 2 },
  ];
  await towardsEast.run();
  expect(towardsEast.happened()).toEqual([
    { type: 'positioned', connector: SOURCE.towardsEast, partitionCount: 2 },
    { type: 'resume', connector: SOURCE.towardsEast },
    { type: 'resume', connector: CHECKPOINT.towardsEast },
  ]);
  await write(west, 'orders', numbered('c', 5));
  await write(west, 'quiet', ['q3']);
  await untilCount(east, 'orders', 22);
  await untilCount(east, 'quiet', 4);
  expect(await valuesOf(east, 'orders')).toEqual([
    ...[...numbered('a', 10), ...numbered('tail', 2)],
    ...[...numbered('b', 5), ...numbered('c', 5)],
  ]);
});

test('a connector that was stopped or paused by hand continues where it was, not where it was prepared', async () => {
  const api = new ConnectApi([east.connect.url], undefined);
  await until('the offsets are kept', async () => {
    const offsets = await api.offsets(SOURCE.towardsEast);
    return offsets.some(({ partition, offset }) => partition.topic === 'orders' && offset?.offset === 19);
  });
  for (const way of ['stop', 'pause']) {
    await east.connect.request('PUT', `/connectors/${encodeURIComponent(SOURCE.towardsEast)}/${way}`);
    await until('it does not run', async () => !(await towardsEast.look()));
    await towardsEast.run();
  }
  expect(towardsEast.happened().filter(({ type }) => type === 'positioned')).toEqual([]);
  await write(west, 'orders', ['d']);
  await untilCount(east, 'orders', 23);
  expect((await valuesOf(east, 'orders')).slice(-2)).toEqual(['c4', 'd']);
});

test('a failed task is restarted, less and less often, until it works', async () => {
  const limit = (bytes: number) =>
    east.view.admin.alterConfigs({
      validateOnly: false,
      resources: [{ type: 2, name: 'orders', configEntries: [{ name: 'max.message.bytes', value: String(bytes) }] }],
    });
  await limit(200);
  await write(west, 'orders', ['x'.repeat(1_000)]);
  await until('it was restarted twice', async () => {
    await towardsEast.look();
    return towardsEast.events.filter(({ type }) => type === 'restarted').length === 2;
  });
  expect(towardsEast.happened()[0]).toEqual({
    type: 'restarted',
    connector: SOURCE.towardsEast,
    reason: expect.stringContaining('org.apache.kafka.connect.errors.ConnectException'),
  });
  await limit(1_000_000);
  await towardsEast.run();
  await until('the record is copied', async () => {
    await towardsEast.look();
    return (await endOf(east, 'orders')) === 24;
  });
});

test('a worker that dies is reported, and its connectors run again once it is back', async () => {
  await east.connect.kill();
  await expect(towardsEast.look()).rejects.toThrow(
    `No worker of Kafka Connect responds at ${east.connect.url} (connection refused)`,
  );
  await write(west, 'orders', ['e']);
  await east.connect.restart();
  await towardsEast.run();
  await untilCount(east, 'orders', 25);
  expect((await valuesOf(east, 'orders')).at(-1)).toBe('e');
});

test('connectors stop, although their source is dead', async () => {
  await west.kafka.cluster.killBroker(1);
  towardsEast.happened();
  await towardsEast.stop();
  expect(towardsEast.happened().map(({ type }) => type)).toEqual(['stop', 'stop']);
});

test('a direction without connectors is an error', async () => {
  const replicator = new ConnectReplicator({
    api: new ConnectApi([east.connect.url], undefined),
    target: 'east',
    prepare: async () => [],
    onEvent: () => {},
    now: () => performance.now(),
  });
  await until('the others have stopped', () => replicator.stop());
  await expect(replicator.run('north')).rejects.toThrow(
    'Kafka Connect has no MirrorSourceConnector from north to east (source.cluster.alias, target.cluster.alias)',
  );
});
