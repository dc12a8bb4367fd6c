/** Sessions of two bridges over one log, whose departures meet. */

import pino from 'pino';
import { afterAll, beforeAll, expect, inject, onTestFinished, test } from 'vitest';
import { testCluster } from '../../../../test/harness/cluster.ts';
import { unique } from '../../../../test/harness/kafka-view.ts';
import { IDLE_SESSION } from '../../../../test/harness/session-description.ts';
import { until } from '../../../../test/harness/until.ts';
import type { Cluster } from '../kafka/client/cluster.ts';
import { type Limits, within } from '../kafka/client/limits.ts';
import type { SessionRequest } from './adoption.ts';
import type { HeldClaim } from './held-claim.ts';
import type { HeldSession } from './held-session.ts';
import { Holdings } from './holdings.ts';
import { LEASE_SETTLE_MS } from './leases.ts';
import type { Ownership } from './ownership.ts';
import type { Origin } from './rules.ts';
import type { ServedSession } from './served-session.ts';
import type { SessionDescription } from './session-entry.ts';
import type { SessionIdentity } from './session-identity.ts';
import { SessionLog } from './session-log.ts';

const TOPIC = unique('sessions');

/** A session without a client and a group: it notes what ownership does with it, and its turn comes when the test allows. */
class QuietSession implements ServedSession {
  readonly identity: SessionIdentity;
  readonly ownership: Ownership;
  readonly done: string[] = [];
  readonly deliveries = {
    settle: () => undefined,
    untilReceived: async () => {},
    confirm: () => {},
    takeBack: () => {},
  };
  readonly logged: ServedSession['logged'];
  description: SessionDescription;
  joined = Promise.resolve();
  #turn = Promise.withResolvers<void>();
  #commit = Promise.withResolvers<void>();

  constructor(identity: SessionIdentity, ownership: Ownership, description: SessionDescription) {
    this.identity = identity;
    this.ownership = ownership;
    this.description = description;
    const now = () => this.description;
    this.logged = {
      get description() {
        return now();
      },
      keepReceived: async () => {},
      keepUncommitted: async () => {},
    };
    this.#turn.resolve();
    this.#commit.resolve();
  }

  /** A commit does not end until the returned function is called. */
  blockCommit(): () => void {
    this.#commit = Promise.withResolvers();
    return () => this.#commit.resolve();
  }

  /** Its turn does not come until the returned function is called. */
  block(): () => void {
    this.#turn = Promise.withResolvers();
    return () => this.#turn.resolve();
  }

  async inTurn(operation: () => Promise<void>): Promise<void> {
    await this.#turn.promise;
    await operation();
  }

  async restore(): Promise<void> {
    await this.joined;
  }
  resumeAt(): void {}
  endPolls(): void {}
  stop(): void {}
  async commitDelivered(): Promise<void> {
    await this.#commit.promise;
    this.done.push('commit');
  }
  async leave(): Promise<void> {
    this.done.push('leave');
  }
  async abandon(): Promise<void> {
    this.done.push('abandon');
  }
}

class Bridge {
  readonly name: string;
  readonly log: SessionLog;
  readonly holdings: Holdings<QuietSession>;
  /** When the group has the members of sessions that it adopts. */
  joined = Promise.resolve();
  readonly #cluster: Cluster;

  constructor(name: string) {
    this.name = name;
    this.#cluster = testCluster(inject('kafkaBootstrap'));
    this.log = new SessionLog(this.#cluster, { requestTimeoutMs: 20_000, topic: TOPIC });
    this.holdings = new Holdings({
      log: pino({ level: 'silent' }),
      sessionLog: this.log,
      self: name,
      requestTimeoutMs: 20_000,
      inactivityTimeoutMs: 60_000,
    });
    this.log.start();
  }

  async close(): Promise<void> {
    await this.log.close();
    await this.#cluster.close();
  }

  request(identity: SessionIdentity, origin: Origin): SessionRequest {
    return { identity, origin, principal: undefined, limits: within(60_000) };
  }

  async create(): Promise<SessionIdentity> {
    const identity = { group: unique('group'), name: unique('consumer') };
    const begin = this.#begin(identity);
    const request = this.request(identity, { via: 'gateway', failedOwners: [] });
    expect(await this.holdings.create(request, IDLE_SESSION, begin)).toEqual({ kind: 'created' });
    return identity;
  }

  async adopt(identity: SessionIdentity, from: Bridge): Promise<void> {
    const request = this.request(identity, { via: 'gateway', failedOwners: [from.name] });
    expect(await this.holdings.admit(request, this.#begin(identity), {})).toEqual({ kind: 'serve' });
  }

  held(identity: SessionIdentity) {
    const held = this.holdings.get(identity);
    if (held === undefined) throw new Error(`${this.name} does not hold ${identity.name}`);
    return held;
  }

  #begin(identity: SessionIdentity) {
    return ({ description }: { description: SessionDescription }, ownership: Ownership) => {
      const session = new QuietSession(identity, ownership, description);
      session.joined = this.joined;
      return session;
    };
  }
}

/** As after a while in which Kafka answered slowly: the lease is too long now, and this bridge claims the session again. */
function claimingAgain(claim: HeldClaim, limits: Limits = within(20_000)): Promise<void> {
  claim.entry.value.leaseMs = 10_000;
  claim.entry.readAtMs -= LEASE_SETTLE_MS + 1;
  const fitting = claim.fit(limits);
  if (fitting === undefined) throw new Error('the lease fits');
  return fitting;
}

/** A bridge that has read the log. */
async function startBridge(name: string): Promise<Bridge> {
  const bridge = new Bridge(name);
  await until('the log is read', () => bridge.log.unreadyReason === undefined, { timeoutMs: 60_000 });
  return bridge;
}

let east: Bridge;
let west: Bridge;

beforeAll(async () => {
  [east, west] = await Promise.all([startBridge('east/b'), startBridge('west/b')]);
});

afterAll(async () => {
  await Promise.all([east.close(), west.close()]);
});

test('a session lives as held, is released, and is held again by the bridge that adopts it', async () => {
  const identity = await east.create();
  const { claim, session } = east.held(identity);
  expect(claim.life).toEqual({ kind: 'held' });
  await east.held(identity).release({ isClients: true });
  expect(claim.life).toMatchObject({ kind: 'released' });
  expect(session.done).toEqual(['abandon']);
  expect(east.holdings.get(identity)).toBeUndefined();
  await west.adopt(identity, east);
  expect(west.held(identity).claim.life).toEqual({ kind: 'held' });
});

test('a delete that another bridge forestalls reports the new owner, and the session lives', async () => {
  const identity = await east.create();
  const held = east.held(identity);
  const goOn = held.session.block();
  onTestFinished(goOn);
  const ending = held.end({ isCommitting: true });
  await west.adopt(identity, east);
  await until('the owner sees the claim', () => held.claim.life.kind !== 'ending');
  goOn();
  expect(await ending).toEqual({ kind: 'fenced', owner: 'west/b' });
  await until('the owner is fenced', () => held.claim.life.kind === 'fenced');
  // The other bridge has its place in the group.
  expect(held.session.done).toEqual(['abandon']);
  expect(west.held(identity).claim.life).toEqual({ kind: 'held' });
  expect(west.held(identity).claim.decide()).toEqual({ kind: 'keep' });
});

test('a release that another bridge forestalls becomes a hand-over', async () => {
  const identity = await east.create();
  const held = east.held(identity);
  const goOn = held.session.block();
  onTestFinished(goOn);
  const releasing = held.release({ isClients: true });
  await west.adopt(identity, east);
  // During a release it ignores the log: the next confirmation finds the claim.
  await expect(held.claim.confirm(within(20_000))).rejects.toMatchObject({ code: 'misdirected', owner: 'west/b' });
  expect(held.claim.life).toEqual({ kind: 'handingOver' });
  goOn();
  await releasing;
  await until('the owner is fenced', () => held.claim.life.kind === 'fenced');
  expect(held.claim.life).toEqual({ kind: 'fenced', owner: 'west/b' });
  expect(held.session.done).toEqual(['abandon']);
});

test('a delete that meets a release is not undone by it', async () => {
  const identity = await east.create();
  const held = east.held(identity);
  const goOn = held.session.block();
  const committed = held.session.blockCommit();
  onTestFinished(goOn);
  onTestFinished(committed);
  const releasing = held.release({ isClients: true });
  const ending = held.end({ isCommitting: true });
  goOn();
  await releasing;
  // A request that comes now must find it, or it adopts the session that is being deleted.
  expect(east.holdings.get(identity)).toBe(held);
  expect(held.claim.life).toMatchObject({ kind: 'ending' });
  committed();
  expect(await ending).toEqual({ kind: 'deleted' });
  expect(east.holdings.get(identity)).toBeUndefined();
  expect(east.log.get(identity)?.value.state).toBe('deleted');
});

test('a session that is deleted elsewhere ends here, and keeps its member in the group', async () => {
  const identity = await east.create();
  const held = east.held(identity);
  await west.adopt(identity, east);
  await until('the owner is fenced', () => held.claim.life.kind === 'fenced');
  const adopted = west.held(identity);
  expect(await adopted.end({ isCommitting: true })).toEqual({ kind: 'deleted' });
  expect(adopted.session.done).toEqual(['commit', 'leave']);
  expect(adopted.claim.life).toMatchObject({ kind: 'ended' });
  const again = await east.create();
  const { claim, session } = east.held(again);
  const other = { epoch: claim.entry.epoch + 1, id: unique('claim') };
  const { description: _, ...head } = claim.entry.value as { description: unknown } & typeof claim.entry.value;
  await west.log.append(again, other, { ...head, owner: 'west/b', state: 'deleted' } as never, within(20_000));
  await until('the owner sees it', () => claim.life.kind === 'ended');
  expect(session.done).toEqual(['abandon']);
  expect(east.holdings.get(again)).toBeUndefined();
});

test('a bridge that stops waits for the deletes that are under way', async () => {
  const stopping = await startBridge('east/stopping');
  onTestFinished(() => stopping.close());
  const identity = await stopping.create();
  const held = stopping.held(identity);
  const committed = held.session.blockCommit();
  onTestFinished(committed);
  const ending = held.end({ isCommitting: true });
  let isClosed = false;
  const closing = stopping.holdings.close().then(() => {
    isClosed = true;
  });
  await stopping.log.readToEnd(within(20_000));
  expect(isClosed).toBe(false);
  committed();
  await closing;
  expect(stopping.log.get(identity)?.value.state).toBe('deleted');
  expect(await ending).toEqual({ kind: 'deleted' });
});

test('a delete waits for a claim of its own bridge that is being written', async () => {
  const identity = await east.create();
  const held = east.held(identity);
  const fitting = claimingAgain(held.claim);
  expect(await held.end({ isCommitting: true })).toEqual({ kind: 'deleted' });
  await fitting;
  await east.log.readToEnd(within(20_000));
  expect(east.log.get(identity)).toMatchObject({ epoch: 3, value: { state: 'deleted' } });
});

test('a release waits for a claim of its own bridge that is being written', async () => {
  const identity = await east.create();
  const held = east.held(identity);
  const { session } = held;
  const fitting = claimingAgain(held.claim);
  const seeks = [{ topic: 't', partition: 0, to: '42' }];
  session.description = { ...IDLE_SESSION, seeks };
  await held.release({ isClients: true });
  await fitting;
  await east.log.readToEnd(within(20_000));
  expect(east.log.get(identity)).toMatchObject({ epoch: 2, value: { state: 'released', description: { seeks } } });
});

test('nothing that comes behind a release is written: neither a record nor a claim', async () => {
  const identity = await east.create();
  const { claim } = east.held(identity);
  const recording = claim.record(IDLE_SESSION);
  const releasing = east.held(identity).release({ isClients: true });
  await until('the session is over', () => claim.life.kind === 'released');
  const late = await Promise.allSettled([claim.record(IDLE_SESSION), claimingAgain(claim)]);
  for (const one of late) expect(one).toMatchObject({ status: 'rejected', reason: { code: 'misdirected' } });
  await recording;
  await releasing;
  await east.log.readToEnd(within(20_000));
  expect(east.log.get(identity)).toMatchObject({ epoch: 1, value: { state: 'released' } });
});

const SOUGHT: SessionDescription = { ...IDLE_SESSION, seeks: [{ topic: 't', partition: 0, to: '42' }] };

test.each<[does: string, act: (held: HeldSession<QuietSession>) => Promise<unknown>, value: object, life: string]>([
  ['confirms it', ({ claim }) => claim.confirm(within(20_000)), { state: 'held' }, 'held'],
  ['follows the log', () => east.log.readToEnd(within(20_000)), { state: 'held' }, 'held'],
  ['claims it again', ({ claim }) => claimingAgain(claim), { state: 'held' }, 'held'],
  ['records it', ({ claim }) => claim.record(SOUGHT), { state: 'held', description: SOUGHT }, 'held'],
  ['releases it', (held) => held.release({ isClients: true }), { state: 'released' }, 'released'],
  ['deletes it', (held) => held.end({ isCommitting: false }), { state: 'deleted' }, 'ended'],
])(
  'a claim of its own that is read too late for the call that wrote it fences no session: a bridge that then %s',
  async (_, act, value, life) => {
    const identity = await east.create();
    const held = east.held(identity);
    const calling = new AbortController();
    const fitting = claimingAgain(held.claim, within(20_000, calling.signal));
    // The claim is on its way to Kafka.
    setImmediate(() => calling.abort());
    await expect(fitting).rejects.toThrow();
    await act(held);
    await east.log.readToEnd(within(20_000));
    expect(held.claim.life.kind).toBe(life);
    expect(east.log.get(identity)?.value).toMatchObject(value);
    if (life !== 'held') return;
    await held.claim.confirm(within(20_000));
    expect(held.claim.entry).toMatchObject({ epoch: east.log.get(identity)?.epoch, value: { owner: 'east/b' } });
    expect(east.holdings.get(identity)).toBe(held);
  },
);

test('a bridge that stops releases a session that it is adopting', async () => {
  const stopping = await startBridge('west/stopping');
  onTestFinished(() => stopping.close());
  const joining = Promise.withResolvers<void>();
  onTestFinished(() => joining.resolve());
  stopping.joined = joining.promise;
  const identity = await east.create();
  const adopting = stopping.adopt(identity, east);
  await until('the claim won', () => east.log.get(identity)?.value.owner === 'west/stopping');
  const closing = stopping.holdings.close();
  joining.resolve();
  await closing;
  await adopting;
  expect(stopping.holdings.size).toBe(0);
  await stopping.log.readToEnd(within(20_000));
  expect(stopping.log.get(identity)?.value).toMatchObject({ owner: 'west/stopping', state: 'released' });
});
