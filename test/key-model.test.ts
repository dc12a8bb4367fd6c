/** Explores the protocol of idempotency keys: no violation is reachable. */
import { describe, expect, test } from 'vitest';
import { EXPLORATION_TIMEOUT_MS, IS_FULL } from './model/bounds.ts';
import { describeExploration, explore } from './model/explorer.ts';
import { KEY_BOUNDS, keyModel } from './model/keys/key-model.ts';
import { KEY_PROTOCOL } from './model/keys/key-protocol.ts';
import type { Bounds } from './model/keys/state.ts';

const REQUEST = { key: 0, fingerprint: 'f' };

describe('an acknowledged key has one copy of its record and one answer, and every request gets an answer in the end', () => {
  /** `short`: in place of some bounds, in the short form. */
  test.each<[what: string, bounds: Partial<Bounds>, short?: Partial<Bounds>]>([
    ['any fault', {}],
    ['a client without a gateway', { gatewayCount: 0 }],
    ['a client that repeats twice', { repeatCount: 2, faultCount: 0 }, { repeatCount: 1 }],
    [
      'a client that repeats, and bridges that die or get no response',
      { repeatCount: 1, faults: ['die', 'lose'] },
      { repeatCount: 0 },
    ],
    [
      'a client that repeats, and slots that are freed',
      { repeatCount: 1, faults: ['release'] },
      { repeatCount: 0, faults: ['release', 'lose'] },
    ],
    ['two faults', { faultCount: 2, faults: ['die', 'release', 'lose'] }],
    ['bridges whose gateways have lost each other', { isContended: true, faultCount: 0 }],
    [
      'three bridges, and a gateway that gives one up wrongly',
      { bridgeCount: 3, faults: ['giveUp'] },
      { faults: ['die'] },
    ],
    [
      'three bridges that a client asks through three gateways',
      { bridgeCount: 3, gatewayCount: 3, repeatCount: 1, faultCount: 0 },
      { gatewayCount: 2 },
    ],
    ['three bridges that a client asks in turn', { bridgeCount: 3, gatewayCount: 0, repeatCount: 1, faultCount: 0 }],
    ['slots whose owner died with an answer that no client got', { hasEarlierOwner: true }],
    [
      'other lanes after a start, and lanes that begin with the first request',
      { areLanesReady: false, areLanesChanging: true, faults: ['die', 'lose', 'release'] },
    ],
    [
      'another request with the same key',
      { requests: [REQUEST, { key: 0, fingerprint: 'g' }], faults: ['die', 'lose', 'release'] },
    ],
  ])(
    '%s',
    (_what, bounds, short) => {
      const result = explore(keyModel(KEY_PROTOCOL, { ...KEY_BOUNDS, ...bounds, ...(IS_FULL ? {} : short) }));
      expect(describeExploration(result)).toMatch(/^\d+ states, \d+ steps: nothing wrong$/);
      expect(result.stateCount).toBeGreaterThan(1000);
    },
    EXPLORATION_TIMEOUT_MS,
  );
});
