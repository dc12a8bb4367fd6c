/** Sends hostile streams of HTTP/2, with marked ones behind each on the same connection. */
import { eachOf, marked, type Open } from './attacker.ts';
import { type HostileStream, STREAMS, type StreamExpected } from './corpus/h2.ts';
import { type Field, H2Client, requestFrames } from './h2-client.ts';

const WIDTH = 8;
const [HOSTILE, FIRST_MARKER, LAST_MARKER] = [1, 3, 5];

interface Found {
  readonly outcome: StreamExpected | string;
  readonly hidden: string;
}

/** Sends one hostile stream, and two markers on the same connection. */
async function attempt(open: Open, topic: string, { fields, body }: HostileStream): Promise<Found> {
  const inner = marked(topic, 'inner');
  const scene = { topic, inner: inner.bytes };
  const client = new H2Client(open());
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

export interface StreamsResult {
  /** What differs from the expected outcome, a line each. */
  readonly wrong: string[];
  /** Ids of the hidden requests, which no program may serve or forward. */
  readonly hidden: string[];
}

export async function attackStreams(open: Open, topic: string): Promise<StreamsResult> {
  const wrong: string[] = [];
  const hidden: string[] = [];
  await eachOf(STREAMS, WIDTH, async (stream) => {
    const found = await attempt(open, topic, stream);
    hidden.push(found.hidden);
    const expected = stream.expected === 'field dropped' ? 200 : stream.expected;
    if (found.outcome !== expected) wrong.push(`${stream.name}: ${found.outcome}, expected ${stream.expected}`);
  });
  return { wrong, hidden };
}
