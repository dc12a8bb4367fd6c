/** Explores the protocol of two Kafka clusters: no violation is reachable. */
import { describe, expect, test } from 'vitest';
import { EXPLORATION_TIMEOUT_MS, IS_FULL } from './model/bounds.ts';
import { CLUSTER_BOUNDS, clusterModel } from './model/clusters/cluster-model.ts';
import { CLUSTER_PROTOCOL } from './model/clusters/cluster-protocol.ts';
import type { Bounds } from './model/clusters/state.ts';
import { describeExploration, explore } from './model/explorer.ts';

const CONSISTENT = { prefer: 'consistency' } as const;

describe('the promoted cluster has what was acknowledged or reports it, the other one serves no client, and a cluster serves in the end', () => {
  interface Exploration {
    what: string;
    bounds: Partial<Bounds>;
    /** In place of some bounds, in the short form; `undefined`: it is left out there. */
    short: Partial<Bounds> | undefined;
  }
  const explorations: Exploration[] = [
    { what: 'a switch-over, and any fault', bounds: {}, short: { writeCount: 0, faults: ['die', 'split'] } },
    {
      what: 'a switch-over and a record',
      bounds: { bridgeCounts: [2, 1], faultCount: 0 },
      short: { bridgeCounts: [1, 1] },
    },
    {
      what: 'a cluster that dies',
      bounds: { faults: ['kill'] },
      short: { writeCount: 0 },
    },
    { what: 'the first promotion', bounds: { start: 'fresh', faultCount: 0 }, short: undefined },
    {
      what: 'a promoter that is held up until its promotion is long over',
      bounds: { start: 'handedOver', heldUp: 'promoter', writeCount: 3, promotionCount: 2, faultCount: 0 },
      short: { writeCount: 2 },
    },
    {
      what: 'a request that is held up until its cluster is active again',
      bounds: { start: 'handedOver', heldUp: 'request', writeCount: 3, promotionCount: 2, faultCount: 0 },
      short: undefined,
    },
    {
      what: 'an old primary that returns, gateways that know different promotions, and a split',
      bounds: { start: 'returned', gatewayCount: 2, writeCount: 4, promotionCount: 0, faults: ['split', 'blind'] },
      short: { writeCount: 3, faults: ['split'] },
    },
    {
      what: 'an old primary that rejoins',
      bounds: {
        start: 'returned',
        bridgeCounts: [2, 1],
        gatewayCount: 2,
        writeCount: 3,
        promotionCount: 0,
        rejoinCount: 1,
        faultCount: 0,
      },
      short: { bridgeCounts: [1, 1] },
    },
    {
      what: 'an old primary that rejoins, and becomes active again',
      bounds: { start: 'fenced', rejoinCount: 1, promotionCount: 2, writeCount: 3, faultCount: 0 },
      short: undefined,
    },
    {
      what: 'a consumer that moves with its committed position',
      bounds: { start: 'filled', deliveryCount: 1, faults: ['kill'], writeCount: 2, areSyncsLate: true },
      short: { faultCount: 0 },
    },
    {
      what: 'a consumer that moves with the position of its session',
      bounds: {
        start: 'filled',
        positions: 'logged',
        deliveryCount: 1,
        faultCount: 0,
        writeCount: 2,
        areSyncsLate: true,
      },
      short: undefined,
    },
    {
      what: 'a consumer of an old primary that returns while replication runs on',
      bounds: {
        start: 'returned',
        positions: 'logged',
        deliveryCount: 2,
        faultCount: 0,
        writeCount: 3,
        promotionCount: 0,
      },
      short: { deliveryCount: 1 },
    },
    {
      what: 'consistency, and an old primary that returns',
      bounds: {
        ...CONSISTENT,
        start: 'returned',
        gatewayCount: 2,
        writeCount: 4,
        promotionCount: 0,
        faults: ['split'],
      },
      short: { writeCount: 3, faultCount: 0 },
    },
    { what: 'consistency, and a promotion by force', bounds: { ...CONSISTENT, faults: ['kill'] }, short: undefined },
    {
      what: 'consistency, and a gateway that reaches one cluster, which does not reach the other',
      bounds: { ...CONSISTENT, faults: ['split', 'blind'], faultCount: 2, writeCount: 1 },
      short: undefined,
    },
  ];
  test.each(explorations.filter(({ short }) => IS_FULL || short !== undefined))(
    '$what',
    ({ bounds, short }) => {
      const result = explore(
        clusterModel(CLUSTER_PROTOCOL, { ...CLUSTER_BOUNDS, ...bounds, ...(IS_FULL ? {} : short) }),
      );
      expect(describeExploration(result)).toMatch(/^\d+ states, \d+ steps: nothing wrong$/);
      expect(result.stateCount).toBeGreaterThan(1000);
    },
    EXPLORATION_TIMEOUT_MS,
  );
});
