import { once } from 'node:events';
import { Socket } from 'node:net';
import { expect, test } from 'vitest';
import { ConnectionCounts } from './connections.ts';

const ADDRESS = '192.0.2.1';

function entered(counts: ConnectionCounts, address = ADDRESS): Socket {
  const socket = new Socket();
  counts.enter(socket, address);
  return socket;
}

async function close(socket: Socket): Promise<void> {
  const closed = once(socket, 'close');
  socket.destroy();
  await closed;
}

test('a connection counts for its address, then for the principal that used it last, until it closes', async () => {
  const counts = new ConnectionCounts();
  const numbers = (): number[] => [counts.ofAddress(ADDRESS), counts.ofPrincipal('alice'), counts.ofPrincipal('bob')];
  const [one, two] = [entered(counts), entered(counts)];
  expect(numbers()).toEqual([2, 0, 0]);
  expect(counts.use(one, 'alice', 5)).toBe(true);
  expect(counts.use(one, 'alice', 5)).toBe(true);
  expect(numbers()).toEqual([1, 1, 0]);
  expect(counts.use(one, 'bob', undefined)).toBe(true);
  expect(numbers()).toEqual([1, 0, 1]);
  await close(one);
  await close(two);
  expect(numbers()).toEqual([0, 0, 0]);
  // A request that was on its way when its connection closed.
  expect(counts.use(one, 'alice', 5)).toBe(true);
  expect(numbers()).toEqual([0, 0, 0]);
});

test('a principal with enough connections uses no other, and keeps those that it has', async () => {
  const counts = new ConnectionCounts();
  const [one, two] = [entered(counts), entered(counts)];
  expect([counts.use(one, 'alice', 1), counts.use(two, 'alice', 1)]).toEqual([true, false]);
  expect([counts.ofAddress(ADDRESS), counts.ofPrincipal('alice')]).toEqual([1, 1]);
  expect(counts.use(one, 'alice', 1)).toBe(true);
  await close(one);
  expect(counts.use(two, 'alice', 1)).toBe(true);
});

test('of IPv6, a /64 counts as one address; a principal that is named as one has none of its connections', () => {
  const counts = new ConnectionCounts();
  for (const address of ['2001:db8::1', '2001:db8::2', '2001:db8:0:1::1']) entered(counts, address);
  expect(counts.ofAddress('2001:db8::3')).toBe(2);
  expect(counts.use(entered(counts), ADDRESS, undefined)).toBe(true);
  expect([counts.ofAddress(ADDRESS), counts.ofPrincipal(ADDRESS)]).toEqual([0, 1]);
});

test('a connection that was not counted when it was accepted is not counted later', () => {
  const counts = new ConnectionCounts();
  expect(counts.use(new Socket(), 'alice', 0)).toBe(true);
  expect(counts.ofPrincipal('alice')).toBe(0);
});
