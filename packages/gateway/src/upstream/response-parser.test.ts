import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { HeaderNames, type ResponseHead } from './response-head.ts';
import { ResponseParser } from './response-parser.ts';

/** The same cases in every run. */
const SEED = 9112;

interface Read {
  heads: ResponseHead[];
  body: string;
  isComplete: boolean;
  /** Bytes after the response. */
  rest: string;
  /** The end of the connection completed the response. */
  isEndComplete: boolean;
}

/** Parses parts as a connection reads them, in one buffer that is overwritten each time. */
function read(parts: readonly Buffer[], method = 'GET'): Read {
  const shared = Buffer.alloc(Math.max(0, ...parts.map(({ length }) => length)));
  const heads: ResponseHead[] = [];
  const body: Buffer[] = [];
  const rest: Buffer[] = [];
  let isComplete = false;
  const parser = new ResponseParser(
    {
      onHead: (head) => heads.push(head),
      onBody: (bytes) => body.push(Buffer.from(bytes)),
      onComplete: () => {
        expect(isComplete).toBe(false);
        isComplete = true;
      },
    },
    new HeaderNames(),
  );
  parser.expect(method);
  for (const part of parts) {
    shared.fill(0);
    part.copy(shared);
    rest.push(Buffer.from(parser.execute(shared.subarray(0, part.length))));
  }
  const isEndComplete = parser.end();
  return {
    heads,
    body: Buffer.concat(body).toString('latin1'),
    isComplete,
    rest: Buffer.concat(rest).toString('latin1'),
    isEndComplete,
  };
}

const readText = (text: string, method?: string): Read => read([Buffer.from(text, 'latin1')], method);

const LENGTH = 'HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello';
const CHUNKS =
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\nA;ext="x"\r\nllo, world\r\n0\r\nX-Sum: 1\r\n\r\n';
const EARLY = `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n${LENGTH}`;
const UNTIL_CLOSE = 'HTTP/1.0 200 OK\r\n\r\nall of it';
const EMPTY = 'HTTP/1.1 204 No Content\r\n\r\n';

describe('a response is the same, wherever the network cuts it', () => {
  test.each([
    ['with a length', LENGTH, 'hello'],
    ['in chunks', CHUNKS, 'hello, world'],
    ['after informational responses', EARLY, 'hello'],
    ['that ends with its connection', UNTIL_CLOSE, 'all of it'],
    ['without a body', EMPTY, ''],
  ])('%s', (_, text, body) => {
    const bytes = Buffer.from(text, 'latin1');
    const whole = read([bytes]);
    expect(whole).toMatchObject({ body, isComplete: true, rest: '', isEndComplete: text === UNTIL_CLOSE });
    expect(whole.heads).toHaveLength(1);
    for (let first = 1; first < bytes.length; first += 1) {
      for (const second of [first, first + 1, bytes.length]) {
        const parts = [bytes.subarray(0, first), bytes.subarray(first, second), bytes.subarray(second)];
        expect(read(parts)).toEqual(whole);
      }
    }
    expect(read([...bytes].map((byte) => Buffer.from([byte])))).toEqual(whole);
  });
});

test('a head at the limit is parsed', () => {
  const begin = 'HTTP/1.1 204 No Content\r\nx: ';
  expect(readText(`${begin}${'y'.repeat(16_384 - begin.length)}\r\n\r\n`)).toMatchObject({ isComplete: true });
});

test('bytes after a response are returned and not parsed', () => {
  for (const text of [LENGTH, CHUNKS, EMPTY]) {
    const evil = 'HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil';
    expect(readText(text + evil)).toMatchObject({ isComplete: true, rest: evil });
  }
});

test('a response to HEAD has no body, whatever it announces', () => {
  expect(readText('HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n', 'HEAD')).toMatchObject({
    body: '',
    isComplete: true,
    heads: [{ headers: { 'content-length': '5' } }],
  });
});

test('a truncated response is incomplete', () => {
  for (const text of [LENGTH, CHUNKS, EARLY, EMPTY]) {
    for (let length = 1; length < text.length; length += 1) {
      expect(readText(text.slice(0, length)), text.slice(0, length)).toMatchObject({
        isComplete: false,
        isEndComplete: false,
      });
    }
  }
});

test('any body in any chunks and any pieces is unchanged', () => {
  fc.assert(
    fc.property(
      // Without a size, fast-check generates ten bytes at most: no size would have two digits.
      fc.array(fc.uint8Array({ minLength: 1, maxLength: 300, size: 'max' }), { maxLength: 8 }),
      fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 60 }),
      (chunks, cuts) => {
        const body = Buffer.concat(chunks);
        const encoded = chunks.map((chunk) =>
          Buffer.concat([Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, Buffer.from('\r\n')]),
        );
        const head = Buffer.from('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n');
        let left = Buffer.concat([head, ...encoded, Buffer.from('0\r\n\r\n')]);
        const parts: Buffer[] = [];
        for (const cut of cuts) {
          parts.push(left.subarray(0, cut));
          left = left.subarray(cut);
        }
        expect(read([...parts, left])).toMatchObject({ body: body.toString('latin1'), isComplete: true, rest: '' });
      },
    ),
    { seed: SEED },
  );
});

const chunked = (body: string): string => `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n${body}`;

test.each([
  ['a head without an end', `HTTP/1.1 200 OK\r\nx: ${'y'.repeat(17_000)}`],
  [
    'a head one byte too long',
    `HTTP/1.1 200 OK\r\nx: ${'y'.repeat(16_384 - 'HTTP/1.1 200 OK\r\nx: '.length + 1)}\r\n\r\n`,
  ],
  ['a head that is too long', `HTTP/1.1 200 OK\r\nx: ${'y'.repeat(17_000)}\r\n\r\n`],
  ['another protocol', 'HTTP/1.1 101 Switching Protocols\r\nupgrade: h2c\r\n\r\n'],
  ['garbage', '\r\n\r\nHTTP/1.1 200 OK\r\n\r\n'],
  ['a chunk without a size', chunked('\r\nhello\r\n0\r\n\r\n')],
  ['a size with a sign', chunked('-5\r\nhello\r\n0\r\n\r\n')],
  ['a size with a prefix', chunked('0x5\r\nhello\r\n0\r\n\r\n')],
  // The next five were found by llhttp.test.ts with other seeds.
  ['a size with a space after', chunked('5 \r\nhello\r\n0\r\n\r\n')],
  ['a tab before an extension', chunked('5\t;a\r\nhello\r\n0\r\n\r\n')],
  ['an informational response of HTTP/1.0', `HTTP/1.0 100 Continue\r\n\r\n${LENGTH}`],
  ['an informational response with an empty length', `HTTP/1.1 102 Processing\r\ncontent-length:\r\n\r\n${LENGTH}`],
  ['an empty coding', 'HTTP/1.1 204 No Content\r\ntransfer-encoding:\r\n\r\n'],
  ['a size with a space before', chunked(' 5\r\nhello\r\n0\r\n\r\n')],
  ['a size that no double holds', chunked('fffffffffffffff\r\nhello')],
  ['a size that ends in a line feed alone', chunked('5\nhello\r\n0\r\n\r\n')],
  ['a chunk longer than its size', chunked('4\r\nhello\r\n0\r\n\r\n')],
  ['a chunk whose end is a line feed alone', chunked('5\r\nhello\n0\r\n\r\n')],
  ['a chunk’s size that never ends', chunked(`5;${'x'.repeat(17_000)}`)],
  ['a control character in an extension', chunked('5;\x01\r\nhello\r\n0\r\n\r\n')],
  ['trailers without a name', chunked('5\r\nhello\r\n0\r\nnone\r\n\r\n')],
  ['trailers without an end', chunked(`5\r\nhello\r\n0\r\n${`x: ${'y'.repeat(1_000)}\r\n`.repeat(20)}`)],
])('%s is rejected', (_, text) => {
  const bytes = Buffer.from(text, 'latin1');
  const bad = expect.objectContaining({ code: 'BAD_RESPONSE' });
  expect(() => read([bytes])).toThrow(bad);
  expect(() => read([...bytes].map((byte) => Buffer.from([byte])))).toThrow(bad);
});

test.each([
  ['a banner', 'SSH-2.0-OpenSSH_9.2\r\n'],
  ['an alert of TLS', '\x15\x03\x01\x00\x02\x02\x16'],
  ['a head whose lines end in line feeds alone', 'HTTP/1.1 200 OK\ncontent-length: 0\n'],
  ['the beginning of HTTP/2', 'HTTP/2'],
])('%s is rejected without waiting for more', (_, text) => {
  expect(() => readText(text)).toThrow(expect.objectContaining({ code: 'BAD_RESPONSE' }));
});

test('the end of an idle connection completes nothing', () => {
  const parser = new ResponseParser({ onHead: () => {}, onBody: () => {}, onComplete: () => {} }, new HeaderNames());
  expect(parser.end()).toBe(false);
});

test('one parser parses one response after the other', () => {
  const completed: string[] = [];
  let body = '';
  const parser = new ResponseParser(
    {
      onHead: () => {
        body = '';
      },
      onBody: (bytes) => {
        body += bytes.toString('latin1');
      },
      onComplete: () => completed.push(body),
    },
    new HeaderNames(),
  );
  for (const text of [LENGTH, CHUNKS, EMPTY, CHUNKS, LENGTH]) {
    parser.expect('GET');
    expect(parser.execute(Buffer.from(text))).toHaveLength(0);
  }
  expect(completed).toEqual(['hello', 'hello, world', '', 'hello, world', 'hello']);
});
