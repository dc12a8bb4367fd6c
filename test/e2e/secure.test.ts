/** The secure form of the lab, as strangers, clients and operators see it: who is served, over which protocol, with which rights. */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { promisify } from 'node:util';
import { independentClient } from '@causeway/lab/stack/kafka-client.ts';
import { BRIDGE_RIGHTS, entriesOf, grantRights, type Operation, type Right } from '@causeway/lab/stack/kafka-rights.ts';
import { KAFKA_V2, RECORDS } from '@causeway/protocol/content-types.ts';
import { request } from 'undici';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { unique } from '../harness/kafka-view.ts';
import { startSecureTestStack, type TestStack } from '../harness/stack.ts';
import { until } from '../harness/until.ts';

const run = promisify(execFile);

let system: TestStack;
let caFile: string;
let labFiles: { certFile: string; keyFile: string };

beforeAll(async () => {
  system = await startSecureTestStack();
  await system.untilWell();
  const { credentials } = system.stack;
  if (credentials === undefined) throw new Error('no credentials');
  ({ caFile, labFiles } = credentials);
}, 300_000);

afterAll(() => system?.close());

/** What curl writes; its exit code and message when it fails. */
async function curl(...args: string[]): Promise<{ exitCode: number; output: string }> {
  try {
    const { stdout } = await run('curl', ['--silent', '--show-error', '--max-time', '30', '--cacert', caFile, ...args]);
    return { exitCode: 0, output: stdout };
  } catch (error) {
    const { code, stderr } = error as { code: number; stderr: string };
    return { exitCode: code, output: stderr };
  }
}

const asLab = (): string[] => ['--cert', labFiles.certFile, '--key', labFiles.keyFile];

test('keys and passwords are for the user of the lab alone, the authority is for everyone', () => {
  const { stackFile, path } = system.stack.directory;
  const secrets = readdirSync(join(path, 'tls')).map((name) => join(path, 'tls', name));
  expect(secrets.length).toBeGreaterThan(10);
  const modes = [stackFile, ...secrets, join(path, 'kafka', 'broker-1.properties')].map(
    (file) => statSync(file).mode & 0o777,
  );
  expect(new Set(modes)).toEqual(new Set([0o600]));
  expect(statSync(join(path, 'tls')).mode & 0o777).toBe(0o700);
  expect(statSync(caFile).mode & 0o777).toBe(0o644);
  expect(JSON.parse(readFileSync(stackFile, 'utf8'))).toMatchObject({ tls: { caFile, ...labFiles } });
});

describe('the front', () => {
  const record = ['--header', `content-type: ${RECORDS.json}`, '--data', '{"records":[{"value":"hello"}]}'];

  test.each([
    ['--http2', '2'],
    ['--http1.1', '1.1'],
  ])('serves clients without a certificate with %s', async (option, version) => {
    const url = `${system.url}/topics/greetings`;
    const { output } = await curl(option, ...record, '--write-out', '\n%{http_version} %{http_code}', url);
    expect(output).toMatch(new RegExp(`"offset":\\d+.*\\n${version.replace('.', '\\.')} 200$`));
  });

  test('is reached by name, too, and by no name that its certificate lacks', async () => {
    const { port } = new URL(system.url);
    const url = (host: string): string => `https://${host}:${port}/healthy`;
    const at = (host: string): string[] => ['--resolve', `${host}:${port}:127.0.0.1`, url(host)];
    expect(await curl(...at('tier1.causeway.test'))).toMatchObject({ exitCode: 0 });
    // CURLE_PEER_FAILED_VERIFICATION.
    expect(await curl(...at('tier1.example'))).toMatchObject({ exitCode: 60 });
  });
});

describe.each(['regional gateway', 'bridge'] as const)('a %s', (hop) => {
  const url = (): string => {
    const { gateway, bridge } = system.stack.regions.east;
    return hop === 'bridge' ? bridge.url : gateway.url;
  };

  test('refuses clients without a certificate, and clients in plain text', async () => {
    const { exitCode, output } = await curl('--write-out', '%{http_code}', `${url()}/healthy`);
    expect({ exitCode, output }).not.toMatchObject({ exitCode: 0 });
    await until('the log says why', () => logOf(hop).includes('it showed no certificate'));
    const plain = await curl(`${url().replace('https:', 'http:')}/healthy`);
    expect(plain.output).not.toMatch(/^(?:OK|\{)/);
    expect(await curl(...asLab(), `${url()}/healthy`)).toMatchObject({ exitCode: 0 });
  });

  test('serves those who are no peers as clients: headers of gateways have no effect', async () => {
    // A bridge shows gateways, and only them, which bridge owns a consumer.
    const headers = { 'content-type': KAFKA_V2, 'causeway-gateway': 'forged', 'x-forwarded-host': 'forged.example' };
    const created = await request(`${url()}/consumers/strangers`, {
      dispatcher: system.stack.agent,
      method: 'POST',
      headers,
      body: JSON.stringify({ name: hop }),
    });
    const { base_uri } = (await created.body.json()) as { base_uri: string };
    expect(base_uri).toBe(`${url()}/consumers/strangers/instances/${encodeURIComponent(hop)}`);
    expect(Object.keys(created.headers).filter((name) => name.startsWith('causeway-'))).toEqual([]);
  });
});

describe('an admin API', () => {
  const ask = async (method: 'GET' | 'POST', path: string, token?: string): Promise<number> => {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const { statusCode, body } = await request(`${system.admin}${path}`, {
      dispatcher: system.stack.agent,
      method,
      headers,
    });
    await body.dump();
    return statusCode;
  };

  test('is changed by operators, and read by viewers', async () => {
    const { operator, viewer } = system.stack.credentials?.adminTokens ?? { operator: '', viewer: '' };
    expect(await ask('GET', '/api/topology', viewer)).toBe(200);
    expect(await ask('POST', '/api/regions/east/drain', viewer)).toBe(403);
    expect(await ask('POST', '/api/regions/east/drain')).toBe(401);
    // An undrained region stays as it is.
    expect(await ask('POST', '/api/regions/east/undrain', operator)).toBe(200);
  });
});

describe('Kafka', () => {
  test('accepts clients with TLS and a password only, and controllers with a certificate only', async () => {
    const { access, bootstrap } = system.stack.kafka;
    if (typeof access === 'string') throw new Error('not secure');
    await expect(
      independentClient({ ...access, password: 'wrong' })
        .admin()
        .connect(),
    ).rejects.toThrow(/authentication/i);
    const controllerPort = Number(system.stack.ports.kafka[1]);
    const socket = connect({ host: '127.0.0.1', port: controllerPort, ca: access.ca });
    const [error] = (await once(socket, 'error')) as [Error];
    expect(error.message).toMatch(/certificate required|bad certificate/i);
    expect(bootstrap).not.toBe('');
  });

  test.each<{ right: Pick<Right, 'resource'> & { operation: Operation }; ask: string; body?: object }>([
    {
      right: { resource: 'TOPIC', operation: 'CREATE' },
      ask: 'POST /admin/topics',
      body: { topic_name: unique('new'), partitions_count: 1, replication_factor: 1 },
    },
    { right: { resource: 'TOPIC', operation: 'DESCRIBE_CONFIGS' }, ask: 'GET /topics/greetings' },
    { right: { resource: 'GROUP', operation: 'READ' }, ask: 'GET /consumers/readers/instances/c/records?timeout=0' },
    {
      right: { resource: 'TRANSACTIONAL_ID', operation: 'WRITE' },
      // With a key.
      ask: 'POST /topics/greetings',
      body: { records: [{ value: 'once' }] },
    },
  ])('gives bridges no right that they can do without: $right', async ({ right, ask, body }) => {
    const user = 'west-bridge';
    const { url } = system.stack.regions.west.bridge;
    const send = (line: string, content?: object): Promise<number> => statusOf(url, line, content);
    await send('POST /consumers/readers', { name: 'c', format: 'json' });
    await send('POST /consumers/readers/instances/c/subscription', { topics: ['greetings'] });
    const admin = independentClient(system.stack.kafka.access).admin();
    await admin.connect();
    try {
      await admin.deleteAcls({ filters: [aclOf(user, right)] });
      await until('it is forbidden', async () => (await send(ask, body)) === 403);
    } finally {
      await admin.disconnect();
      await grantRights(system.stack.kafka.access, [user]);
    }
    await until('it is allowed', async () => [200, 201].includes(await send(ask, body)));
    await send('DELETE /consumers/readers/instances/c');
  });
});

/** The entry of a bridge's right. */
function aclOf(user: string, { resource, operation }: Pick<Right, 'resource'> & { operation: Operation }) {
  const right = BRIDGE_RIGHTS.find((candidate) => candidate.resource === resource);
  const [entry] = right === undefined ? [] : entriesOf(user, { ...right, operations: [operation] });
  return entry ?? expect.fail(`bridges have no right for ${resource}`);
}

async function statusOf(url: string, line: string, content?: object): Promise<number> {
  const [method = '', path = ''] = line.split(' ');
  const { statusCode, body } = await request(`${url}${path}`, {
    dispatcher: system.stack.agent,
    method,
    ...(content === undefined ? {} : { headers: headersFor(path), body: JSON.stringify(content) }),
  });
  await body.dump();
  return statusCode;
}

function headersFor(path: string): Record<string, string> {
  if (!path.startsWith('/topics/')) return { 'content-type': KAFKA_V2 };
  return { 'content-type': RECORDS.json, 'idempotency-key': unique('key') };
}

function logOf(hop: 'regional gateway' | 'bridge'): string {
  const file = hop === 'bridge' ? 'east-bridge.log' : 'east-gateway.log';
  return readFileSync(join(system.stack.directory.logs, file), 'utf8');
}
