/** Hostile streams of HTTP/2 to both gateways: what they write as HTTP/1.1 is one request, or none. */
import { connect } from 'node:net';
import { afterAll, expect, inject, test } from 'vitest';
import { eachOf, marked } from './attacker.ts';
import { Bystanders } from './bystanders.ts';
import { type HostileStream, STREAMS, type StreamExpected } from './corpus/h2.ts';
import { type Field, H2Client, requestFrames } from './h2-client.ts';
import { HostileSystem } from './system.ts';

const system = await HostileSystem.start({
  bootstrap: inject('kafkaBootstrap'),
  gateways: { listen: { host: '127.0.0.1', port: 0, http2: { isEnabled: true } } },
});
afterAll(() => system.close());

const WIDTH = 8;
const [HOSTILE, FIRST_MARKER, LAST_MARKER] = [1, 3, 5];

interface Found {
  readonly outcome: StreamExpected | string;
  readonly hidden: string;
}

/** Sends one hostile stream, and two markers on the same connection. */
async function attempt(port: number, { fields, body }: HostileStream): Promise<Found> {
  const { topic } = system;
  const inner = marked(topic, 'inner');
  const scene = { topic, inner: inner.bytes };
  const client = new H2Client(connect(port, '127.0.0.1'));
  client.write(requestFrames(HOSTILE, fields(scene), body?.(scene)));
  const markers = [FIRST_MARKER, LAST_MARKER].map((stream) => ({ stream, ...marked(topic, 'marker') }));
  for (const { stream, bytes, requestId } of markers)
    client.write(requestFrames(stream, markerFields(bytes, requestId)));
  const settled = await Promise.all([HOSTILE, FIRST_MARKER, LAST_MARKER].map((stream) => client.settled(stream)));
  const results = markers.map(({ stream, text }) => ({ ...client.result(stream), text }));
  const { status, body: received, resetCode } = client.result(HOSTILE);
  const isBroken = client.isClosed || client.goawayCode !== undefined;
  client.close();
  const all = [received, ...results.map((result) => result.body)].join('');
  const outcome = ((): StreamExpected | string => {
    if (all.includes(inner.text)) return 'the hidden request was served';
    if (settled.includes(false)) return 'a stream stays open';
    const wrong = results.find(
      (result) => result.status !== 0 && !(result.status === 404 && result.body.includes(result.text)),
    );
    if (wrong !== undefined) return `a marker got ${wrong.status} ${wrong.body}`;
    if (!isBroken && results.some((result) => result.status === 0)) return 'a marker got no response';
    if (status === 0 && resetCode === undefined && !isBroken) return 'nothing';
    return status === 0 || status === 400 || status === 501 ? 'refused' : status;
  })();
  return { outcome, hidden: inner.requestId };
}

function markerFields(bytes: string, requestId: string): Field[] {
  return [
    [':method', 'GET'],
    [':scheme', 'http'],
    [':authority', 'h'],
    [':path', bytes.split(' ', 2)[1] as string],
    ['x-request-id', requestId],
  ];
}

test.each(['tier1', 'regional'] as const)(
  'at the %s: every stream has its outcome, and nobody else notices',
  async (tier) => {
    const bystanders = new Bystanders(system.ports.tier1, system.goodTopic);
    const wrong: string[] = [];
    const hidden: string[] = [];
    await eachOf(STREAMS, WIDTH, async (stream) => {
      const found = await attempt(system.ports[tier], stream);
      hidden.push(found.hidden);
      const expected = stream.expected === 'field dropped' ? 200 : stream.expected;
      if (found.outcome !== expected) wrong.push(`${stream.name}: ${found.outcome}, expected ${stream.expected}`);
    });
    await bystanders.stop();
    expect(wrong).toEqual([]);
    expect(bystanders.wrong).toEqual([]);
    expect(system.damage()).toEqual([]);
    expect(await system.servedOf(hidden)).toEqual([]);
    expectNothingForwarded(hidden);
  },
);

/** No request to the next tier has a part of a hidden one, unless as its body. */
function expectNothingForwarded(hidden: readonly string[]): void {
  const { requests } = system.taps.bridge.read();
  const heads = requests.flatMap(({ startLine, headers }) => [
    startLine,
    ...headers.map((header) => header.join(': ')),
  ]);
  expect(heads.length).toBeGreaterThan(STREAMS.length);
  expect(heads.filter((line) => hidden.some((id) => line.includes(id)))).toEqual([]);
}
