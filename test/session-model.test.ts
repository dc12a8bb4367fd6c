/** Explores the ownership protocol of sessions: no violation is reachable. */
import { describe, expect, test } from 'vitest';
import { BOUNDS, EXPLORATION_TIMEOUT_MS } from './model/bounds.ts';
import { describeExploration, explore } from './model/explorer.ts';
import { PROTOCOL, type Protocol } from './model/protocol.ts';
import { sessionModel } from './model/session-model.ts';
import type { Bounds } from './model/session-state.ts';

describe('one owner responds, no record is lost, and every request gets a response in the end', () => {
  test.each<[what: string, bounds: Partial<Bounds>, protocol?: Partial<Protocol>]>([
    ['two gateways in turn', {}],
    ['assigned partitions', { isMember: false, pollCount: 2 }],
    ['a session that is deleted stays deleted', { isDeleting: true, pollCount: 2 }],
    ['a client without a gateway', { gatewayCount: 0, pollCount: 2 }, { isHandedOver: false }],
    [
      'assigned partitions of a client without a gateway',
      { gatewayCount: 0, isMember: false, pollCount: 2 },
      { isHandedOver: false },
    ],
    [
      'a bridge that is given up wrongly hands over, and no record comes again',
      { isPrompt: true, gatewayCount: 1, faults: ['giveUp'] },
    ],
    ['the same with assigned partitions', { isPrompt: true, gatewayCount: 1, faults: ['giveUp'], isMember: false }],
    ['three bridges', { bridgeCount: 3, pollCount: 2 }],
    ['gateways that die with undelivered responses', { faultCount: 2, faults: ['gatewayDies'] }],
    ['a gateway and a bridge that die', { faultCount: 2, faults: ['gatewayDies', 'die'], pollCount: 2 }],
    [
      'a gateway that dies, and a bridge that stops in order',
      { faultCount: 2, faults: ['gatewayDies', 'end'], pollCount: 2 },
    ],
    [
      'two bridges that are given up by mistake or freeze',
      { gatewayCount: 1, pollCount: 1, faultCount: 2, faults: ['freeze', 'giveUp'] },
    ],
  ])(
    '%s',
    (_what, bounds, protocol) => {
      const result = explore(sessionModel({ ...PROTOCOL, ...protocol }, { ...BOUNDS, ...bounds }));
      expect(describeExploration(result)).toMatch(/^\d+ states, \d+ steps: nothing wrong$/);
      expect(result.stateCount).toBeGreaterThan(1000);
    },
    EXPLORATION_TIMEOUT_MS,
  );
});
