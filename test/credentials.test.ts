/** Clients with a password, an API key and a certificate, from tier-1 to real bridges, and operators who see whose consumers they are. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { keyEntry, makeKey, passwordEntry } from '@causeway/gateway/authentication/new-entry.ts';
import type { ConsumerPage } from '@causeway/protocol/admin/model.ts';
import { Agent, request } from 'undici';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { ask } from './harness/admin.ts';
import { kafkaOfFile, TestBridge } from './harness/bridge.ts';
import { TestAuthority } from './harness/certificates.ts';
import { startGateway, type TestGateway } from './harness/gateway.ts';
import { until } from './harness/until.ts';

const PASSWORD = 'correct horse battery staple';
const KEY = makeKey();
const directory = mkdtempSync(join(tmpdir(), 'causeway-credentials-'));
const file = join(directory, 'credentials.yaml');
const closing: (() => Promise<unknown>)[] = [];

interface Client {
  principal: string;
  headers: Record<string, string>;
  agent: Agent;
}

let tier1: TestGateway;
let east: TestBridge;
let clients: Client[];

beforeAll(async () => {
  const authority = await TestAuthority.create(directory);
  const server = await authority.certify('server', { ip: ['127.0.0.1'] });
  writeFileSync(
    file,
    (await passwordEntry({ name: 'alice', roles: [] }, PASSWORD)) + keyEntry({ name: 'device-7', roles: [] }, KEY),
    { mode: 0o600 },
  );
  const bootstrap = inject('kafkaBootstrap');
  east = await TestBridge.start(bootstrap, { bridge: { name: 'credentials', region: 'east' } });
  const west = await TestBridge.start(bootstrap, { bridge: { name: 'credentials', region: 'west' } });
  closing.push(
    () => east.close(),
    () => west.close(),
  );
  const regional = async (region: string, { url }: TestBridge): Promise<TestGateway> => {
    const gateway = await startGateway({
      gateway: { name: 'regional', region },
      regions: [{ name: region, targets: [{ url }] }],
    });
    closing.push(gateway.close);
    return gateway;
  };
  const [inEast, inWest] = [await regional('east', east), await regional('west', west)];
  tier1 = await startGateway({
    listen: {
      port: 0,
      tls: {
        certFile: server.certFile,
        keyFile: server.keyFile,
        clientCaFile: authority.certFile,
        clientCertificates: 'request',
      },
    },
    regions: [
      { name: 'east', targets: [{ url: inEast.url, adminUrl: inEast.adminUrl }] },
      { name: 'west', priority: 1, targets: [{ url: inWest.url, adminUrl: inWest.adminUrl }] },
    ],
    auth: { basic: { file }, apiKeys: { file }, clientCertificates: { principal: ['uri'] } },
  });
  closing.push(tier1.close);
  const carol = await authority.certify('carol', { uri: ['spiffe://example/carol'] });
  const agentFor = (pair: { cert?: string; key?: string }): Agent => {
    const agent = new Agent({ connect: { ca: authority.cert, ...pair } });
    closing.push(() => agent.close());
    return agent;
  };
  const plain = agentFor({});
  clients = [
    { principal: 'alice', headers: { authorization: `Basic ${btoa(`alice:${PASSWORD}`)}` }, agent: plain },
    { principal: 'device-7', headers: { 'x-api-key': KEY }, agent: plain },
    { principal: 'spiffe://example/carol', headers: {}, agent: agentFor({ cert: carol.cert, key: carol.key }) },
  ];
});
afterAll(async () => {
  for (const close of closing.reverse()) await close();
  rmSync(directory, { recursive: true });
});

const kafka = await kafkaOfFile();

/** Returns the status; the text for an unexpected one. */
async function send(
  client: Client,
  method: string,
  path: string,
  body?: unknown,
  type = 'v2',
): Promise<number | string> {
  const { statusCode, body: answer } = await request(`${tier1.url}${path}`, {
    method: method as 'GET',
    headers: { ...client.headers, 'content-type': `application/vnd.kafka.${type}+json` },
    dispatcher: client.agent,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await answer.text();
  return statusCode >= 400 && statusCode !== 403 ? text : statusCode;
}

async function listed(group: string): Promise<{ principal: string | null; home: string }[]> {
  const { body } = await ask(`${tier1.adminUrl}/api/consumers?filter=${encodeURIComponent(group)}`);
  return (body as ConsumerPage).consumers.map(({ principal, home }) => ({ principal, home }));
}

test('each method serves its client, and operators see whose consumer is where, also after a failover', async () => {
  const topic = await kafka.topic();
  const group = `credentials-${topic}`;
  for (const [index, client] of clients.entries()) {
    expect(await send(client, 'POST', `/topics/${topic}`, { records: [{ value: client.principal }] }, 'json.v2')).toBe(
      200,
    );
    expect(await send(client, 'POST', `/consumers/${group}-${index}`, { name: 'me' })).toBe(200);
  }
  const expected = (home: string) => clients.map(({ principal }) => ({ principal, home }));
  expect(await listed(group)).toEqual(expected('east/credentials'));
  expect(await listed('SPIFFE')).toEqual([{ principal: 'spiffe://example/carol', home: 'east/credentials' }]);

  const path = (index: number): string => `/consumers/${group}-${index}/instances/me`;
  await east.close();
  for (const [index, client] of clients.entries()) {
    for (const [other, stranger] of clients.entries()) {
      const status = await send(stranger, 'POST', `${path(index)}/subscription`, { topics: [topic] });
      expect(status, `${stranger.principal} at the consumer of ${client.principal}`).toBe(index === other ? 204 : 403);
    }
  }
  await until('they are listed at their new owner', async () => {
    expect(await listed(group)).toEqual(expected('west/credentials'));
    return true;
  });
  for (const [index, client] of clients.entries()) expect(await send(client, 'DELETE', path(index))).toBe(204);
});
