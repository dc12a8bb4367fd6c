/** What a gateway keeps of bodies and responses that have passed. */
import { Agent, request } from 'undici';
import { expect, onTestFinished, test } from 'vitest';
import { bufferBytes } from '../../../test/harness/buffer-bytes.ts';
import { regions } from '../../../test/harness/gateway.ts';
import { until } from '../../../test/harness/until.ts';
import { gateway, produce, upstream } from './fixture.ts';

const MIB = 1_048_576;
const CONNECTIONS = 20;

test('connections that stay open, to clients and to targets, keep neither bodies nor responses', async () => {
  const waiting: (() => void)[] = [];
  const answer = Buffer.alloc(MIB, 0x62);
  const east = await upstream((_, response) => {
    // All at the same time, so that each has a connection of its own.
    waiting.push(() => response.writeHead(200, { 'content-length': answer.length }).end(answer));
    if (waiting.length === CONNECTIONS) for (const send of waiting.splice(0)) send();
  });
  const gw = await gateway({ regions: regions({ east: east.url }) });
  const agents = Array.from({ length: CONNECTIONS }, () => new Agent({ connections: 1, keepAliveTimeout: 600_000 }));
  onTestFinished(async () => {
    await Promise.all(agents.map((agent) => agent.destroy()));
  });
  const body = Buffer.alloc(MIB, 0x61);
  const before = bufferBytes();
  await Promise.all(
    agents.map(async (dispatcher) => {
      const { statusCode, body: received } = await request(`${gw.url}/topics/t`, { ...produce, body, dispatcher });
      expect([statusCode, (await received.bytes()).length]).toEqual([200, MIB]);
    }),
  );
  await until('nearly all of it is free', () => bufferBytes() - before < 5 * MIB);
});
