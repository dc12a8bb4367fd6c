import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from 'vitest';
import { testCluster } from '../../../../test/harness/cluster.ts';
import { unique } from '../../../../test/harness/kafka-view.ts';
import { IDLE_SESSION } from '../../../../test/harness/session-description.ts';
import { until } from '../../../../test/harness/until.ts';
import type { Cluster } from '../kafka/client/cluster.ts';
import { within } from '../kafka/client/limits.ts';
import { Adoption, type AdoptionStage, type SessionRequest, type Successor } from './adoption.ts';
import { Claims, type WonClaim } from './claims.ts';
import { Leases } from './leases.ts';
import { MIN_LEASE_MS, type Origin } from './rules.ts';
import type { SessionDescription } from './session-entry.ts';
import type { SessionIdentity } from './session-identity.ts';
import { SessionLog } from './session-log.ts';

const TOPIC = unique('sessions');
const CLIENT: Origin = { via: 'client' };
const GATEWAY: Origin = { via: 'gateway', failedOwners: [] };

/** The part of a bridge that owns sessions. */
class Owner {
  readonly name: string;
  readonly log: SessionLog;
  readonly claims: Claims;
  readonly leases: Leases;
  readonly adoption: Adoption;
  readonly #cluster: Cluster;
  /** By the consumer's name. */
  readonly held = new Map<string, WonClaim>();
  /** Claimed, and lost before they were served. */
  readonly abandoned: WonClaim[] = [];
  /** It answers no question in the log, like a frozen bridge. */
  isSilent = false;

  constructor(name: string) {
    this.name = name;
    this.#cluster = testCluster(inject('kafkaBootstrap'));
    this.log = new SessionLog(this.#cluster, { requestTimeoutMs: 20_000, topic: TOPIC });
    this.log.follow({
      onChanged: (identity) => {
        const held = this.held.get(identity.name);
        if (held !== undefined && this.claims.decide(identity, held.entry).kind !== 'keep') {
          this.held.delete(identity.name);
        }
      },
      onHandedOver: (identity) => this.adoption.onHandedOver(identity),
      onAsked: (identity) => {
        const held = this.held.get(identity.name);
        if (held !== undefined && !this.isSilent)
          void this.claims.update(held, held.description, { limits: within(20_000) });
      },
    });
    this.claims = new Claims({ log: this.log, self: name, inactivityTimeoutMs: 60_000 });
    this.leases = new Leases(this.log);
    this.adoption = new Adoption({
      log: this.log,
      self: name,
      claims: this.claims,
      leases: this.leases,
      holdingOf: (identity) => this.held.get(identity.name)?.entry,
    });
  }

  async start(): Promise<this> {
    this.log.start();
    await until('the log is read', () => this.log.unreadyReason === undefined, { timeoutMs: 60_000 });
    return this;
  }

  async close(): Promise<void> {
    await this.log.close();
    await this.#cluster.close();
  }

  readonly serve = (claim: WonClaim): void => {
    this.held.set(claim.entry.identity.name, claim);
  };

  /** `joined`: stands for the join of a group. */
  succeed(claim: WonClaim, joined = Promise.resolve()): Successor {
    return { joined, serve: () => this.serve(claim), abandon: () => this.abandoned.push(claim) };
  }

  request(identity: SessionIdentity, origin: Origin, principal?: string): SessionRequest {
    return { identity, origin, principal, limits: within(60_000) };
  }

  admit(identity: SessionIdentity, origin: Origin = GATEWAY, principal?: string) {
    return this.adoption.admit(this.request(identity, origin, principal), (claim) => this.succeed(claim));
  }

  create(identity: SessionIdentity, origin: Origin = GATEWAY, principal?: string) {
    return this.adoption.create(this.request(identity, origin, principal), IDLE_SESSION, this.serve);
  }

  claimOf({ name }: SessionIdentity): WonClaim {
    const claim = this.held.get(name);
    if (claim === undefined) throw new Error(`${this.name} does not hold ${name}`);
    return claim;
  }
}

let east: Owner;
let west: Owner;

beforeAll(async () => {
  [east, west] = await Promise.all([new Owner('east/b').start(), new Owner('west/b').start()]);
});

afterAll(async () => {
  await Promise.all([east.close(), west.close()]);
});

function failed(owner: Owner): Origin {
  return { via: 'gateway', failedOwners: [owner.name] };
}

function session(): SessionIdentity {
  return { group: unique('group'), name: unique('consumer') };
}

test('a session is served where it was created, and other bridges name the owner', async () => {
  const identity = session();
  expect(await west.admit(identity)).toEqual({ kind: 'notFound' });
  expect(await east.create(identity)).toEqual({ kind: 'created' });
  expect(await east.admit(identity)).toEqual({ kind: 'serve' });
  expect(await west.admit(identity)).toEqual({ kind: 'misdirected', owner: 'east/b' });
  expect(await east.create(identity)).toEqual({ kind: 'alreadyExists' });
  expect(await west.create(identity)).toEqual({ kind: 'misdirected', owner: 'east/b' });
  expect(await west.create(identity, CLIENT)).toEqual({ kind: 'alreadyExists' });
});

describe('a session with a principal', () => {
  test.each([['bob'], [undefined]])(
    'is not served, adopted or replaced for %s, whatever the request says of its owner',
    async (other) => {
      const identity = session();
      await east.create(identity, GATEWAY, 'alice');
      for (const origin of [GATEWAY, CLIENT, failed(east)]) {
        for (const bridge of [east, west]) {
          expect(await bridge.admit(identity, origin, other)).toEqual({ kind: 'forbidden' });
          expect(await bridge.create(identity, origin, other)).toEqual({ kind: 'forbidden' });
        }
      }
      expect(west.log.get(identity)).toMatchObject({ epoch: 1, value: { owner: 'east/b', principal: 'alice' } });
      expect(await east.admit(identity, GATEWAY, 'alice')).toEqual({ kind: 'serve' });
    },
  );

  test('keeps it through an adoption, a new lease and a release, and loses it with its end', async () => {
    const identity = session();
    await east.create(identity, GATEWAY, 'alice');
    expect(await west.admit(identity, failed(east), 'alice')).toEqual({ kind: 'serve' });
    const again = await west.claims.claimAgain(west.claimOf(identity), IDLE_SESSION, { limits: within(20_000) });
    if (again.kind !== 'written') throw new Error(again.kind);
    await west.claims.release(again.claim, within(20_000));
    await until('the release is read', () => east.log.get(identity)?.value.state === 'released');
    expect(east.log.get(identity)).toMatchObject({ epoch: 3, value: { principal: 'alice' } });
    expect(await east.admit(identity, GATEWAY, 'bob')).toEqual({ kind: 'forbidden' });
    expect(await east.create(identity, GATEWAY, 'bob')).toEqual({ kind: 'forbidden' });
    await east.claims.delete(again.claim, within(20_000));
    expect(await west.admit(identity, GATEWAY, 'bob')).toEqual({ kind: 'notFound' });
    expect(await west.create(identity, GATEWAY, 'bob')).toEqual({ kind: 'created' });
    expect(await west.admit(identity, GATEWAY, 'alice')).toEqual({ kind: 'forbidden' });
  });

  test('is refused to others at once while its principal adopts it', async () => {
    const identity = session();
    await east.create(identity, GATEWAY, 'alice');
    const joined = Promise.withResolvers<void>();
    const adopted = west.adoption.admit(west.request(identity, failed(east), 'alice'), (claim) =>
      west.succeed(claim, joined.promise),
    );
    await until('west has claimed it', () => west.log.get(identity)?.epoch === 2);
    expect(await west.admit(identity, failed(east), 'bob')).toEqual({ kind: 'forbidden' });
    expect(await west.create(identity, failed(east), 'bob')).toEqual({ kind: 'forbidden' });
    joined.resolve();
    expect(await adopted).toEqual({ kind: 'serve' });
  });

  test('is decided by the log, not by what a bridge held before', async () => {
    const identity = session();
    await east.create(identity, GATEWAY, 'alice');
    const stale = east.claimOf(identity);
    await east.claims.delete(stale, within(20_000));
    expect(await west.create(identity, GATEWAY, 'bob')).toEqual({ kind: 'created' });
    // As a bridge that was stopped meanwhile.
    east.held.set(identity.name, stale);
    expect(await east.admit(identity, GATEWAY, 'bob')).toEqual({ kind: 'misdirected', owner: 'west/b' });
    expect(await east.admit(identity, GATEWAY, 'alice')).toEqual({ kind: 'forbidden' });
  });

  test('is one that was created with it: one without belongs to every principal', async () => {
    const identity = session();
    await east.create(identity);
    expect(await west.admit(identity, failed(east), 'alice')).toEqual({ kind: 'serve' });
    expect(await east.admit(identity, failed(west), 'bob')).toEqual({ kind: 'serve' });
  });
});

test('a session whose owner failed is adopted as it was described, and the old owner drops it', async () => {
  const identity = session();
  await east.create(identity);
  const subscribed: SessionDescription = {
    ...IDLE_SESSION,
    subscription: { kind: 'pattern', pattern: 'orders-.*' },
    seeks: [{ topic: 't', partition: 1, to: '42' }],
  };
  const old = east.claimOf(identity);
  expect(await east.claims.update(old, subscribed, { limits: within(20_000) })).toMatchObject({ kind: 'written' });

  const startedAtMs = performance.now();
  expect(await west.admit(identity, failed(east))).toEqual({ kind: 'serve' });
  // Until every confirmation of the old owner, which may only be cut off, is too old.
  expect(performance.now() - startedAtMs).toBeGreaterThan(MIN_LEASE_MS);
  expect(west.claimOf(identity)).toMatchObject({ description: subscribed, entry: { epoch: 2 } });
  await until('the old owner drops it', () => !east.held.has(identity.name));
  expect(await east.leases.confirm(old, within(20_000))).toEqual({ kind: 'fenced', owner: 'west/b' });
  expect(await east.claims.update(old, IDLE_SESSION, { limits: within(20_000) })).toEqual({
    kind: 'fenced',
    owner: 'west/b',
  });
  expect(await east.claims.delete(old, within(20_000))).toEqual({ kind: 'fenced', owner: 'west/b' });
  expect(await east.admit(identity)).toEqual({ kind: 'misdirected', owner: 'west/b' });
  expect(west.claimOf(identity).description).toEqual(subscribed);
  await until('what it superseded is removed', () => east.log.dominatedCount(identity) === 0);
});

/** A session with a claim of an owner that is gone, and a lease for a distant Kafka. */
async function claimedWithLease(leaseMs: number): Promise<SessionIdentity> {
  const identity = session();
  await east.create(identity);
  const { value } = east.claimOf(identity).entry;
  east.held.delete(identity.name);
  await east.log.append(identity, { epoch: 2, id: unique('claim') }, { ...value, leaseMs }, within(20_000));
  return identity;
}

test('the group is joined while the lease of the old owner ends, and nothing is served before', async () => {
  // Enough for a busy machine to begin to join within it.
  const leaseMs = 2000;
  const identity = await claimedWithLease(leaseMs);
  const endedAtMs = new Map<AdoptionStage | 'joining', number>();
  const note = (stage: AdoptionStage | 'joining'): void => void endedAtMs.set(stage, performance.now());
  const onServed = west.adoption.admit(
    west.request(identity, failed(east)),
    (claim) => {
      note('joining');
      expect(west.held.has(identity.name)).toBe(false);
      return west.succeed(claim);
    },
    { onStageEnded: note },
  );
  expect(await onServed).toEqual({ kind: 'serve' });
  expect([...endedAtMs.keys()]).toEqual(['read', 'claim', 'joining', 'wait', 'join']);
  // The wait began when Kafka had the claim, which the joining bridge learned a little later.
  expect((endedAtMs.get('wait') ?? 0) - (endedAtMs.get('joining') ?? 0)).toBeGreaterThan(leaseMs / 2);
  expect((endedAtMs.get('wait') ?? 0) - (endedAtMs.get('read') ?? 0)).toBeGreaterThan(leaseMs);
});

test('a hand-over counts although its record is removed before the group has the member', async () => {
  const identity = await claimedWithLease(60_000);
  await east.log.readToEnd(within(20_000));
  const entry = east.log.get(identity);
  if (entry === undefined) throw new Error('no entry');
  const joining = Promise.withResolvers<void>();
  const handedOver: (SessionDescription | undefined)[] = [];
  const waited = Promise.withResolvers<void>();
  const onServed = west.adoption.admit(
    west.request(identity, failed(east)),
    () => ({ joined: joining.promise, serve: (description) => handedOver.push(description), abandon: () => {} }),
    { onStageEnded: (stage) => stage === 'wait' && waited.resolve() },
  );
  await until('the old owner is superseded', async () => {
    await east.log.readToEnd(within(20_000));
    return east.log.get(identity)?.value.owner === west.name;
  });
  const description = { ...IDLE_SESSION, seeks: [{ topic: 't', partition: 0, to: '7' }] };
  await east.claims.release({ entry, description }, within(20_000));
  await waited.promise;
  await west.log.removeDominated(identity, within(20_000));
  await until('the record is removed', () => west.log.handedOver(identity, entry) === undefined);
  joining.resolve();
  expect(await onServed).toEqual({ kind: 'serve' });
  expect(handedOver).toEqual([description]);
});

test('a bridge that loses the session while it waits abandons what it began', async () => {
  // The other bridge claims at once; a busy machine has time for it.
  const identity = await claimedWithLease(4000);
  const south = await new Owner('south/b').start();
  onTestFinished(() => south.close());
  let adopting: Promise<unknown> | undefined;
  const ended: AdoptionStage[] = [];
  const answer = west.adoption.admit(
    west.request(identity, failed(east)),
    (claim) => {
      adopting = south.admit(identity, failed(west));
      return west.succeed(claim);
    },
    { onStageEnded: (stage) => ended.push(stage) },
  );
  expect(await answer).toEqual({ kind: 'misdirected', owner: 'south/b' });
  // Or it would count as an adoption.
  expect(ended).not.toContain('join');
  expect(await adopting).toEqual({ kind: 'serve' });
  expect(west.abandoned.map(({ entry }) => entry.identity)).toContainEqual(identity);
  expect(west.held.has(identity.name)).toBe(false);
});

test('two bridges that adopt at once agree on the winner', async () => {
  const identities = Array.from({ length: 20 }, session);
  const dead = await new Owner('dead/b').start();
  await Promise.all(identities.map((identity) => dead.create(identity)));
  await dead.close();
  await Promise.all(
    identities.map(async (identity) => {
      const answers = await Promise.all([east.admit(identity, failed(dead)), west.admit(identity, failed(dead))]);
      const isEast = east.held.has(identity.name);
      expect(west.held.has(identity.name)).toBe(!isEast);
      const [winner, loser] = isEast ? answers : answers.toReversed();
      expect(winner).toEqual({ kind: 'serve' });
      expect(loser).toEqual({ kind: 'misdirected', owner: isEast ? 'east/b' : 'west/b' });
    }),
  );
});

test('requests that come at once for a session adopt it once', async () => {
  const identity = session();
  await east.create(identity);
  const answers = await Promise.all(Array.from({ length: 5 }, () => west.admit(identity, failed(east))));
  expect(answers).toEqual(Array.from({ length: 5 }, () => ({ kind: 'serve' })));
  expect(west.claimOf(identity).entry.epoch).toBe(2);
});

test('a session that was released is adopted without a wait, by the first bridge with a request', async () => {
  const identity = session();
  await east.create(identity);
  const claim = east.claimOf(identity);
  east.held.delete(identity.name);
  await east.claims.release(claim, within(20_000));
  const startedAtMs = performance.now();
  expect(await west.admit(identity)).toEqual({ kind: 'serve' });
  console.info(`a session that was released is adopted after ${Math.round(performance.now() - startedAtMs)} ms`);
  expect(west.claimOf(identity)).toMatchObject({ description: IDLE_SESSION, entry: { epoch: 2 } });
});

test('a session that was deleted stays deleted, also for a claim that comes late, and can be created again', async () => {
  const identity = session();
  await east.create(identity);
  const claim = east.claimOf(identity);
  expect(await east.claims.delete(claim, within(20_000))).toEqual({ kind: 'deleted' });
  east.held.delete(identity.name);
  // From a bridge that was frozen before it wrote.
  const late = { ...claim.entry.value, owner: 'west/b' };
  await west.log.append(identity, { epoch: 2, id: 'late' }, late, within(20_000));
  await west.log.append(identity, { epoch: 1, id: claim.entry.id }, claim.entry.value, within(20_000));
  for (const origin of [GATEWAY, CLIENT, failed(east)]) {
    expect(await west.admit(identity, origin)).toEqual({ kind: 'notFound' });
    expect(await east.admit(identity, origin)).toEqual({ kind: 'notFound' });
  }
  expect(await west.create(identity)).toEqual({ kind: 'created' });
  expect(west.claimOf(identity).entry.epoch).toBe(3);
});

test('a create with the name of a session succeeds once its owner is gone', async () => {
  const identity = session();
  await east.create(identity);
  expect(await west.create(identity, failed(east))).toEqual({ kind: 'created' });
  // No gateway reports that the owner failed: the owner is asked.
  const other = session();
  await east.create(other);
  expect(await west.create(other, CLIENT)).toEqual({ kind: 'alreadyExists' });
  east.isSilent = true;
  onTestFinished(() => {
    east.isSilent = false;
  });
  expect(await west.create(other, CLIENT)).toEqual({ kind: 'created' });
  await until('the owner that was silent drops it', () => !east.held.has(other.name));
  await until('the questions are removed', () => west.log.dominatedCount(other) === 0);
});

test('a bridge that was restarted adopts the sessions that it owned', async () => {
  const identity = session();
  const before = await new Owner('north/b').start();
  await before.create(identity);
  await before.close();
  const after = await new Owner('north/b').start();
  onTestFinished(() => after.close());
  expect(await after.admit(identity)).toEqual({ kind: 'serve' });
  expect(after.claimOf(identity).entry.epoch).toBe(2);
});

test('a session whose join fails is adopted by the next request', async () => {
  const identity = session();
  await east.create(identity);
  const request = west.request(identity, failed(east));
  const failing = west.adoption.admit(request, (claim) =>
    west.succeed(claim, Promise.reject(new Error('no coordinator'))),
  );
  await expect(failing).rejects.toThrow('no coordinator');
  expect(west.abandoned.map(({ entry }) => entry.identity)).toContainEqual(identity);
  expect(await west.admit(identity)).toEqual({ kind: 'serve' });
});
