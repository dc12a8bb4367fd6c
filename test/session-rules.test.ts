/** Every rule of the ownership protocol is needed: without it, the model finds a violation. */
import { decideDelivery } from '@causeway/bridge/consumers/delivery.ts';
import { decideRequest } from '@causeway/bridge/ownership/rules.ts';
import { describe, expect, test } from 'vitest';
import { BOUNDS, EXPLORATION_TIMEOUT_MS, IS_FULL } from './model/bounds.ts';
import { describeExploration, explore } from './model/explorer.ts';
import { PROTOCOL, type Protocol } from './model/protocol.ts';
import { sessionModel } from './model/session-model.ts';
import type { Bounds } from './model/session-state.ts';

describe('each rule is needed: the model finds a violation', () => {
  interface Mutation {
    without: string;
    protocol: Partial<Protocol>;
    bounds?: Partial<Bounds>;
    finds: RegExp;
    /** Found after seconds, and so only in the full form. */
    isLong?: boolean;
  }
  const mutations: readonly Mutation[] = [
    {
      without: 'asking Kafka before a response',
      protocol: { isConfirmed: () => true },
      finds: /answers with records in epoch 1 after the adoption of epoch 2 was acknowledged/,
    },
    {
      without: 'dating a response of Kafka by the time of its request',
      protocol: { isDatedByQuestion: false },
      finds: /answers with records in epoch 1 after the adoption of epoch 2 was acknowledged/,
    },
    {
      without: 'waiting for the old owner to notice',
      protocol: { adoptionWaitMs: () => 0 },
      finds: /answers with records in epoch 1 after the adoption of epoch 2 was acknowledged/,
    },
    {
      without: 'fetching positions only after the old owner can no longer commit',
      protocol: { isPositionedAfterWait: false, isHandedOver: false },
      bounds: { gatewayCount: 0, isMember: false, faults: ['giveUp'] },
      finds: /2 batches came again after 1 faults/,
    },
    {
      without: 'waiting for the commit of a response before the next one',
      protocol: { isCommittedBeforeAnswer: false },
      finds: /the client has 2, and gets 0 again/,
    },
    {
      without: 'reading the claim back before joining',
      isLong: true,
      protocol: { isReadBack: false },
      bounds: { gatewayCount: 1, pollCount: 1, faultCount: 2, faults: ['end', 'giveUp'] },
      finds: /answers with records in epoch 2 after the adoption of epoch 2 was acknowledged/,
    },
    {
      without: 'a confirmation of the gateway that the client has the answer',
      protocol: { decideDelivery: () => 'received' },
      bounds: { faults: ['gatewayDies'] },
      finds: /record 0 is lost: the client got 1/,
    },
    {
      without: 'waiting for that confirmation',
      protocol: { decideDelivery: (delivery) => decideDelivery({ ...delivery, isWaitOver: true }) },
      bounds: { faults: [], faultCount: 0 },
      finds: /1 batches came again after 0 faults/,
    },
    {
      without: 'adopting only after the gateway reports that the owner failed',
      protocol: { decideRequest: (situation) => decideRequest({ ...situation, origin: { via: 'client' } }) },
      finds: /the session bounces/,
    },
    {
      without: 'leaving the session to the winner of a claim',
      protocol: { decideRequest: (situation) => decideRequest({ ...situation, hasLost: false }) },
      bounds: { gatewayCount: 0 },
      finds: /the session bounces/,
    },
    {
      without: 'a new epoch for each owner',
      protocol: {
        decideRequest: (situation) => {
          const decision = decideRequest(situation);
          return decision.kind === 'adopt' ? { ...decision, epoch: decision.epoch - 1 } : decision;
        },
      },
      finds: /the session bounces/,
    },
    {
      without: 'handing over',
      protocol: { isHandedOver: false },
      bounds: { isPrompt: true, gatewayCount: 1, faults: ['giveUp'] },
      finds: /1 batches came again after 1 faults/,
    },
    {
      without: 'a log key for each claim',
      protocol: { keyOf: () => 'session' },
      finds: /compaction turns the owner of epoch \d into that of epoch \d/,
    },
    {
      without: 'deleting by a claim',
      protocol: { isDeletedByClaim: false },
      bounds: { isDeleting: true, pollCount: 2 },
      finds: /a deleted session is back/,
    },
  ];
  test.each(mutations.filter(({ isLong }) => IS_FULL || isLong !== true))(
    'without $without',
    ({ without, protocol, bounds, finds }) => {
      const result = explore(sessionModel({ ...PROTOCOL, ...protocol }, { ...BOUNDS, ...bounds }));
      console.info(`Without ${without}: ${describeExploration(result)}`);
      expect(result.counterexample?.reason).toMatch(finds);
      expect(result.counterexample?.trace.length).toBeGreaterThan(3);
    },
    EXPLORATION_TIMEOUT_MS,
  );
});
