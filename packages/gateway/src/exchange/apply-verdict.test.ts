import { parseUrl } from '@causeway/protocol/paths.ts';
import { afterEach, describe, expect, test } from 'vitest';
import { testConfig } from '../../../../test/harness/gateway.ts';
import { CLIENTS_FOR_A_FAULT, Doubts } from '../regions/doubts.ts';
import { Target } from '../regions/target.ts';
import { RequestStats } from '../stats.ts';
import { transportFactory } from '../upstream/create-transport.ts';
import { applyVerdict, type TargetWatch } from './apply-verdict.ts';
import type { Outcome } from './outcome.ts';

const reason = 'as it happened';
const answered = (status: number, fault?: 'request' | 'kafka'): Outcome => ({ kind: 'answered', status, fault });

describe('a doubt', () => {
  test('of one client is never a fault, however many requests it has', () => {
    const doubts = new Doubts();
    for (let count = 0; count < 1_000; count += 1) expect(doubts.add('10.0.0.1')).toBe(false);
  });

  test('of clients that have nothing in common is one, unless the target answers anyone in between', () => {
    const doubts = new Doubts();
    const addAll = (): boolean[] =>
      Array.from({ length: CLIENTS_FOR_A_FAULT }, (_, index) => doubts.add(`10.0.0.${index}`));
    expect(addAll()).toEqual([false, false, false, false, true]);
    doubts.clear();
    expect(doubts.add('10.0.0.9')).toBe(false);
  });
});

describe('a verdict changes', () => {
  const settings = testConfig({
    regions: [{ name: 'any', targets: [{ url: 'http://127.0.0.1:1' }] }],
    breaker: { minRequests: 1, errorPercent: 1 },
  });
  const targets: Target[] = [];
  afterEach(async () => {
    await Promise.all(targets.splice(0).map((target) => target.close()));
  });

  /** Ends one request of each client with the outcome, and returns what changed. */
  function changesOf(
    outcome: Outcome,
    { clients = ['10.0.0.1'], path = '/topics', between = undefined as Outcome | undefined } = {},
  ): object {
    const target = new Target({
      region: 'east',
      url: 'http://127.0.0.1:1',
      settings,
      now: () => 0,
      createTransport: transportFactory({}),
      onBreakerChange: () => {},
    });
    targets.push(target);
    const stats = new RequestStats();
    const calls: string[] = [];
    const regions: TargetWatch = { failed: () => calls.push('failed'), probeSoon: () => calls.push('probeSoon') };
    const end = (clientAddress: string, ended: Outcome): void => {
      const request = { url: parseUrl('GET', path), clientAddress };
      applyVerdict({ target, trial: target.breaker.started() }, ended, { request, context: { stats, regions } });
    };
    for (const [index, client] of clients.entries()) {
      if (index === clients.length - 1 && between !== undefined) end(client, between);
      end(client, outcome);
    }
    const { requestCount, errorCount } = target.traffic;
    const attempts = stats.attempts.get('east')?.get(outcome.kind);
    return { attempts, requestCount, errorCount, breaker: target.breaker.state, calls };
  }

  test.each<[string, Outcome, object]>([
    ['nothing but counts', answered(200), { errorCount: 0, breaker: 'closed', calls: [] }],
    ['the breaker, on a response that blames no other', answered(500), { errorCount: 1, breaker: 'open', calls: [] }],
    ['nothing, on a fault of Kafka', answered(503, 'kafka'), { errorCount: 1, breaker: 'closed', calls: [] }],
    [
      'the breaker and the probes, on a refused connection',
      { kind: 'connectFailed', reason },
      { errorCount: 1, breaker: 'open', calls: ['failed'] },
    ],
    [
      'no breaker, on a fault of the gateway',
      { kind: 'connectFailed', reason, fault: 'gateway' },
      { errorCount: 1, breaker: 'closed', calls: [] },
    ],
    ['the breaker, on failed probes', { kind: 'targetDown', reason }, { errorCount: 1, breaker: 'open', calls: [] }],
    [
      'the probes alone, in doubt',
      { kind: 'timedOut', reason },
      { errorCount: 1, breaker: 'closed', calls: ['probeSoon'] },
    ],
    [
      'the probes alone, on an idle connection that ends',
      { kind: 'brokenBeforeHeaders', reason, isReused: true },
      { errorCount: 0, breaker: 'closed', calls: ['probeSoon'] },
    ],
    ['nothing, if the client left', { kind: 'clientGone' }, { errorCount: 0, breaker: 'closed', calls: [] }],
  ])('%s', (_, outcome, expected) => {
    expect(changesOf(outcome)).toEqual({ attempts: 1, requestCount: 1, ...expected });
  });

  test('the breaker once several clients were in doubt, and not for one client, or after a response', () => {
    const clients = Array.from({ length: CLIENTS_FOR_A_FAULT }, (_, index) => `10.0.0.${index}`);
    expect(changesOf({ kind: 'timedOut', reason }, { clients })).toMatchObject({ breaker: 'open' });
    const between = answered(200);
    expect(changesOf({ kind: 'timedOut', reason }, { clients, between })).toMatchObject({ breaker: 'closed' });
    const same = clients.map(() => '10.0.0.1');
    expect(changesOf({ kind: 'timedOut', reason }, { clients: same })).toMatchObject({ breaker: 'closed' });
  });

  test.each<[Outcome, string]>([
    [answered(500), 'answered 500'],
    [{ kind: 'connectFailed', reason }, reason],
  ])('the breaker, with the reason of %o', (outcome, expected) => {
    changesOf(outcome);
    expect(targets.at(-1)?.breakerReason).toContain(expected);
  });

  test('no breaker on a 500 to a consumer’s request', () => {
    const path = '/consumers/g/instances/c/records';
    expect(changesOf(answered(500), { path })).toMatchObject({ breaker: 'closed' });
  });
});
