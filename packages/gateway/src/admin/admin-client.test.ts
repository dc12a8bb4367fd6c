import { createServer } from 'node:http';
import { createSecureContext } from 'node:tls';
import { expect, onTestFinished, test } from 'vitest';
import { listen } from '../../../../test/harness/transport.ts';
import { until } from '../../../../test/harness/until.ts';
import { AdminClient } from './admin-client.ts';

test('a connection past its age carries no further request', async () => {
  const server = await listen(createServer({ keepAliveTimeout: 60_000 }, (_, response) => response.end('{}')));
  const client = new AdminClient({
    token: () => undefined,
    peers: { secureContext: () => createSecureContext(), serverNameOf: () => undefined },
    maxConnectionAgeMs: 20,
  });
  onTestFinished(() => client.close());
  await until('a second connection carries requests, and the first one is closed', async () => {
    expect(await client.get(server.url, 10_000, {})).toEqual({});
    return server.connectionCount > 1 && server.sockets.size === 1;
  });
});
