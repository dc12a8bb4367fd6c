/** Against a real DNS server, whose zone the tests change. */
import { writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { DnsServer } from '../../../../test/harness/dns-server.ts';
import { DnsClient, type DnsSettings, type Query } from './dns-client.ts';
import { createHostLookup } from './host-lookup.ts';

let server: DnsServer;
let directory: string;
let resolvConf: string;
let settings: DnsSettings;
beforeAll(async () => {
  server = await DnsServer.start();
  directory = await mkdtemp(join(tmpdir(), 'causeway-dns-'));
  resolvConf = join(directory, 'resolv.conf');
});
afterAll(async () => {
  await server.close();
  await rm(directory, { recursive: true });
});
beforeEach(() => {
  server.clear();
  settings = { servers: [], timeoutMs: 20_000, maxTargets: 100 };
  writeFileSync(resolvConf, `nameserver ${server.address}\n`);
});

function client(): DnsClient {
  return new DnsClient({ settings: () => settings, resolvConf });
}

/** The addresses, or why there is no address. */
async function look(name: string, kind: Query['kind'] = 'addresses', from = client()): Promise<unknown> {
  const { answer } = await from.lookup({ name, kind });
  if (answer.kind === 'failed') return answer.reason;
  if (answer.kind !== 'found') return answer.kind;
  return answer.endpoints.map(({ address, port }) => (port === undefined ? address : `${address} ${port}`)).sort();
}

test('A and AAAA records count together, through an alias, too', async () => {
  server.set('bridge.test', ['127.0.0.3', '127.0.0.2', '::1', '::ffff:127.0.0.2']);
  server.setAlias('alias.test', 'bridge.test');
  expect(await look('bridge.test')).toEqual(['127.0.0.2', '127.0.0.3', '::1']);
  expect(await look('alias.test')).toEqual(['127.0.0.2', '127.0.0.3', '::1']);
});

test('2,000 addresses come over TCP', async () => {
  server.set(
    'many.test',
    Array.from({ length: 2_000 }, (_, index) => `127.1.${index >> 8}.${index & 255}`),
  );
  expect(await look('many.test')).toHaveLength(2_000);
  expect(server.questions.map(({ protocol }) => protocol)).toContain('tcp');
});

test.each([
  ['SERVFAIL', 'the DNS server failed (SERVFAIL)'],
  ['REFUSED', 'the DNS server refuses to answer (REFUSED)'],
] as const)('%s is no answer', async (fault, reason) => {
  server.set('bridge.test', ['127.0.0.2']);
  server.fail('bridge.test', fault);
  expect(await look('bridge.test')).toBe(reason);
});

test('a name without addresses exists; another one does not', async () => {
  server.set('bridge.test', []);
  expect(await look('bridge.test')).toBe('empty');
  expect(await look('other.test')).toBe('unknown');
});

test('silence ends with the time limit', async () => {
  server.fail('bridge.test', 'SILENT');
  settings = { ...settings, timeoutMs: 60 };
  expect(await look('bridge.test')).toMatch(/no answer within 60 ms|do not answer/);
});

test('a family that fails is missing, and the other one counts', async () => {
  server.set('bridge.test', ['127.0.0.2', '::1']);
  server.fail('bridge.test', 'SERVFAIL', ['AAAA']);
  const { answer } = await client().lookup({ name: 'bridge.test', kind: 'addresses' });
  expect(answer).toMatchObject({ endpoints: [{ address: '127.0.0.2' }], missing: 'IPv6' });
});

describe('names of Kubernetes', () => {
  beforeEach(() => {
    const search = 'search kafka-bridge.svc.cluster.local svc.cluster.local cluster.local';
    writeFileSync(resolvConf, `${search}\nnameserver ${server.address}\noptions ndots:5\n`);
    server.set('bridge.kafka-bridge.svc.cluster.local', ['127.0.0.2']);
  });

  test.each([
    ['bridge', 2],
    ['bridge.kafka-bridge', 4],
    ['bridge.kafka-bridge.svc', 6],
    ['bridge.kafka-bridge.svc.cluster.local.', 2],
  ])('%s is found with %i questions', async (name, count) => {
    expect(await look(name)).toEqual(['127.0.0.2']);
    expect(server.questions).toHaveLength(count);
  });

  test('the first name that exists counts, with addresses or without', async () => {
    server.set('bridge', ['127.0.0.9']);
    expect(await look('bridge')).toEqual(['127.0.0.2']);
    server.set('bridge.kafka-bridge.svc.cluster.local', []);
    expect(await look('bridge')).toBe('empty');
  });

  test('a name that might exist is not passed over', async () => {
    server.set('bridge.cluster.local', ['127.0.0.9']);
    server.fail('bridge.kafka-bridge.svc.cluster.local', 'SERVFAIL');
    expect(await look('bridge')).toBe('the DNS server failed (SERVFAIL)');
  });

  test('a server that is silent about AAAA records of names that do not exist leaves time for the others', async () => {
    for (const name of ['bridge.kafka-bridge.svc.kafka-bridge.svc', 'bridge.kafka-bridge.svc.svc']) {
      server.fail(`${name}.cluster.local`, 'SILENT', ['AAAA']);
    }
    // An eighth of it for each of them.
    settings = { ...settings, timeoutMs: 8_000 };
    expect(await look('bridge.kafka-bridge.svc')).toEqual(['127.0.0.2']);
  });

  test('the lookup names what it found', async () => {
    const { name } = await client().lookup({ name: 'bridge', kind: 'addresses' });
    expect(name).toBe('bridge.kafka-bridge.svc.cluster.local');
  });

  test('a changed resolv.conf counts at the next lookup', async () => {
    const one = client();
    expect(await look('bridge', 'addresses', one)).toEqual(['127.0.0.2']);
    server.set('bridge.other.test', ['127.0.0.4']);
    writeFileSync(resolvConf, `search other.test\nnameserver ${server.address}\n`);
    expect(await look('bridge', 'addresses', one)).toEqual(['127.0.0.4']);
  });
});

describe('SRV records', () => {
  const NAME = '_http._tcp.bridge.test';

  test('give hosts and ports, whose names are absolute; priority and weight are ignored', async () => {
    server.setServices(NAME, [
      { host: 'b0.bridge.test', port: 8080, priority: 5, weight: 0 },
      { host: 'b1.bridge.test', port: 8081, priority: 0, weight: 9 },
      { host: 'gone.bridge.test', port: 8081 },
      { host: 'b1.bridge.test', port: 0 },
    ]);
    server.set('b0.bridge.test', ['127.0.0.2', '::1']);
    server.set('b1.bridge.test', ['127.0.0.3']);
    expect(await look(NAME, 'services')).toEqual(['127.0.0.2 8080', '127.0.0.3 8081', '::1 8080']);
  });

  test('without hosts, and none', async () => {
    server.setServices(NAME, [{ host: '.', port: 0 }]);
    expect(await look(NAME, 'services')).toBe('empty');
    server.remove(NAME);
    expect(await look(NAME, 'services')).toBe('unknown');
  });

  test('a host that fails fails the lookup', async () => {
    server.setServices(NAME, [
      { host: 'b0.bridge.test', port: 8080 },
      { host: 'b1.bridge.test', port: 8080 },
    ]);
    server.set('b0.bridge.test', ['127.0.0.2']);
    server.fail('b1.bridge.test', 'SERVFAIL');
    expect(await look(NAME, 'services')).toBe('the DNS server failed (SERVFAIL)');
  });

  test('only so many hosts are asked for', async () => {
    const hosts = Array.from({ length: 30 }, (_, index) => `b${index}.bridge.test`);
    server.setServices(
      NAME,
      hosts.map((host) => ({ host, port: 1 })),
    );
    for (const [index, host] of hosts.entries()) server.set(host, [`127.0.1.${index}`]);
    settings = { ...settings, maxTargets: 9 };
    expect(await look(NAME, 'services')).toHaveLength(10);
  });
});

describe('servers', () => {
  test('those of the configuration come before those of the system', async () => {
    writeFileSync(resolvConf, 'nameserver 127.0.0.1:9\n');
    server.set('bridge.test', ['127.0.0.2']);
    settings = { ...settings, servers: [server.address] };
    expect(await look('bridge.test')).toEqual(['127.0.0.2']);
  });

  test.each(['SERVFAIL', 'REFUSED'] as const)(
    'one that fails with %s is passed over, first once and then at once',
    async (fault) => {
      const broken = await DnsServer.start();
      try {
        broken.fail('bridge.test', fault);
        server.set('bridge.test', ['127.0.0.2']);
        settings = { ...settings, servers: [broken.address, server.address] };
        const one = client();
        expect(await look('bridge.test', 'addresses', one)).toEqual(['127.0.0.2']);
        const asked = broken.questions.length;
        expect(await look('bridge.test', 'addresses', one)).toEqual(['127.0.0.2']);
        expect(broken.questions).toHaveLength(asked);
        const hostLookup = createHostLookup({ settings: () => settings, resolvConf });
        expect(await hostLookup('bridge.test')).toEqual(['127.0.0.2']);
        server.fail('bridge.test', fault);
        expect(await look('bridge.test', 'addresses', one)).toContain(fault);
      } finally {
        await broken.close();
      }
    },
  );
});

test('a name has one lookup at a time, and close ends it', async () => {
  server.fail('bridge.test', 'SILENT');
  const one = client();
  const both = [look('bridge.test', 'addresses', one), look('bridge.test', 'addresses', one)];
  one.close();
  await Promise.all(both);
  expect(server.questions.length).toBeLessThanOrEqual(2);
  expect(await look('bridge.test', 'addresses', one)).toContain('no answer');
});

describe('the host of a URL', () => {
  test('is found in /etc/hosts', async () => {
    const lookup = createHostLookup({ settings: () => settings, resolvConf });
    expect(await lookup('localhost')).toContain('127.0.0.1');
  });

  test('is asked for at the configured servers, once at a time', async () => {
    server.set('bridge.test', ['127.0.0.2', '127.0.0.3']);
    settings = { ...settings, servers: [server.address] };
    const lookup = createHostLookup({ settings: () => settings, resolvConf });
    const [one, two] = await Promise.all([lookup('bridge.test'), lookup('bridge.test')]);
    expect([...one].sort()).toEqual(['127.0.0.2', '127.0.0.3']);
    expect(two).toBe(one);
    expect(server.countOf('bridge.test', 'A')).toBe(1);
    await expect(lookup('other.test')).rejects.toMatchObject({
      code: 'ENOTFOUND',
      message: /other.test does not exist/,
    });
    server.fail('bridge.test', 'SERVFAIL');
    await expect(lookup('bridge.test')).rejects.toMatchObject({ code: 'EAI_AGAIN' });
  });
});
