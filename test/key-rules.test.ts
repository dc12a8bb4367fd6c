/** Every rule of the protocol of idempotency keys is needed: without it, the model finds a violation. */
import { decideKey, decideKeyed, decideRecovered } from '@causeway/bridge/idempotency/rules.ts';
import { describe, expect, test } from 'vitest';
import { EXPLORATION_TIMEOUT_MS, IS_FULL } from './model/bounds.ts';
import { describeExploration, explore } from './model/explorer.ts';
import { KEY_BOUNDS, keyModel } from './model/keys/key-model.ts';
import { KEY_PROTOCOL, type KeyProtocol } from './model/keys/key-protocol.ts';
import type { Bounds } from './model/keys/state.ts';

const REQUEST = { key: 0, fingerprint: 'f' };
const TWICE = /key 0 has 2 copies of its record/;

describe('each rule is needed: the model finds a violation', () => {
  interface Mutation {
    without: string;
    protocol: Partial<KeyProtocol>;
    bounds: Partial<Bounds>;
    finds: RegExp;
    /** Found after seconds, and so only in the full form. */
    isLong?: boolean;
  }
  const mutations: readonly Mutation[] = [
    {
      without: 'taking the guard over',
      protocol: { isFencing: false, isClaimGuarded: false },
      bounds: { faults: ['giveUp'] },
      finds: TWICE,
    },
    {
      without: 'claiming in a transaction of the guard',
      protocol: { isClaimGuarded: false },
      bounds: { repeatCount: 1, faultCount: 0 },
      finds: TWICE,
    },
    {
      without: 'reading to the end before a claim',
      protocol: { isReadToEnd: false },
      bounds: { faults: ['die'] },
      finds: TWICE,
    },
    {
      without: 'asking for the ends after the guard was taken over',
      protocol: { isReadAfterInit: false },
      bounds: { faults: ['giveUp'] },
      finds: TWICE,
    },
    {
      without: 'reading the answers of all lanes',
      protocol: { isReadingAllAnswers: false },
      bounds: { faults: ['release'], requests: [REQUEST, REQUEST] },
      finds: TWICE,
    },
    {
      without: 'looking whether the guard is still the same',
      protocol: { mayClaim: () => true },
      bounds: { repeatCount: 1, faultCount: 0 },
      finds: TWICE,
    },
    {
      without: 'reading before a lane continues',
      protocol: { isReadAtRecovery: false },
      bounds: { faults: ['lose'] },
      finds: TWICE,
    },
    {
      without: 'doubt about a commit without a response',
      protocol: { isLostCommitUnclear: false },
      bounds: { faults: ['lose'] },
      finds: TWICE,
    },
    {
      without: 'dropping slots that another bridge claimed',
      protocol: { holds: () => true },
      bounds: { faults: ['giveUp'] },
      finds: TWICE,
    },
    {
      without: 'deciding again what waits in a lane',
      protocol: { isQueueRecovered: false, isQueueChecked: false },
      bounds: { faults: ['giveUp'] },
      finds: TWICE,
    },
    {
      without: 'looking, before a transaction, whether the slots are still held',
      isLong: true,
      protocol: { isQueueChecked: false },
      bounds: { repeatCount: 1, faults: ['release'] },
      finds: TWICE,
    },
    {
      without: 'noticing that the bridge itself has freed a slot that it takes over',
      isLong: true,
      protocol: { isFreedNoticed: false },
      bounds: { repeatCount: 1, faults: ['release'] },
      finds: TWICE,
    },
    {
      without: 'an answer from the log for a request whose commit had succeeded',
      protocol: { decideRecovered: (request) => decideRecovered({ ...request, isLogged: false }) },
      bounds: { faults: ['lose'] },
      finds: TWICE,
    },
    {
      without: 'leaving a request to the bridge that has its slot now',
      protocol: {
        isQueueChecked: false,
        decideRecovered: (request) => decideRecovered({ ...request, isHeld: true }),
      },
      bounds: { faults: ['giveUp'] },
      finds: TWICE,
    },
    {
      without: 'looking for the key in the log',
      protocol: { decideKey: (known) => decideKey({ ...known, loggedFingerprint: undefined }) },
      bounds: { faultCount: 0, requests: [REQUEST, REQUEST] },
      finds: TWICE,
    },
    {
      without: 'waiting for the request that is under way',
      protocol: { decideKey: (known) => decideKey({ ...known, openFingerprint: undefined }) },
      bounds: { faultCount: 0, repeatCount: 1 },
      finds: TWICE,
    },
    {
      without: 'comparing fingerprints',
      protocol: {
        decideKey: (known) => {
          const fingerprint = known.loggedFingerprint ?? known.openFingerprint ?? known.fingerprint;
          return decideKey({ ...known, fingerprint });
        },
      },
      bounds: { faultCount: 0, requests: [REQUEST, { key: 0, fingerprint: 'g' }] },
      finds: /key 0 gets the answer to another request/,
    },
    {
      without: 'answering after the commit',
      protocol: { isAnsweredAfterCommit: false },
      bounds: { faultCount: 0 },
      finds: /key 0 is acknowledged without its record/,
    },
    {
      without: 'one transaction for records and answers',
      protocol: { isOneTransaction: false },
      bounds: { faults: ['die'] },
      finds: /the answer to key 0 has no record/,
    },
    {
      without: 'taking over only after the gateway reports that the owner failed',
      protocol: {
        decideKeyed: (question) => {
          const { owner } = question.claim;
          const failedOwners = owner === undefined ? [] : [owner];
          return decideKeyed({ ...question, sender: { via: 'gateway', failedOwners } });
        },
      },
      bounds: { faultCount: 0, requests: [REQUEST, { key: 1, fingerprint: 'f' }, { key: 2, fingerprint: 'f' }] },
      finds: /the slot bounces: 2 claims after 0 faults and repetitions/,
    },
    {
      without: 'leaving a slot to the bridge that has taken it from the request',
      protocol: { decideKeyed: (question) => decideKeyed({ ...question, hasLost: false }) },
      bounds: { isContended: true, faultCount: 0 },
      finds: /the slot bounces: 4 claims after 0 faults and repetitions/,
    },
    {
      without: 'noticing that another bridge has claimed the slot while it was taken over',
      protocol: { hasLostSlot: () => false },
      bounds: { isContended: true, faultCount: 0 },
      finds: /the slot bounces: 4 claims after 0 faults and repetitions/,
    },
    {
      without: 'executing what the bridge holds',
      protocol: { decideKeyed: (question) => decideKeyed({ ...question, isHeld: false }) },
      bounds: { faults: ['die'] },
      finds: /nothing leads on from here/,
    },
  ];
  test.each(mutations.filter(({ isLong }) => IS_FULL || isLong !== true))(
    'without $without',
    ({ protocol, bounds, finds }) => {
      const result = explore(keyModel({ ...KEY_PROTOCOL, ...protocol }, { ...KEY_BOUNDS, ...bounds }));
      expect(describeExploration(result)).toMatch(finds);
    },
    EXPLORATION_TIMEOUT_MS,
  );
});
