/**
 * Two tenants at one gateway and one bridge, as real processes: one sends ten times what its quota allows, and the other one, within its
 * own, does not notice. Its p99 beside the first is compared with its p99 alone, in turns within one run.
 */
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureTopics } from '@causeway/lab/stack/kafka.ts';
import { SignJWT } from 'jose';
import { afterAll, expect, inject, test } from 'vitest';
import { GoodClient } from '../harness/good-client.ts';
import { unique } from '../harness/kafka-view.ts';
import { PacedClient, type PacedClientReport } from '../harness/paced-client.ts';
import { TEST_TRUST } from '../harness/trust.ts';
import { until } from '../harness/until.ts';
import { Program } from '../hostile/program.ts';

/** Requests a second of each tenant. */
const QUOTA = 200;
const TIMES = 10;
/** Each turn has so many requests of the tenant within its quota. */
const SAMPLES = 100;
const TURNS = 4;
/** The p99 beside the other tenant, as a multiple of the p99 alone. */
const MOST_RATIO = 2;
/** What else runs on the machine only adds to a measurement: the best of several says what the other tenant costs. */
const MEASUREMENTS = 3;

const directory = mkdtempSync(join(tmpdir(), 'causeway-tenants-'));
const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const jwksFile = join(directory, 'jwks.json');
writeFileSync(jwksFile, JSON.stringify({ keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'k', use: 'sig' }] }));
const ISSUER = 'https://id.example/';

async function credentialsOf(principal: string): Promise<Record<string, string>> {
  const token = new SignJWT({ iss: ISSUER, aud: 'causeway', sub: principal })
    .setProtectedHeader({ alg: 'ES256', kid: 'k' })
    .setExpirationTime('1h');
  return { authorization: `Bearer ${await token.sign(privateKey)}` };
}

const [goodTopic, greedyTopic] = [unique('good'), unique('greedy')];
await ensureTopics(
  inject('kafkaBootstrap'),
  [goodTopic, greedyTopic].map((name) => ({ name, partitionCount: 1 })),
);

const bridge = new Program('bridge', 'bridge', {
  directory,
  config: {
    bridge: { name: 'bridge', region: 'east' },
    listen: { port: 0 },
    kafka: { bootstrapServers: inject('kafkaBootstrap').split(',') },
    trust: TEST_TRUST,
  },
});
const { port } = await bridge.line('bridge started');
const gateway = new Program('gateway', 'gateway', {
  directory,
  config: {
    listen: { port: 0 },
    admin: { port: 0 },
    trust: TEST_TRUST,
    regions: [{ name: 'east', targets: [{ url: `http://127.0.0.1:${port}` }] }],
    auth: { jwt: { issuers: [{ issuer: ISSUER, audience: ['causeway'], jwksFile, algorithms: ['ES256'] }] } },
    quotas: { default: { requestsPerSecond: QUOTA, requestBurst: QUOTA } },
  },
});
const url = String((await gateway.line('started'))['url']);
await gateway.line('health');

const good = new GoodClient(url, `/topics/${goodTopic}`, await credentialsOf('within'));
const greedy = new PacedClient({
  url,
  path: `/topics/${greedyTopic}`,
  headers: { ...(await credentialsOf('beyond')), 'content-type': 'application/vnd.kafka.json.v2+json' },
  body: JSON.stringify({ records: [{ value: 'x'.repeat(1_000) }] }),
  requestsPerSecond: QUOTA * TIMES,
});
afterAll(async () => {
  await Promise.all([good.close(), greedy.close(), gateway.close(), bridge.close()]);
  rmSync(directory, { recursive: true });
});

/** The durations of one turn, in milliseconds. */
async function turn(): Promise<number[]> {
  await good.restart();
  await until('the tenant has enough responses', async () => (await good.report()).durationsMs.length >= SAMPLES);
  const { durationsMs, failures } = await good.report();
  expect(failures).toEqual([]);
  return durationsMs;
}

function p99(durationsMs: readonly number[]): number {
  return durationsMs.toSorted((one, other) => one - other)[Math.ceil(durationsMs.length * 0.99) - 1] as number;
}

interface Measurement {
  aloneMs: number;
  besideMs: number;
  /** Of the other tenant's turns. */
  seconds: number;
  greedyReports: PacedClientReport[];
}

async function measure(): Promise<Measurement> {
  const [alone, beside]: [number[], number[]] = [[], []];
  const greedyReports: PacedClientReport[] = [];
  let seconds = 0;
  for (let index = 0; index < TURNS; index += 1) {
    alone.push(...(await turn()));
    const startedAtMs = performance.now();
    await greedy.start();
    // Until its burst is spent, the other tenant is within its quota.
    await until('the other tenant is beyond its quota', async () => '429' in (await greedy.report()).statusCounts);
    beside.push(...(await turn()));
    greedyReports.push(await greedy.stop());
    seconds += (performance.now() - startedAtMs) / 1_000;
  }
  return { aloneMs: p99(alone), besideMs: p99(beside), seconds, greedyReports };
}

test('a tenant at ten times its quota costs another one no error, and its p99 is at most twice what it is alone', async () => {
  // The connections and the code of both tenants are warm.
  await turn();
  const measurements: Measurement[] = [];
  for (let index = 0; index < MEASUREMENTS; index += 1) {
    const measurement = await measure();
    const { aloneMs, besideMs, seconds, greedyReports } = measurement;
    measurements.push(measurement);
    const counts = new Map<string, number>();
    for (const { statusCounts } of greedyReports) {
      for (const [status, count] of Object.entries(statusCounts)) counts.set(status, (counts.get(status) ?? 0) + count);
    }
    expect([...counts.keys()].sort()).toEqual(['200', '429']);
    // Each turn begins with a full bucket.
    expect(counts.get('200')).toBeLessThanOrEqual(QUOTA * (TURNS + seconds));
    expect(counts.get('429')).toBeGreaterThan(counts.get('200') ?? 0);
    if (besideMs <= aloneMs * MOST_RATIO) break;
  }
  const ratios = measurements.map(({ aloneMs, besideMs }) => besideMs / aloneMs);
  const shown = measurements.map(({ aloneMs, besideMs }) => `${aloneMs} ms alone, ${besideMs} ms beside`);
  expect(Math.min(...ratios), shown.join('; ')).toBeLessThanOrEqual(MOST_RATIO);
  expect([...gateway.faults, ...bridge.faults]).toEqual([]);
});
