/**
 * All certificates of a system are replaced under load, on both sides of every hop: first by others of the same authority, then
 * together with the authority. No request fails, and no connection of a client is dropped.
 */
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { type ClientHttp2Session, connect as connectHttp2 } from 'node:http2';
import { Agent, request as httpsRequest } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { connect, type TLSSocket } from 'node:tls';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { TestBridge } from './harness/bridge.ts';
import { TestAuthority } from './harness/certificates.ts';
import { startGateway, type TestGateway } from './harness/gateway.ts';
import { fetchHttp2 } from './harness/http2-client.ts';
import { KafkaView } from './harness/kafka-view.ts';
import { until } from './harness/until.ts';

const directory = mkdtempSync(join(tmpdir(), 'causeway-rotation-'));
const ROLES = ['tier1', 'regional', 'bridge'] as const;
type Role = (typeof ROLES)[number];
const SYSTEM = 'spiffe://causeway.example/gateway';
const PRODUCE = { 'content-type': 'application/vnd.kafka.json.v2+json' };
const BODY = JSON.stringify({ records: [{ value: 'a' }] });

let bridge: TestBridge;
let regional: TestGateway;
let tier1: TestGateway;
let topic: string;
/** What clients trust. */
let clientCa: string;
/** Replaced at every stage. */
let authority: TestAuthority;

/** The files of one process: certificate and key for both sides, authorities of both sides. */
const fileOf = (role: Role, file: 'tls.crt' | 'tls.key' | 'ca.crt'): string => join(directory, role, file);

function replace(file: string, text: string): void {
  writeFileSync(`${file}.next`, text);
  renameSync(`${file}.next`, file);
}

async function certify(role: Role): Promise<void> {
  const { cert, key } = await authority.certify(`${role}-of-${authority.cert.length}`, {
    ip: ['127.0.0.1'],
    uri: [SYSTEM],
  });
  replace(fileOf(role, 'tls.key'), key);
  replace(fileOf(role, 'tls.crt'), cert);
}

const ownFiles = (role: Role) => ({ certFile: fileOf(role, 'tls.crt'), keyFile: fileOf(role, 'tls.key') });

function gatewayConfig(role: Role, url: string): Record<string, unknown> {
  const clientCaFile = fileOf(role, 'ca.crt');
  // Tier-1 serves clients, who have no certificates.
  const tls = role === 'tier1' ? ownFiles(role) : { ...ownFiles(role), clientCaFile };
  return {
    gateway: role === 'tier1' ? { name: role } : { name: role, region: 'east' },
    listen: { port: 0, tls },
    regions: [{ name: 'east', targets: [{ url }] }],
    upstream: { tls: { ...ownFiles(role), caFile: clientCaFile }, keepAliveMs: 500 },
    trust: role === 'tier1' ? {} : { peers: [SYSTEM] },
    healthCheck: { intervalMs: 100, timeoutMs: 5_000, rise: 1, fall: 2 },
  };
}

beforeAll(async () => {
  authority = await TestAuthority.create(directory, 'first');
  clientCa = authority.cert;
  for (const role of ROLES) {
    mkdirSync(join(directory, role));
    replace(fileOf(role, 'ca.crt'), authority.cert);
    await certify(role);
  }
  bridge = await TestBridge.start(inject('kafkaBootstrap'), {
    listen: { port: 0, tls: { ...ownFiles('bridge'), clientCaFile: fileOf('bridge', 'ca.crt') } },
    trust: { peers: [SYSTEM] },
  });
  regional = await startGateway(gatewayConfig('regional', bridge.url));
  tier1 = await startGateway(gatewayConfig('tier1', regional.url));
  const kafka = await KafkaView.connect(inject('kafkaBootstrap'));
  topic = await kafka.topic();
  await kafka.close();
});
afterAll(async () => {
  await tier1?.close();
  await regional?.close();
  await bridge?.close();
  rmSync(directory, { recursive: true });
});

/** Counts, and everything that went wrong. */
const load = { kept: 0, fresh: 0, http2: 0, problems: [] as unknown[], isOver: false };

async function produce(agent: Agent | false, ca: string): Promise<void> {
  const request = httpsRequest(`${tier1.url}/topics/${topic}`, {
    method: 'POST',
    headers: PRODUCE,
    agent,
    ca,
  });
  request.end(BODY);
  const [response] = await once(request, 'response');
  const text = (await response.toArray()).join('');
  if (response.statusCode !== 200 || !text.includes('"offset"')) load.problems.push(`${response.statusCode}: ${text}`);
}

/** One request after the other until the load is over; each has a turn of the event loop to itself. */
async function repeat(kind: 'kept' | 'fresh' | 'http2', send: () => Promise<void>): Promise<void> {
  while (!load.isOver) {
    try {
      await send();
      load[kind] += 1;
    } catch (error) {
      load.problems.push(error);
    }
    await turn();
  }
}

/** How a gateway connects now. */
function asGateway() {
  const [cert, key] = (['tls.crt', 'tls.key'] as const).map((file) => readFileSync(fileOf('tier1', file)));
  return { ca: clientCa, cert, key };
}

/** Changed files that the bridge has read. */
async function readByBridge(): Promise<number> {
  const request = httpsRequest(`${bridge.url}/metrics`, { agent: false, ...asGateway() });
  request.end();
  const [response] = await once(request, 'response');
  const text = (await response.toArray()).join('');
  return Number(/^causeway_bridge_certificate_reloads_total\{.*outcome="applied"\} (\d+)$/m.exec(text)?.[1]);
}

/** The certificate that a server shows now, to a gateway. */
async function shownAt(url: string): Promise<string> {
  const socket: TLSSocket = connect({ port: Number(new URL(url).port), host: '127.0.0.1', ...asGateway() });
  await once(socket, 'secureConnect');
  const { fingerprint256 } = socket.getPeerCertificate();
  socket.end();
  return fingerprint256;
}

/** Waits until every server shows another certificate, and every gateway has read its own for its targets. */
async function changes(change: () => Promise<void>, filesOf: (role: Role) => number): Promise<void> {
  const read = () =>
    [tier1, regional].flatMap(({ gateway }) => {
      const applied = gateway.events.recent().filter((event) => event.type === 'certificate' && event.problem === null);
      return [
        applied.filter((event) => event.type === 'certificate' && event.of === 'upstream.tls').length,
        applied.filter((event) => event.type === 'certificate' && event.of !== 'upstream.tls').length,
      ];
    });
  const urls = [tier1.url, regional.url, bridge.url];
  const before = { read: read(), byBridge: await readByBridge(), shown: await Promise.all(urls.map(shownAt)) };
  await change();
  await until('every gateway has read its files', () => {
    const now = read();
    return [1, filesOf('tier1'), 1, filesOf('regional')].every(
      (count, index) => (now[index] ?? 0) >= (before.read[index] ?? 0) + count,
    );
  });
  await until('the bridge has read its files', async () => (await readByBridge()) > before.byBridge);
  if (filesOf('tier1') === 0) return;
  await until('every server shows another certificate', async () => {
    const shown = await Promise.all(urls.map(shownAt));
    return shown.every((fingerprint, index) => fingerprint !== before.shown[index]);
  });
}

/** More at once than there are idle connections between the processes, so that every hop has new ones. */
const CROWD_COUNT = 20;

/** A number of requests of each kind from now on, and new connections on every hop. */
async function proceeds(): Promise<void> {
  await Promise.all(Array.from({ length: CROWD_COUNT }, () => produce(false, clientCa)));
  const { kept, fresh, http2 } = load;
  await until('requests of every kind succeed', () => {
    if (load.problems.length > 0) return true;
    return load.kept >= kept + 20 && load.fresh >= fresh + 10 && load.http2 >= http2 + 20;
  });
  expect(load.problems).toEqual([]);
}

test('certificates and authorities change on both sides of every hop, and no request fails', async () => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const sockets = new Set<unknown>();
  agent.on('free', (socket) => sockets.add(socket));
  // Node's agent would open another connection for another list of authorities.
  const firstCa = clientCa;
  const session: ClientHttp2Session = connectHttp2(tier1.url, { ca: clientCa });
  session.on('error', (error) => load.problems.push(error));
  session.on('goaway', () => load.problems.push('goaway'));
  const running = [
    repeat('kept', () => produce(agent, firstCa)),
    repeat('fresh', () => produce(false, clientCa)),
    repeat('http2', async () => {
      const { status } = await fetchHttp2(
        session,
        { ':method': 'POST', ':path': `/topics/${topic}`, ...PRODUCE },
        BODY,
      );
      if (status !== 200) load.problems.push(`http2: ${status}`);
    }),
  ];
  try {
    await proceeds();
    // Other certificates of the same authority.
    await changes(
      async () => {
        for (const role of ROLES) await certify(role);
      },
      () => 1,
    );
    await proceeds();
    // All accept both authorities, then show certificates of the new one, then accept that alone.
    const old = authority.cert;
    authority = await TestAuthority.create(directory, 'second');
    clientCa = `${old}\n${authority.cert}`;
    await changes(
      async () => {
        for (const role of ROLES) replace(fileOf(role, 'ca.crt'), clientCa);
      },
      (role) => (role === 'regional' ? 1 : 0),
    );
    await proceeds();
    await changes(
      async () => {
        for (const role of ROLES) await certify(role);
      },
      () => 1,
    );
    await proceeds();
    clientCa = authority.cert;
    await changes(
      async () => {
        for (const role of ROLES) replace(fileOf(role, 'ca.crt'), clientCa);
      },
      (role) => (role === 'regional' ? 1 : 0),
    );
    await proceeds();
    expect(sockets.size).toBe(1);
    expect(session.closed || session.destroyed).toBe(false);
    const events = [tier1, regional].flatMap(({ gateway }) => gateway.events.recent());
    const troubles = ['handshake', 'impostor', 'breaker', 'failover'];
    expect(events.filter(({ type }) => troubles.includes(type))).toEqual([]);
  } finally {
    load.isOver = true;
    await Promise.all(running);
    agent.destroy();
    session.destroy();
  }
});
