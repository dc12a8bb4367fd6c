import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { until } from '../../../../test/harness/until.ts';
import { Guest } from './guest.ts';

/** A guest of a server that responds with one status to clients without a token, and with another to the guest's. */
async function guestOf(statuses: { without: number; with: number }): Promise<Guest> {
  const server = createServer((request, response) => {
    request.resume();
    const { authorization } = request.headers;
    if (authorization !== undefined && authorization !== 'Bearer guest-token') response.writeHead(500).end();
    else response.writeHead(authorization === undefined ? statuses.without : statuses.with).end();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}`;
  const guest = new Guest({ url, tls: undefined, token: 'guest-token', topic: 'tenant-1.orders' });
  onTestFinished(async () => {
    await guest.stop();
    server.close();
  });
  guest.start();
  return guest;
}

test('a guest counts refusals with its token and without', async () => {
  const guest = await guestOf({ without: 401, with: 403 });
  await until('it was refused both ways', () => guest.refusals.unauthenticated > 0 && guest.refusals.forbidden > 0);
  await guest.stop();
  expect(guest.surprises).toEqual(new Map());
});

test('any other response is a surprise: 403 without a token, too', async () => {
  const guest = await guestOf({ without: 403, with: 200 });
  await until('both are counted', () => guest.surprises.size === 2);
  await guest.stop();
  expect([...guest.surprises.keys()].toSorted()).toEqual(['HTTP 200', 'HTTP 403']);
  expect(guest.refusals).toEqual({ unauthenticated: 0, forbidden: 0 });
});
