import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { expect, test } from 'vitest';
import { regions, startGateway } from '../../../../test/harness/gateway.ts';
import { startUpstream } from '../../../../test/harness/upstream.ts';

async function ask(socket: Socket): Promise<string> {
  socket.write('GET /topics HTTP/1.1\r\nhost: x\r\n\r\n');
  const [chunk] = (await once(socket, 'data')) as [Buffer];
  return chunk.toString();
}

test('a connection that was idle when the end begins is used once more, and then ended in order', async () => {
  const upstream = await startUpstream();
  const gateway = await startGateway({ regions: regions({ east: upstream.url }), shutdown: { graceMs: 60_000 } });
  const { hostname, port } = new URL(gateway.url);
  const [used, idle] = [connect(Number(port), hostname), connect(Number(port), hostname)];
  try {
    for (const socket of [used, idle]) expect(await ask(socket)).toMatch(/^HTTP\/1.1 200/);
    const startedAtMs = performance.now();
    const closed = gateway.close();
    const isEnded = [used, idle].map((socket) => once(socket, 'end'));
    const answer = await ask(used);
    expect(answer).toMatch(/^HTTP\/1.1 200/);
    expect(answer).toMatch(/^connection: close/im);
    await Promise.all([...isEnded, closed]);
    expect(performance.now() - startedAtMs).toBeLessThan(20_000);
  } finally {
    for (const socket of [used, idle]) socket.destroy();
    await gateway.close();
    await upstream.kill();
  }
});
