/** Every hostile input of the corpus, to each tier: refused, or read alike by all of them, and never a desync. */
import { fileURLToPath } from 'node:url';
import { afterAll, expect, inject, test } from 'vitest';
import { attempt, type Delivery, eachOf, openTcp } from './attacker.ts';
import { Bystanders } from './bystanders.ts';
import { CORPUS } from './corpus/corpus.ts';
import { RECORD } from './hostile-case.ts';
import { HostileSystem, TIERS, type Tier } from './system.ts';
import { describeOutcome, faultOf, type Outcome } from './verdict.ts';

const OUTCOMES = fileURLToPath(new URL('corpus/outcomes.json', import.meta.url));
const WIDTH = 8;
/** A socket and what belongs to it take more. */
const LEAK_BYTES_PER_CONNECTION = 4_096;

const system = await HostileSystem.start({ bootstrap: inject('kafkaBootstrap') });
afterAll(() => system.close());

/** Outcomes by family and name, then by tier; filled by the tests in their order. */
const outcomes: Record<string, Partial<Record<Tier, Outcome | string>>> = Object.fromEntries(
  CORPUS.map(({ family, name }) => [`${family}: ${name}`, {}]),
);

/** Returns desyncs, and what was served that must be refused, a line each; and the hidden requests, which nobody may serve. */
async function attackAll(tier: Tier, delivery: Delivery): Promise<{ wrong: string[]; hidden: string[] }> {
  const open = openTcp(system.ports[tier]);
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
    if (statusOf(outcome) !== whole) wrong.push(`${title}: ${statusOf(outcome)} in pieces, ${whole} whole`);
  });
  return { wrong, hidden };
}

function statusOf(outcome: Outcome | string): number | string {
  return typeof outcome === 'string' ? outcome : outcome.status;
}

test.each(TIERS)('at the %s: no input desynchronizes, whole or in pieces, and nobody else notices', async (tier) => {
  const bystanders = new Bystanders(system.ports.tier1, system.goodTopic);
  const atOnce = await attackAll(tier, 'at once');
  const before = await system.programs[tier].vitals();
  const inPieces = await attackAll(tier, 'in pieces');
  await bystanders.stop();
  expect({ atOnce: atOnce.wrong, inPieces: inPieces.wrong }).toEqual({ atOnce: [], inPieces: [] });
  expect(bystanders.wrong).toEqual([]);
  expect(bystanders.responseCount).toBeGreaterThan(20);
  expect(system.damage()).toEqual([]);
  expect(await system.servedOf([...atOnce.hidden, ...inPieces.hidden])).toEqual([]);
  await system.untilIdle();
  const after = await system.programs[tier].vitals();
  expect(after.heapBytes - before.heapBytes).toBeLessThan(CORPUS.length * LEAK_BYTES_PER_CONNECTION);
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
