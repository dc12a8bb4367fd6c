/** A target that cannot be reached over TLS is down, and says why: to operators with names, to clients without. */
import { mkdtempSync, rmSync } from 'node:fs';
import type { ServerOptions } from 'node:https';
import { createServer as createTcpServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { System } from '@causeway/protocol/admin/model.ts';
import { request } from 'undici';
import { beforeAll, describe, expect, test } from 'vitest';
import { type CertifiedKey, TestAuthority } from '../../../test/harness/certificates.ts';
import { listen } from '../../../test/harness/transport.ts';
import { answerJson } from '../../../test/harness/upstream.ts';
import { gateway, produce, upstream } from './fixture.ts';

const HOUR_MS = 3_600_000;
const LOOPBACK = { ip: ['127.0.0.1'] };

let authority: TestAuthority;
let foreign: TestAuthority;
let namesake: TestAuthority;
let own: CertifiedKey;

beforeAll(async () => {
  const directory = mkdtempSync(join(tmpdir(), 'causeway-tls-reasons-'));
  authority = await TestAuthority.create(directory, 'system-authority');
  foreign = await TestAuthority.create(directory, 'foreign-authority');
  // Another key under the same name, as after a careless renewal.
  namesake = await TestAuthority.create(mkdtempSync(join(directory, 'namesake-')), 'system-authority');
  own = await authority.certify('gateway', { dns: ['tier1.example'] });
  return () => rmSync(directory, { recursive: true });
});

type Url = Promise<string>;
const serving = async (tls: ServerOptions | Promise<ServerOptions>): Url => (await upstream(undefined, await tls)).url;
const raw = async (server: Server): Url => (await listen(server)).url.replace('http:', 'https:');
const demanding = async (more: ServerOptions = {}): Promise<ServerOptions> => ({
  ...(await authority.certify('target', LOOPBACK)),
  ca: authority.cert,
  requestCert: true,
  ...more,
});

interface Reason {
  /** Returns the URL of a target. */
  start: () => Url;
  forOperators: RegExp;
  /** Default: the same. */
  forClients?: RegExp;
}

/** By what is wrong. The key is a region's name. */
const WRONG_TARGETS: Record<string, Reason> = {
  expired: {
    start: () =>
      serving(
        authority.certify('expired', {
          ...LOOPBACK,
          notBefore: new Date(Date.now() - 2 * HOUR_MS),
          notAfter: new Date(Date.now() - HOUR_MS),
        }),
      ),
    forOperators: /: its certificate has expired$/,
  },
  early: {
    start: () => serving(authority.certify('early', { ...LOOPBACK, notBefore: new Date(Date.now() + HOUR_MS) })),
    forOperators: /: its certificate is not valid yet$/,
  },
  'self-signed': {
    start: () => serving(authority.selfSign('self-signed', LOOPBACK)),
    forOperators: /: its certificate is self-signed$/,
  },
  foreign: {
    start: () => serving(foreign.certify('foreign', LOOPBACK)),
    forOperators: /: its certificate is signed by an unknown authority$/,
  },
  namesake: {
    start: () => serving(namesake.certify('namesake', LOOPBACK)),
    forOperators: /: its certificate is signed by an unknown authority$/,
  },
  'wrong-name': {
    start: () => serving(authority.certify('wrong-name', { dns: ['bridge.internal'], ip: ['10.0.0.9'] })),
    forOperators: /: its certificate is for bridge\.internal, 10\.0\.0\.9, not for 127\.0\.0\.1$/,
    forClients: /: its certificate is for another host$/,
  },
  'plain-http': {
    start: async () => (await upstream()).url.replace('http:', 'https:'),
    forOperators: /: it does not speak TLS on this port$/,
  },
  'http-to-tls': {
    start: async () => (await serving(authority.certify('target', LOOPBACK))).replace('https:', 'http:'),
    forOperators: /: connection closed before a response, as by a target that expects https$/,
    forClients: /: connection closed$/,
  },
  leaving: {
    start: () => raw(createTcpServer((socket) => socket.once('data', () => socket.end()))),
    forOperators: /: connection closed during the TLS handshake$/,
  },
  resetting: {
    start: () => raw(createTcpServer((socket) => socket.once('data', () => socket.resetAndDestroy()))),
    forOperators: /: connection closed during the TLS handshake$/,
  },
  'old-version': {
    start: async () => serving({ ...(await authority.certify('target', LOOPBACK)), maxVersion: 'TLSv1.2' }),
    forOperators: /: it has no version of TLS in common with the gateway$/,
  },
};

const SILENT: Record<string, Reason> = {
  silent: {
    start: () => raw(createTcpServer((socket) => socket.resume())),
    forOperators: /: no TLS handshake in time$/,
  },
};

const WITHOUT_CERTIFICATE: Record<string, Reason> = {
  demanding: {
    start: () => serving(demanding()),
    forOperators: /: it demands a certificate of the gateway$/,
  },
  'demanding-1-2': {
    start: () => serving(demanding({ maxVersion: 'TLSv1.2' })),
    forOperators: /: it refuses the TLS handshake: no cipher in common, or it demands a certificate of the gateway$/,
  },
};

const WITH_FOREIGN_CERTIFICATE: Record<string, Reason> = {
  'refusing-foreign': {
    start: () => serving(demanding()),
    forOperators:
      /: connection closed before a response, as by a target that does not accept the gateway's certificate$/,
    forClients: /: connection closed$/,
  },
};

/** Every target fails, one gateway tries them all. */
async function expectReasons(targets: Record<string, Reason>, tls: object, connectTimeoutMs = 60_000): Promise<void> {
  const entries = Object.entries(targets);
  const regions = await Promise.all(
    entries.map(async ([name, { start }]) => ({ name, targets: [{ url: await start() }] })),
  );
  const gw = await gateway({
    regions,
    healthCheck: { intervalMs: 50, timeoutMs: 60_000, rise: 1, fall: 2 },
    upstream: { connectTimeoutMs, tls: { caFile: authority.certFile, ...tls } },
  });
  const system = (await (await request(`${gw.adminUrl}/api/topology`)).body.json()) as System;
  const ready = await (await request(`${gw.url}/ready`)).body.text();
  for (const [name, { forOperators, forClients = forOperators }] of entries) {
    const event = gw.gateway.events.recent().find((each) => each.type === 'health' && each.region === name);
    expect(event, name).toMatchObject({ to: 'unhealthy', reason: expect.stringMatching(forOperators) });
    const region = system.regions.find((each) => each.name === name);
    expect(region, name).toMatchObject({ state: 'down', reason: expect.stringMatching(forOperators) });
    const publicReason = new RegExp(`region ${name} is unhealthy \\(([^()]*)\\)`).exec(ready)?.[1];
    expect(publicReason, name).toMatch(forClients);
  }
  expect(ready).not.toMatch(/127\.0\.0\.1|internal|10\.0\.0\.9/);
}

describe('a target is down, with a reason', () => {
  test('of its own', async () => {
    await expectReasons(WRONG_TARGETS, { certFile: own.certFile, keyFile: own.keyFile, minVersion: 'TLSv1.3' });
  });

  test('because it does not respond to the handshake', async () => {
    await expectReasons(SILENT, {}, 100);
  });

  test('because the gateway has no certificate', async () => {
    await expectReasons(WITHOUT_CERTIFICATE, {});
  });

  test('because the gateway has a certificate of another authority', async () => {
    const { certFile, keyFile } = await foreign.certify('gateway', { dns: ['tier1.example'] });
    await expectReasons(WITH_FOREIGN_CERTIFICATE, { certFile, keyFile });
  });
});

describe('a target that demands a certificate after its probes were good', () => {
  /** East demands a certificate, which the gateway does not have; its health port does not. */
  async function demandingEast(): Promise<{ url: string; eastRequests: unknown[] }> {
    const east = await upstream(answerJson({ from: 'east' }), await demanding());
    const health = await upstream();
    const west = await upstream(answerJson({ from: 'west' }));
    const gw = await gateway({
      regions: [
        { name: 'east', priority: 0, targets: [{ url: east.url, healthUrl: health.url }] },
        { name: 'west', priority: 1, targets: [{ url: west.url }] },
      ],
      upstream: { connectTimeoutMs: 60_000, tls: { caFile: authority.certFile } },
      retry: { produce: 'at-most-once' },
      request: { bufferBytes: 100 },
    });
    return { url: gw.url, eastRequests: east.requests };
  }

  test('gets nothing, so that even a request that must not be executed twice goes elsewhere', async () => {
    const { url, eastRequests } = await demandingEast();
    const response = await request(`${url}/topics/orders`, produce);
    expect([response.statusCode, await response.body.json()]).toEqual([200, { from: 'west' }]);
    expect(eastRequests).toEqual([]);
  });

  test('loses a body that is streamed, which cannot be sent again', async () => {
    const { url } = await demandingEast();
    const body = JSON.stringify({ records: [{ value: 'v'.repeat(200_000) }] });
    const response = await request(`${url}/topics/orders`, { ...produce, body });
    expect([response.statusCode, await response.body.text()]).toEqual([502, expect.stringContaining('region east: ')]);
  });
});
