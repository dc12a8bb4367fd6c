/** Sends mutations of the corpus over several ways: all read the same requests in the same bytes, up to a refusal. */
import { eachOf, exchange, marked, type Open } from './attacker.ts';
import { CORPUS } from './corpus/corpus.ts';
import { applyEdits, type Mutation, mutations } from './mutations.ts';
import { parseResponses } from './wire.ts';

const WIDTH = 8;

// A response to HEAD ends where only its sender knows.
const BASES = CORPUS.filter(({ isHead }) => isHead !== true);

/** Which requests a tier has served: `h` for a hostile one, `i` for the hidden one, 1 and 2 for the markers. */
interface Served {
  readonly order: string;
  readonly fault: string | undefined;
}

async function serve(open: Open, topic: string, { base, edits }: Mutation): Promise<Served & { bytes: string }> {
  const inner = marked(topic, 'inner');
  const markers = [marked(topic, 'marker'), marked(topic, 'marker', 'connection: close\r\n')];
  const hostile = applyEdits(BASES[base]?.bytes({ inner: inner.bytes, topic }) ?? '', edits);
  const bytes = hostile + markers.map((marker) => marker.bytes).join('');
  const received = await exchange(open(), [bytes], { isHalfClosed: true });
  if (received === undefined) return { bytes, order: '', fault: 'the connection stays open' };
  const { responses, fault, rest } = parseResponses(received);
  const texts: [string, string][] = [
    ['i', inner.text],
    ['1', markers[0]?.text ?? ''],
    ['2', markers[1]?.text ?? ''],
  ];
  const order = responses.map(({ body }) => texts.find(([, text]) => body.includes(text))?.[0] ?? 'h').join('');
  const isInOrder = /^h*i?h*1?h*2?h*$/.test(order);
  const cutOff = rest === '' ? undefined : `cut off: ${JSON.stringify(rest.slice(0, 200))}`;
  return { bytes, order, fault: fault ?? cutOff ?? (isInOrder ? undefined : `served in the order ${order}`) };
}

/** How the tiers disagree about one input; `undefined` when they agree as far as they serve. */
async function disagreement(opens: readonly Open[], topic: string, mutation: Mutation): Promise<object | undefined> {
  const served = await Promise.all(opens.map((open) => serve(open, topic, mutation)));
  const orders = served.map(({ order }) => order);
  const longest = orders.reduce((one, other) => (other.length > one.length ? other : one), '');
  // Where one tier refuses, another one may serve: its last response may differ.
  const agrees = orders.every((order) => longest.startsWith(order) || longest.startsWith(order.slice(0, -1)));
  const isGood = agrees && served.every(({ fault }) => fault === undefined);
  return isGood
    ? undefined
    : { bytes: served[0]?.bytes, served: served.map(({ order, fault }) => fault ?? order), mutation };
}

/** One entry for each input that the ways read differently. */
export async function findDisagreements(
  opens: readonly Open[],
  { topic, seed, count }: { topic: string; seed: number; count: number },
): Promise<object[]> {
  const found: object[] = [];
  await eachOf(mutations(BASES, { seed, count }), WIDTH, async (mutation) => {
    const problem = await disagreement(opens, topic, mutation);
    if (problem !== undefined) found.push({ seed, ...problem });
  });
  return found;
}
