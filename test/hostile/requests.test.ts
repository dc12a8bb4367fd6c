/**
 * Hostile requests to each tier, over HTTP/1.1, TLS and HTTP/2: refused, or read alike by all of them, and never a desync. For a
 * long run of the generated ones: `CAUSEWAY_HOSTILE_MINUTES=10 npx vitest run --project e2e test/hostile/requests.test.ts`.
 */
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, inject, test } from 'vitest';
import { attempt, type Delivery, eachOf, type Open, openTcp } from './attacker.ts';
import { Bystanders } from './bystanders.ts';
import { CORPUS } from './corpus/corpus.ts';
import { findDisagreements } from './disagreements.ts';
import { RECORD } from './hostile-case.ts';
import { GENERATED_COUNT } from './mutations.ts';
import { attackStreams } from './streams.ts';
import { type GatewayTier, HostileSystem, TIERS, type Tier } from './system.ts';
import { describeOutcome, faultOf, type Outcome } from './verdict.ts';
import type { Vitals } from './vitals.ts';

const OUTCOMES = fileURLToPath(new URL('corpus/outcomes.json', import.meta.url));
const WIDTH = 8;

const GATEWAYS: readonly GatewayTier[] = ['tier1', 'regional'];
const MINUTE_MS = 60_000;
const minutes = Number(process.env['CAUSEWAY_HOSTILE_MINUTES'] ?? 0);
const firstSeed = Number(process.env['CAUSEWAY_HOSTILE_SEED'] ?? 9112);
const GENERATED_TIMEOUT_MS = 120_000 + 2 * minutes * MINUTE_MS;
/** Of a heap since the first inputs, however long the run. A connection takes about 8 KiB, and each tier gets thousands. */
const MAX_GROWTH_BYTES = 12 * 2 ** 20;
const MAX_SOCKETS = 200;

const system = await HostileSystem.start(inject('kafkaBootstrap'));
afterAll(() => system.close());

/** Of each tier, after its first inputs. */
const vitals: Partial<Record<Tier, Vitals>> = {};

/** Outcomes by family and name, then by tier; filled by the tests in their order. */
const outcomes: Record<string, Partial<Record<Tier, Outcome | string>>> = Object.fromEntries(
  CORPUS.map(({ family, name }) => [`${family}: ${name}`, {}]),
);

/** Returns desyncs, and what was served that must be refused, a line each; and the hidden requests, which no program may serve. */
async function attackAll(tier: Tier, open: Open, delivery: Delivery): Promise<{ wrong: string[]; hidden: string[] }> {
  const wrong: string[] = [];
  const hidden: string[] = [];
  await eachOf(CORPUS, WIDTH, async (hostile) => {
    const { outcome, inner } = await attempt(hostile, { open, topic: system.topic, delivery });
    hidden.push(inner.requestId);
    const title = `${hostile.family}: ${hostile.name}`;
    const fault = faultOf(hostile, outcome);
    if (fault !== undefined) wrong.push(`${title}: ${fault}`);
    const known = outcomes[title] as Partial<Record<Tier, Outcome | string>>;
    known[tier] ??= outcome;
    const whole = statusOf(known[tier]);
    // A response before the end of a body closes the connection: in pieces, that depends on the moment.
    if (statusOf(outcome) !== whole) wrong.push(`${title}: ${statusOf(outcome)} ${delivery}, ${whole} before`);
  });
  return { wrong, hidden };
}

/** 414 counts as 431: which limit a head has broken can be seen only while its first bytes are there, and TLS cuts it at 16 KiB. */
function statusOf(outcome: Outcome | string): number | string {
  if (typeof outcome === 'string') return outcome;
  return outcome.status === 414 ? 431 : outcome.status;
}

/** Bystanders use the system during `work`; then: they got their own responses, and no tier was damaged or served what was hidden. */
async function expectUnharmed(work: () => Promise<{ wrong: string[]; hidden: string[] }>): Promise<void> {
  const bystanders = new Bystanders(system.ports.tier1, system.goodTopic);
  const { wrong, hidden } = await work();
  await bystanders.stop();
  expect(wrong).toEqual([]);
  expect(bystanders.wrong).toEqual([]);
  expect(bystanders.responseCount).toBeGreaterThan(5);
  expect(system.damage()).toEqual([]);
  expect(await system.servedOf(hidden)).toEqual([]);
}

test.each(TIERS)(
  'at the %s: no input desynchronizes, whole or in pieces, and no other client notices',
  async (tier) => {
    const open = openTcp(system.ports[tier]);
    await expectUnharmed(() => attackAll(tier, open, 'at once'));
    vitals[tier] ??= await system.programs[tier].vitals();
    await expectUnharmed(() => attackAll(tier, open, 'in pieces'));
  },
);

test.each(GATEWAYS)('at the %s: TLS changes nothing in it', async (tier) => {
  await expectUnharmed(() => attackAll(tier, system.open(tier, 'tls'), 'at once'));
});

test('every input has the outcome that was judged once, and only where it says so another one at a bridge', async () => {
  const judged = Object.entries(outcomes).map(([title, byTier]) => {
    const [tier1, regional, bridge] = TIERS.map((tier) => describeOutcome(byTier[tier] ?? 'not tried'));
    expect({ title, outcome: regional }).toEqual({ title, outcome: tier1 });
    return [title, bridge === tier1 ? tier1 : { gateways: tier1, bridge }];
  });
  await expect(`${JSON.stringify(Object.fromEntries(judged), undefined, 2)}\n`).toMatchFileSnapshot(OUTCOMES);
});

test('between tiers there is one request for each that was served', () => {
  const { requests } = system.taps.bridge.read();
  expect(requests.some(({ body }) => body === RECORD)).toBe(true);
  const paths = requests.map(({ startLine }) => startLine.split(' ')[1] ?? '');
  const markers = paths.filter((path) => /\/partitions\/\d{7}\/offsets$/.test(path));
  expect(new Set(markers).size).toBe(markers.length);
});

test.each(GATEWAYS.flatMap((tier) => (['h2c', 'h2'] as const).map((way) => ({ tier, way }))))(
  'at the $tier over $way: every stream has its outcome, and is one request of HTTP/1.1, or none',
  async ({ tier, way }) => {
    system.taps.bridge.forget();
    await expectUnharmed(async () => {
      const result = await attackStreams(system.open(tier, way), system.topic);
      expect(forwardedOf(result.hidden)).toEqual([]);
      return result;
    });
  },
);

/** Lines of heads that gateways have sent to the bridge, with a part of a hidden request in them. */
function forwardedOf(hidden: readonly string[]): string[] {
  const { requests } = system.taps.bridge.read();
  const heads = requests.flatMap(({ startLine, headers }) => [
    startLine,
    ...headers.map((header) => header.join(': ')),
  ]);
  expect(heads.length).toBeGreaterThan(hidden.length);
  return heads.filter((line) => hidden.some((id) => line.includes(id)));
}

test('mutated inputs are read alike by all tiers', { timeout: GENERATED_TIMEOUT_MS }, async () => {
  const opens = [...TIERS.map((tier) => openTcp(system.ports[tier])), system.open('tier1', 'tls')];
  const endMs = performance.now() + minutes * MINUTE_MS;
  let seed = firstSeed;
  do {
    await expectUnharmed(async () => {
      expect(await findDisagreements(opens, { topic: system.topic, seed, count: GENERATED_COUNT })).toEqual([]);
      return { wrong: [], hidden: [] };
    });
    for (const tap of Object.values(system.taps)) tap.forget();
    for (const tier of TIERS) vitals[tier] ??= await system.programs[tier].vitals();
    seed += 1;
  } while (performance.now() < endMs);
  if (minutes > 0)
    process.stdout.write(`${(seed - firstSeed) * GENERATED_COUNT} mutations, seeds ${firstSeed} to ${seed - 1}\n`);
});

test.each(TIERS)('the %s keeps nothing of all that', async (tier) => {
  await system.untilIdle();
  const { heapBytes, resources } = await system.programs[tier].vitals();
  expect(heapBytes - (vitals[tier]?.heapBytes ?? 0)).toBeLessThan(MAX_GROWTH_BYTES);
  // Between the tiers, connections stay open.
  expect(resources['TCPSocketWrap'] ?? 0).toBeLessThan(MAX_SOCKETS);
});
