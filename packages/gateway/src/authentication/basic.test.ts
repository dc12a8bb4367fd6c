import { describe, expect, test } from 'vitest';
import { Basic } from './basic.ts';
import type { Credentials, CredentialsFile } from './credentials-file.ts';
import type { Authentication, CredentialedRequest } from './method.ts';
import { PasswordChecks } from './password-checks.ts';
import type { PasswordHash } from './password-hash.ts';

const MINUTE_MS = 60_000;

/** A gateway's basic authentication, with passwords whose derivations are counted. */
class Door {
  nowMs = 0;
  derivationCount = 0;
  readonly entries = new Map<string, Credentials>();
  readonly checks = new PasswordChecks({
    now: () => 0,
    limits: { maxRunning: 1, maxWaiting: 10, maxWaitingPerAddress: 10 },
  });
  readonly basic: Basic;

  constructor() {
    const file = (): CredentialsFile => ({
      byName: this.entries,
      byKeyHash: new Map(),
      names: new Set(),
      warning: undefined,
    });
    this.basic = new Basic({ file, checks: this.checks, realm: 'test', now: () => this.nowMs });
  }

  set(name: string, passwords: readonly string[], roles: readonly string[] = []): void {
    const hashes = passwords.map((password) => this.#hash(password));
    this.entries.set(name, { name, roles, passwords: hashes, text: JSON.stringify([name, roles, passwords]) });
  }

  #hash(password: string): PasswordHash {
    const derive = async (given: string): Promise<Buffer> => {
      this.derivationCount += 1;
      return Buffer.from(given.slice(0, 16).padEnd(16));
    };
    return { text: password, derive, digest: Buffer.from(password.padEnd(16)) };
  }

  /** What the gatekeeper does: asks what is known first. */
  async enter(name: string, password: string): Promise<Authentication> {
    const request = requestOf(`Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`);
    return this.basic.recall(request) ?? (await this.basic.authenticate(request));
  }

  isKnown(name: string, password: string): boolean {
    const request = requestOf(`Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`);
    return this.basic.recall(request) !== undefined;
  }

  /** Derivations that one attempt costs. */
  async costOf(name: string, password: string): Promise<number> {
    const before = this.derivationCount;
    await this.enter(name, password);
    return this.derivationCount - before;
  }
}

function requestOf(authorization: string): CredentialedRequest {
  return { message: { headers: { authorization } }, clientAddress: '192.0.2.1' } as unknown as CredentialedRequest;
}

test('a right pair is checked once, also by requests at the same time', async () => {
  const door = new Door();
  door.set('alice', ['secret'], ['writer']);
  const results = await Promise.all(Array.from({ length: 20 }, () => door.enter('alice', 'secret')));
  for (const result of results) {
    expect(result).toEqual({
      kind: 'authenticated',
      principal: { name: 'alice', roles: ['writer'], method: 'basic' },
    });
  }
  expect(await door.enter('alice', 'secret')).toBe(results[0]);
  expect(door.derivationCount).toBe(1);
});

test('a wrong pair is checked each time', async () => {
  const door = new Door();
  door.set('alice', ['secret']);
  for (let count = 1; count <= 3; count += 1) {
    expect((await door.enter('alice', 'Secret')).kind).toBe('failed');
    expect(door.derivationCount).toBe(count);
  }
});

test('an unknown name cannot be distinguished from a wrong password: the same response for the same work', async () => {
  const door = new Door();
  door.set('alice', ['secret']);
  door.set('bob', ['secret', 'next secret', 'third secret']);
  const failure = await door.enter('alice', 'wrong');
  const costs = new Set<number>();
  for (let count = 0; count < 40; count += 1) {
    const name = `unknown-${count}`;
    expect(await door.enter(name, 'wrong')).toBe(failure);
    const cost = await door.costOf(name, 'wrong');
    expect(await door.costOf(name, 'other')).toBe(cost);
    costs.add(cost);
  }
  expect([...costs].sort()).toEqual([await door.costOf('alice', 'wrong'), await door.costOf('bob', 'wrong')]);
  // Not even the password of the entry whose hashes were compared admits an unknown name.
  for (let count = 0; count < 40; count += 1) expect(await door.enter(`unknown-${count}`, 'secret')).toBe(failure);
});

test('without any password in the file, an attempt costs a real derivation', async () => {
  const door = new Door();
  expect((await door.enter('alice', 'secret')).kind).toBe('failed');
  expect(door.checks.counts).toMatchObject({ wrong: 1 });
});

describe('a pair that was right', () => {
  test('is forgotten some minutes after its last use', async () => {
    const door = new Door();
    door.set('alice', ['secret']);
    await door.enter('alice', 'secret');
    for (let count = 0; count < 4; count += 1) {
      door.nowMs += 9 * MINUTE_MS;
      expect(door.isKnown('alice', 'secret')).toBe(true);
    }
    door.nowMs += 11 * MINUTE_MS;
    expect(door.isKnown('alice', 'secret')).toBe(false);
    expect(await door.costOf('alice', 'secret')).toBe(1);
  });

  test('is forgotten when its entry changes or disappears, and not when another one does', async () => {
    const door = new Door();
    door.set('alice', ['secret']);
    door.set('bob', ['secret']);
    await door.enter('alice', 'secret');
    door.set('bob', ['another']);
    // As after a reload: another object with the same content.
    door.set('alice', ['secret']);
    expect(await door.costOf('alice', 'secret')).toBe(0);
    door.set('alice', ['secret'], ['writer']);
    expect(await door.enter('alice', 'secret')).toMatchObject({ principal: { roles: ['writer'] } });
    door.set('alice', ['changed']);
    expect((await door.enter('alice', 'secret')).kind).toBe('failed');
    door.set('alice', ['changed', 'secret']);
    await door.enter('alice', 'secret');
    door.entries.delete('alice');
    expect((await door.enter('alice', 'secret')).kind).toBe('failed');
  });

  test('does not count when the entry disappeared during the check', async () => {
    const door = new Door();
    door.set('alice', ['secret']);
    const entering = door.enter('alice', 'secret');
    door.entries.delete('alice');
    expect((await entering).kind).toBe('failed');
    door.set('alice', ['secret']);
    expect(door.isKnown('alice', 'secret')).toBe(false);
  });
});

test('beyond the checks that may wait, the gateway does not know', async () => {
  const door = new Door();
  door.set('alice', ['secret']);
  const results = await Promise.all(Array.from({ length: 12 }, (_, index) => door.enter('alice', `guess ${index}`)));
  expect(results.map(({ kind }) => kind)).toEqual([...Array(11).fill('failed'), 'unavailable']);
  expect((await door.enter('alice', 'secret')).kind).toBe('authenticated');
});
