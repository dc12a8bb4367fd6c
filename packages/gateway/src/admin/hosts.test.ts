import { request } from 'undici';
import { afterEach, describe, expect, test } from 'vitest';
import { startGateway, TEST_TOKEN, type TestGateway } from '../../../../test/harness/gateway.ts';
import { startUpstream, type Upstream } from '../../../../test/harness/upstream.ts';
import { isAllowed } from './hosts.ts';

test.each<[listen: string, allowedHosts: string[], allowed: string[], refused: string[]]>([
  [
    '127.0.0.1',
    [],
    ['localhost', 'LocalHost:8081', '127.0.0.1', '127.0.0.1:1', '127.1.2.3', '[::1]', '[::1]:8081', 'localhost.:1'],
    [
      'evil.example',
      'evil.example:8081',
      '10.0.0.1',
      '[2001:db8::1]',
      'localhost.evil.example',
      'evil@localhost',
      '',
      'a b',
    ],
  ],
  ['localhost', [], ['localhost:8081', '127.0.0.1'], ['evil.example']],
  ['::1', [], ['[::1]:8081', 'localhost', '127.0.0.1'], ['[::2]', '::1.evil.example', 'evil.example']],
  [
    '127.0.0.1',
    ['ops.example', 'Admin.Example:443', '[2001:db8::1]', '10.9.9.9'],
    ['ops.example:8081', 'OPS.example', 'admin.example', '[2001:db8::1]:1', '10.9.9.9', 'localhost'],
    ['evil.example', 'xops.example', 'ops.example.evil', '10.9.9.8'],
  ],
  ['0.0.0.0', [], ['anything.example', '10.0.0.1:8081', 'localhost'], ['', 'a b', 'a/b']],
  ['10.0.0.1', ['ops.example'], ['ops.example', '10.0.0.1', '10.2.3.4:5', '[2001:db8::1]'], ['evil.example']],
])('at %s, with %j besides', (host, allowedHosts, allowed, refused) => {
  const judge = (header: string): [string, boolean] => [header, isAllowed(header, { host, allowedHosts })];
  expect([...allowed, ...refused].map(judge)).toEqual([
    ...allowed.map((header) => [header, true]),
    ...refused.map((header) => [header, false]),
  ]);
});

describe('the admin port on loopback', () => {
  let upstream: Upstream;
  const gateways: TestGateway[] = [];
  afterEach(async () => {
    for (const gateway of gateways.splice(0)) await gateway.close();
    await upstream.kill();
  });

  async function start(admin: object, regions: unknown[]): Promise<TestGateway> {
    const gateway = await startGateway({ regions, admin: { port: 0, token: TEST_TOKEN, ...admin } });
    gateways.push(gateway);
    return gateway;
  }

  test('serves no foreign name on any path, and serves listed names', async () => {
    upstream = await startUpstream();
    const inner = await start({}, [{ name: 'east', targets: [{ url: upstream.url }] }]);
    const targets = [{ url: inner.url, adminUrl: inner.adminUrl }];
    const gw = await start({ allowedHosts: ['ops.example'] }, [{ name: 'east', targets }]);
    const ask = async (path: string, host: string, method: 'GET' | 'POST' = 'GET') => {
      const headers = { host, authorization: `Bearer ${TEST_TOKEN}` };
      const { statusCode, body } = await request(`${gw.adminUrl}${path}`, { method, headers });
      return { status: statusCode, text: await body.text() };
    };
    const document = JSON.parse((await ask('/api/openapi.json', 'localhost')).text) as { paths: object };
    const paths = [...Object.keys(document.paths), '/', '/page/main.ts', '/nowhere', '/api/regions/east/topology'];
    for (const path of paths) {
      const refused = await ask(path.replace('{region}', 'east'), 'evil.example:8081');
      expect([path, refused.status]).toEqual([path, 421]);
      expect(JSON.parse(refused.text)).toEqual({
        error_code: 421,
        message:
          'The admin API does not serve the host "evil.example:8081": use an address, or add the name to admin.allowedHosts.',
      });
    }
    expect((await ask('/api/regions/east/drain', 'evil.example', 'POST')).status).toBe(421);
    for (const host of ['ops.example', 'localhost', new URL(gw.adminUrl).host]) {
      expect((await ask('/api/topology', host)).status).toBe(200);
      // The relay uses the name of the region's gateway.
      expect((await ask('/api/regions/east/topology', host)).status).toBe(200);
    }
  });
});
