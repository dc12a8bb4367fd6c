/** Every file that a program reads again may lie in a directory that Kubernetes swaps, while requests flow. */
import { spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { connect as connectTls } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { saslOptions } from '@causeway/bridge/kafka/client/sasl.ts';
import { BrokerTls } from '@causeway/bridge/kafka/client/tls.ts';
import { keyEntry, makeKey } from '@causeway/gateway/authentication/new-entry.ts';
import { ENFORCED_HEADER } from '@causeway/protocol/routing.ts';
import { Agent, request } from 'undici';
import { describe, expect, onTestFinished, test } from 'vitest';
import { stringify } from 'yaml';
import { TestAuthority } from './harness/certificates.ts';
import { MountedDirectory } from './harness/mounted-directory.ts';
import { until } from './harness/until.ts';
import { answerJson, startUpstream, type UpstreamHandler } from './harness/upstream.ts';

const GATEWAY = fileURLToPath(new URL('../packages/gateway/src/main.ts', import.meta.url));
const ISSUER = 'https://id.example/';
const [OLD_TOKEN, NEW_TOKEN] = ['the-old-token-of-operators', 'the-new-token-of-operators'];

async function authorities(): Promise<{ old: TestAuthority; renewed: TestAuthority }> {
  const directory = mkdtempSync(join(tmpdir(), 'causeway-authorities-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return {
    old: await TestAuthority.create(directory, 'old'),
    renewed: await TestAuthority.create(directory, 'renewed'),
  };
}

function jwks(kid: string): string {
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return JSON.stringify({ keys: [{ ...publicKey.export({ format: 'jwk' }), kid, alg: 'ES256', use: 'sig' }] });
}

/** The URLs of a gateway process, from its log. */
async function startProcess(file: string): Promise<{ url: string; adminUrl: string; log: () => string }> {
  const child = spawn(process.execPath, [GATEWAY, '--config', file]);
  onTestFinished(async () => {
    if (child.exitCode !== null) return;
    const ended = once(child, 'close');
    child.kill('SIGKILL');
    await ended;
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (output += text));
  const started = (): string | undefined => output.split('\n').find((line) => line.includes('"adminUrl"'));
  await until('the gateway is started', () => started() !== undefined, { timeoutMs: 60_000 });
  const { url, adminUrl } = JSON.parse(started() ?? '{}') as { url: string; adminUrl: string };
  return { url, adminUrl, log: () => output };
}

test('a gateway uses new files of all mounted directories, and no request fails', async () => {
  const { old, renewed } = await authorities();
  const names = { ip: ['127.0.0.1'] };
  const target = await old.certify('target', names);
  // As a bridge that applies what the gateway knows of the principal.
  const served: UpstreamHandler = (received, response) => {
    response.setHeader(ENFORCED_HEADER, 'yes');
    answerJson({})(received, response);
  };
  const upstream = await startUpstream(served, { cert: target.cert, key: target.key });
  onTestFinished(() => upstream.kill());
  const pairOf = async (authority: TestAuthority) => {
    const { cert, key } = await authority.certify('gateway', names);
    return { 'tls.crt': cert, 'tls.key': key, 'ca.crt': authority.cert };
  };
  const [firstKey, secondKey] = [makeKey(), makeKey()];
  const credentials = (...keys: string[]): string =>
    keys.map((key, index) => keyEntry({ name: `client-${index}`, roles: [] }, key)).join('');

  const serving = new MountedDirectory(await pairOf(old));
  const toTargets = new MountedDirectory({ ...(await pairOf(old)), 'ca.crt': old.cert });
  const clients = new MountedDirectory({ 'credentials.yaml': credentials(firstKey), 'jwks.json': jwks('a') });
  const operators = new MountedDirectory({ token: OLD_TOKEN });
  const yaml = (weight: number): string =>
    stringify({
      listen: {
        port: 0,
        tls: {
          certFile: serving.file('tls.crt'),
          keyFile: serving.file('tls.key'),
          clientCaFile: serving.file('ca.crt'),
          clientCertificates: 'request',
        },
      },
      admin: { port: 0, tokenFile: operators.file('token') },
      auth: {
        apiKeys: { file: clients.file('credentials.yaml') },
        jwt: { issuers: [{ issuer: ISSUER, audience: ['causeway'], jwksFile: clients.file('jwks.json') }] },
      },
      upstream: {
        tls: {
          caFile: toTargets.file('ca.crt'),
          certFile: toTargets.file('tls.crt'),
          keyFile: toTargets.file('tls.key'),
        },
      },
      healthCheck: { intervalMs: 50, timeoutMs: 5_000, rise: 1 },
      regions: [{ name: 'east', weight, targets: [{ url: upstream.url }] }],
    });
  const config = new MountedDirectory({ 'gateway.yaml': yaml(100) });
  const { url, adminUrl, log } = await startProcess(config.file('gateway.yaml'));

  const ca = [old.cert, renewed.cert];
  const agent = new Agent({ connect: { ca } });
  onTestFinished(() => agent.close());
  const statusWith = async (key: string): Promise<number> => {
    const { statusCode, body } = await request(`${url}/topics`, { dispatcher: agent, headers: { 'x-api-key': key } });
    await body.dump();
    return statusCode;
  };
  await until('requests are served', async () => (await statusWith(firstKey)) === 200);
  let isOver = false;
  const statuses: number[] = [];
  const client = async (): Promise<void> => {
    while (!isOver) statuses.push(await statusWith(firstKey));
  };
  const traffic = Promise.all([client(), client()]);

  const metric = async (series: RegExp): Promise<number> => {
    const text = await (await request(`${adminUrl}/metrics`)).body.text();
    return text
      .split('\n')
      .filter((line) => series.test(line))
      .reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
  };
  const servedCa = async (): Promise<string> => {
    const socket = connectTls({ port: Number(new URL(url).port), host: '127.0.0.1', ca });
    await once(socket, 'secureConnect');
    const { issuer } = socket.getPeerCertificate();
    socket.destroy();
    return String(issuer.CN);
  };
  expect(await servedCa()).toBe('old');

  serving.swap(await pairOf(renewed));
  toTargets.swap({ ...(await pairOf(old)), 'ca.crt': `${old.cert}\n${renewed.cert}` });
  clients.swap({ 'credentials.yaml': credentials(firstKey, secondKey), 'jwks.json': jwks('b') });
  operators.swap({ token: NEW_TOKEN });
  const conditions: [what: string, isUsed: () => Promise<boolean>][] = [
    ['certificate and key of the listener', async () => (await servedCa()) === 'renewed'],
    ['authorities of clients', async () => (await metric(/^causeway_certificate_reloads_total\{.*applied/)) >= 2],
    [
      'certificate and authorities for targets',
      async () => (await metric(/^causeway_upstream_certificate_reloads_total\{.*applied/)) >= 1,
    ],
    ['API keys', async () => (await statusWith(secondKey)) === 200],
    ['keys of the issuer', async () => (await metric(/^causeway_issuer_key_reads_total\{.*succeeded/)) >= 2],
  ];
  for (const [what, isUsed] of conditions) await until(`${what} are in use`, isUsed);
  config.swap({ 'gateway.yaml': yaml(50) });
  await until('the YAML is in use', async () => (await metric(/^causeway_region_configured_weight/)) === 50);
  // Tokens are read with the YAML.
  const setWeight = async (token: string): Promise<number> => {
    const { statusCode, body } = await request(`${adminUrl}/api/regions/east/weight`, {
      method: 'PUT',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ weight: 7 }),
    });
    await body.dump();
    return statusCode;
  };
  expect([await setWeight(OLD_TOKEN), await setWeight(NEW_TOKEN)]).toEqual([401, 200]);
  isOver = true;
  await traffic;
  expect(new Set(statuses), log()).toEqual(new Set([200]));
});

describe('a bridge uses the new file of a mounted directory for its next connection to Kafka', () => {
  test('kafka.tls.caFile', async () => {
    const { old, renewed } = await authorities();
    const mounted = new MountedDirectory({ 'ca.crt': old.cert });
    const changes: unknown[] = [];
    const tls = new BrokerTls({ isEnabled: true, isBrokerVerified: true, caFile: mounted.file('ca.crt') }, (change) =>
      changes.push(change),
    );
    const { secureContext } = tls.options('h');
    mounted.swap({ 'ca.crt': renewed.cert });
    expect(tls.options('h').secureContext).not.toBe(secureContext);
    expect(changes).toEqual([{ kind: 'reloaded' }]);
  });

  test.each([
    [
      'kafka.sasl.passwordFile',
      (file: string) => {
        const options = saslOptions(
          { mechanism: 'SCRAM-SHA-512', username: 'u', passwordFile: file, extensions: {} },
          { tokenTimeoutMs: 1_000 },
        );
        return options?.password;
      },
    ],
    [
      'kafka.sasl.tokenFile',
      (file: string) => {
        const options = saslOptions(
          { mechanism: 'OAUTHBEARER', tokenFile: file, extensions: {} },
          { tokenTimeoutMs: 1_000 },
        );
        return options?.token;
      },
    ],
  ])('%s', async (_, readerOf) => {
    const mounted = new MountedDirectory({ secret: 'one' });
    const read = readerOf(mounted.file('secret')) as () => string;
    expect(read()).toBe('one');
    for (const next of ['two', 'six']) {
      mounted.swap({ secret: next });
      expect(read()).toBe(next);
    }
  });
});
