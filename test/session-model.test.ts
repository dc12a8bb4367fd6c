/** Explores the ownership protocol of sessions: no violation is reachable. */
import { describe, expect, test } from 'vitest';
import { BOUNDS, EXPLORATION_TIMEOUT_MS, IS_FULL } from './model/bounds.ts';
import { describeExploration, explore } from './model/explorer.ts';
import { PROTOCOL, type Protocol } from './model/protocol.ts';
import { sessionModel } from './model/session-model.ts';
import type { Bounds } from './model/session-state.ts';

describe('one owner responds, no record is lost, and every request gets a response in the end', () => {
  interface Case {
    what: string;
    bounds: Partial<Bounds>;
    protocol?: Partial<Protocol>;
    /** In place of some bounds, in the short form. */
    short?: Partial<Bounds>;
  }
  test.each<Case>([
    { what: 'two gateways in turn', bounds: {}, short: { pollCount: 2 } },
    { what: 'assigned partitions', bounds: { isMember: false, pollCount: 2 } },
    {
      what: 'a session that is deleted stays deleted',
      bounds: { isDeleting: true, pollCount: 2 },
      short: { faults: ['die', 'end'] },
    },
    {
      what: 'a client without a gateway',
      bounds: { gatewayCount: 0, pollCount: 2 },
      protocol: { isHandedOver: false },
      short: { pollCount: 1 },
    },
    {
      what: 'assigned partitions of a client without a gateway',
      bounds: { gatewayCount: 0, isMember: false, pollCount: 2 },
      protocol: { isHandedOver: false },
    },
    {
      what: 'a bridge that is given up wrongly hands over, and no record comes again',
      bounds: { isPrompt: true, gatewayCount: 1, faults: ['giveUp'] },
    },
    {
      what: 'the same with assigned partitions',
      bounds: { isPrompt: true, gatewayCount: 1, faults: ['giveUp'], isMember: false },
    },
    { what: 'three bridges', bounds: { bridgeCount: 3, pollCount: 2 }, short: { pollCount: 1 } },
    {
      what: 'gateways that die with undelivered responses',
      bounds: { faultCount: 2, faults: ['gatewayDies'] },
    },
    {
      what: 'a gateway and a bridge that die',
      bounds: { faultCount: 2, faults: ['gatewayDies', 'die'], pollCount: 2 },
    },
    {
      what: 'a gateway that dies, and a bridge that stops in order',
      bounds: { faultCount: 2, faults: ['gatewayDies', 'end'], pollCount: 2 },
    },
    {
      what: 'two bridges that are given up by mistake or freeze',
      bounds: { gatewayCount: 1, pollCount: 1, faultCount: 2, faults: ['freeze', 'giveUp'] },
      short: { faultCount: 1 },
    },
  ])(
    '$what',
    ({ bounds, protocol, short }) => {
      const size = { ...BOUNDS, ...bounds, ...(IS_FULL ? {} : short) };
      const result = explore(sessionModel({ ...PROTOCOL, ...protocol }, size));
      expect(describeExploration(result)).toMatch(/^\d+ states, \d+ steps: nothing wrong$/);
      expect(result.stateCount).toBeGreaterThan(1000);
    },
    EXPLORATION_TIMEOUT_MS,
  );
});
