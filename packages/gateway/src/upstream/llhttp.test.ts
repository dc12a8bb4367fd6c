/**
 * The response parser against llhttp, with which Node's own client reads: the same bytes, cut at the same places, must be the
 * same response. The parser rejects some responses that llhttp accepts, for the reasons in STRICTER. It accepts none that llhttp
 * rejects, except where the fault is in bytes after the response: those close the connection, and the response stands.
 */
import { request } from 'node:http';
import { Duplex } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { HeaderNames, type ResponseHeaders } from './response-head.ts';
import { ResponseParser } from './response-parser.ts';

/** The same cases in every run. */
const SEED = 9112;

type Verdict =
  /** `rest`: bytes after the response, for which the connection is closed. */
  | { kind: 'whole'; status: number; headers: ResponseHeaders; body: string; rest?: string }
  /** More bytes are needed. */
  | { kind: 'cutOff' }
  | { kind: 'refused'; reason: string };

/** Reads `parts` and the connection's end. */
function readOurs(parts: readonly Buffer[], method: string): Verdict {
  let status = 0;
  let headers: ResponseHeaders = {};
  const body: Buffer[] = [];
  let isWhole = false;
  const parser = new ResponseParser(
    {
      onHead: (head) => {
        status = head.status;
        headers = head.headers;
      },
      onBody: (bytes) => body.push(Buffer.from(bytes)),
      onComplete: () => {
        isWhole = true;
      },
    },
    new HeaderNames(),
  );
  parser.expect(method);
  let rest = '';
  try {
    for (const part of parts) rest += parser.execute(part).toString('latin1');
    if (!isWhole) parser.end();
  } catch (error) {
    return { kind: 'refused', reason: (error as Error).message };
  }
  if (!isWhole) return { kind: 'cutOff' };
  return { kind: 'whole', status, headers: { ...headers }, body: Buffer.concat(body).toString('latin1'), rest };
}

/** The same with Node's client, over a connection in memory. */
async function readNodes(parts: readonly Buffer[], method: string): Promise<Verdict> {
  const { promise, resolve } = Promise.withResolvers<Verdict>();
  let isAsked = false;
  const connection = new Duplex({
    read() {},
    write(_chunk, _encoding, done) {
      done();
      if (isAsked) return;
      isAsked = true;
      for (const part of parts) this.push(part);
      this.push(null);
    },
    final: (done) => done(),
  });
  const refusedOrCut = (error: Error & { code?: string }): void => {
    const isRefused = error.code?.startsWith('HPE_') === true && error.code !== 'HPE_INVALID_EOF_STATE';
    resolve(isRefused ? { kind: 'refused', reason: error.message } : { kind: 'cutOff' });
  };
  const asked = request({ method, path: '/', host: 'target', createConnection: () => connection }, (response) => {
    const body: Buffer[] = [];
    response.on('data', (chunk: Buffer) => body.push(chunk));
    response.on('error', refusedOrCut);
    response.on('end', () => {
      const headers: ResponseHeaders = {};
      for (const [name, values] of Object.entries(response.headersDistinct)) {
        headers[name] = values?.length === 1 ? (values[0] as string) : values;
      }
      const status = response.statusCode ?? 0;
      if (!response.complete) resolve({ kind: 'cutOff' });
      else resolve({ kind: 'whole', status, headers, body: Buffer.concat(body).toString('latin1') });
    });
  });
  asked.on('error', refusedOrCut);
  asked.on('upgrade', () => resolve({ kind: 'refused', reason: 'upgrade' }));
  asked.end();
  try {
    return await promise;
  } finally {
    asked.destroy();
    connection.destroy();
  }
}

function cut(text: string, places: readonly number[]): Buffer[] {
  const bytes = Buffer.from(text, 'latin1');
  const sorted = [...new Set(places.map((place) => place % (bytes.length + 1)))].sort((a, b) => a - b);
  return [0, ...sorted]
    .map((from, index) => bytes.subarray(from, sorted[index] ?? bytes.length))
    .filter(({ length }) => length > 0);
}

/** Reasons for which the parser rejects what llhttp accepts. */
const STRICTER: Readonly<Record<string, string>> = {
  'an informational response with a body':
    'llhttp skips an informational response with a length or a coding, whose end is unclear (RFC 9110 §15.2)',
  'unexpected change of protocol':
    'llhttp reads 101 without an upgrade as informational; the gateway never asks for another protocol',
  'invalid status line': 'llhttp accepts statuses below 100, and HTTP/0.9 and 2.0 in a status line',
  'it does not start with HTTP/1': 'the same, seen before the head is complete',
  'a transfer coding other than "chunked"':
    'llhttp reads other codings up to the end of the connection; the gateway decodes none',
  'invalid length': 'llhttp counts up to 2^64, JavaScript up to 2^53',
  'invalid character in the head': 'llhttp lets control characters pass in the reason phrase',
};

const token = fc.constantFrom('x-a', 'X-B', 'content-type', 'Via', 'set-cookie', 'connection', '__proto__', 'x y', '');
const value = fc.constantFrom(
  'a',
  '',
  '  spaced  ',
  'a, b',
  '\xe4\xa0',
  'close',
  'keep-alive',
  '\x01',
  'a\x7fb',
  'a\tb',
  '"q"',
);
const lengths = [
  '0',
  '5',
  '05',
  '5 ',
  '+5',
  '-1',
  '0x5',
  '5, 5',
  '5,6',
  '',
  '9999999999999999999',
  '99999999999999999999',
];
const codings = [
  'chunked',
  'Chunked',
  'gzip, chunked',
  'chunked, gzip',
  'identity',
  '',
  'chunked;q=1',
  'xchunked',
  ' chunked ',
];
const header = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.tuple(token, fc.constantFrom(':', ': ', ' : ', ':\t', ''), value).map((parts) => parts.join('')),
  },
  { weight: 2, arbitrary: fc.constantFrom(...lengths).map((length) => `Content-Length: ${length}`) },
  { weight: 2, arbitrary: fc.constantFrom(...codings).map((coding) => `Transfer-Encoding: ${coding}`) },
  { weight: 1, arbitrary: fc.constantFrom(' folded', 'no colon', 'content-length : 5', 'transfer-encoding : chunked') },
);
const lineEnd = mostly(['\r\n'], ['\n', '\r', '\r\r\n', ''], 30);
const statusLine = mostly(
  ['HTTP/1.1 200 OK', 'HTTP/1.0 200 OK', 'HTTP/1.1 204 No Content', 'HTTP/1.1 304 Not Modified', 'HTTP/1.1 503 '],
  [
    'HTTP/1.1 200',
    'HTTP/1.1  200 OK',
    'HTTP/1.2 200 OK',
    'HTTP/2.0 200 OK',
    'http/1.1 200 OK',
    'HTTP/0.9 200 OK',
    'HTTP/1.1 099 Low',
    'HTTP/1.1 1000 High',
    'HTTP/1.1 20x OK',
    'HTTP/1.1 999 ',
    'HTTP/1.1 600 New',
    'HTTP/1.1 200 \xe4\x01',
    ' HTTP/1.1 200 OK',
    'HTTP/1.1\t200 OK',
    'ICY 200 OK',
  ],
  6,
);
const sizes = [
  '5',
  '05',
  '0005',
  '5;ext',
  '5;a="b c"',
  '5 ',
  ' 5',
  '5 ;x',
  'g',
  '',
  '+5',
  '0x5',
  '5;\x01',
  'fffffffffffffffff',
  '5\t;a',
];
const chunks = fc.oneof(
  fc.constantFrom(
    '0\r\n\r\n',
    '5\r\nhello\r\n0\r\n\r\n',
    '2\r\nhe\r\n3\r\nllo\r\n0\r\nx: 1\r\n\r\n',
    'A\r\n0123456789\r\n00\r\n\r\n',
  ),
  fc
    .tuple(
      fc.constantFrom(...sizes),
      lineEnd,
      fc.constantFrom('hello', 'hell', 'hello!'),
      lineEnd,
      fc.constantFrom('0', '00', '0;x', ''),
      lineEnd,
      fc.constantFrom('', 'x: 1\r\n', 'none\r\n', 'x : 1\r\n'),
      lineEnd,
    )
    .map((parts) => parts.join('')),
);
const early = mostly(
  [''],
  [
    'HTTP/1.1 100 Continue\r\n\r\n',
    'HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n',
    'HTTP/1.1 102 Processing\r\ncontent-length: 5\r\n\r\n',
    'HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n',
    'HTTP/1.1 101 Switching Protocols\r\n\r\n',
  ],
  3,
);

function mostly(common: readonly string[], rare: readonly string[], weight: number): fc.Arbitrary<string> {
  return fc.oneof(
    { weight, arbitrary: fc.constantFrom(...common) },
    { weight: 1, arbitrary: fc.constantFrom(...rare) },
  );
}

/** Responses that are mostly right, so that both parsers get far, with a fault or two. */
const answer = fc
  .record({
    before: early,
    first: statusLine,
    headers: fc.array(header, { maxLength: 4 }),
    ends: fc.array(lineEnd, { minLength: 6, maxLength: 6 }),
    body: fc.oneof(fc.constantFrom('', 'hello', 'hello, and more', 'hell'), chunks),
  })
  .map(({ before, first, headers, ends, body }) => {
    const lines = [first, ...headers].map((line, index) => line + ends[index]);
    return `${before}${lines.join('')}${ends[5]}${body}`;
  });
/** The same with one byte changed, missing, or there twice. */
const scratched = fc
  .tuple(answer, fc.nat(400), fc.constantFrom('', '\0', '\n', '\r', ' ', ':', '0', '\x80', 'twice'))
  .map(([text, at, byte]) => {
    const place = at % (text.length + 1);
    if (byte === 'twice') return text.slice(0, place + 1) + text.slice(place);
    return text.slice(0, place) + byte + text.slice(place + 1);
  });
const method = mostly(['GET', 'POST'], ['HEAD'], 8);

describe('the parser agrees with llhttp', () => {
  test('except for the table of differences, wherever the bytes are cut', async () => {
    const reasons = new Set<string>();
    const counts = { whole: 0, none: 0 };
    const places = fc.array(fc.nat(400), { maxLength: 5 });
    await fc.assert(
      fc.asyncProperty(fc.oneof(answer, scratched), method, places, async (text, verb, at) => {
        const parts = cut(text, at);
        const ours = readOurs(parts, verb);
        const theirs = await readNodes(parts, verb);
        if (ours.kind === 'whole') {
          const { rest, ...whole } = ours;
          if (rest === '' || theirs.kind === 'whole') expect(theirs).toEqual(whole);
          counts.whole += 1;
        } else if (theirs.kind === 'whole') {
          const reason =
            ours.kind === 'refused' ? ours.reason.replace('the response is not HTTP/1.1: ', '') : ours.kind;
          expect(Object.keys(STRICTER)).toContain(reason);
          reasons.add(reason);
        } else {
          counts.none += 1;
        }
      }),
      { seed: SEED, numRuns: 3_000 },
    );
    // A difference that no longer exists must leave the table, and the generator must reach both kinds of verdict.
    expect([...reasons].sort()).toEqual(Object.keys(STRICTER).sort());
    expect(Math.min(counts.whole, counts.none)).toBeGreaterThan(300);
  });

  test('and every cut gives the same verdict, byte by byte too', () => {
    fc.assert(
      fc.property(fc.oneof(answer, scratched), method, (text, verb) => {
        const whole = readOurs([Buffer.from(text, 'latin1')], verb);
        const every = Array.from({ length: text.length }, (_, at) => at);
        for (const parts of [cut(text, every), ...every.map((at) => cut(text, [at]))]) {
          const { kind, ...answered } = readOurs(parts, verb);
          // In parts, a head may be rejected earlier and for another reason.
          expect(kind).toBe(whole.kind);
          if (kind === 'whole') expect({ kind, ...answered }).toEqual(whole);
        }
      }),
      { seed: SEED, numRuns: 300 },
    );
  });
});
