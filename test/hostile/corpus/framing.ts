/** Requests whose end two servers may find at different places: lengths and transfer codings (RFC 9112 §6). */
import { chunked, get, HOST, type HostileCase, JSON_TYPE, post, RECORD } from '../hostile-case.ts';

/** Both framings at once: the front reads one, the back the other. */
const TWO_FRAMINGS: readonly HostileCase[] = (
  [
    [
      'CL.TE',
      (inner) => [
        `content-length: ${chunked('').length + inner.length}\r\ntransfer-encoding: chunked\r\n`,
        `0\r\n\r\n${inner}`,
      ],
    ],
    [
      'CL.TE, the coding first',
      (inner) => [
        `transfer-encoding: chunked\r\ncontent-length: ${chunked('').length + inner.length}\r\n`,
        `0\r\n\r\n${inner}`,
      ],
    ],
    ['TE.CL', (inner) => ['content-length: 4\r\ntransfer-encoding: chunked\r\n', chunked(inner)]],
    ['TE.CL, the coding first', (inner) => ['transfer-encoding: chunked\r\ncontent-length: 4\r\n', chunked(inner)]],
    ['both, and they agree', () => ['content-length: 5\r\ntransfer-encoding: chunked\r\n', '0\r\n\r\n']],
    [
      'both, with a length of 0',
      (inner) => ['content-length: 0\r\ntransfer-encoding: chunked\r\n', `0\r\n\r\n${inner}`],
    ],
    ['both, with capitals', (inner) => ['Content-Length: 4\r\nTRANSFER-ENCODING: Chunked\r\n', chunked(inner)]],
    ['both, with an unknown coding', (inner) => ['content-length: 4\r\ntransfer-encoding: x\r\n', chunked(inner)]],
    ['both, with an empty coding', (inner) => ['content-length: 4\r\ntransfer-encoding:\r\n', chunked(inner)]],
    [
      'both, the length under a connection option',
      (inner) => ['connection: content-length\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n', chunked(inner)],
    ],
    [
      'both, the coding under a connection option',
      (inner) => [
        'connection: transfer-encoding\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n',
        chunked(inner),
      ],
    ],
    [
      'both, with a folded coding',
      (inner) => ['content-length: 4\r\ntransfer-encoding:\r\n chunked\r\n', chunked(inner)],
    ],
  ] satisfies [string, (inner: string) => [string, string]][]
).map(([name, build]) => ({
  family: 'two framings',
  name,
  bytes: ({ inner, topic }) => {
    const [lines, body] = build(inner);
    return post(topic, lines) + body;
  },
  expected: 'refused',
}));

/** Codings that one server takes for chunked and another ignores. Lines, and the status of the refusal. */
const CODINGS: readonly HostileCase[] = (
  [
    ['xchunked', 'transfer-encoding: xchunked\r\n'],
    ['chunkedx', 'transfer-encoding: chunkedx\r\n'],
    ['chunked in quotes', 'transfer-encoding: "chunked"\r\n'],
    ['chunked with a parameter', 'transfer-encoding: chunked;a=b\r\n'],
    ['chunked, identity', 'transfer-encoding: chunked, identity\r\n'],
    ['identity', 'transfer-encoding: identity\r\n'],
    ['identity, chunked', 'transfer-encoding: identity, chunked\r\n'],
    ['gzip, chunked', 'transfer-encoding: gzip, chunked\r\n'],
    ['chunked, chunked', 'transfer-encoding: chunked, chunked\r\n'],
    ['chunked with a comma behind it', 'transfer-encoding: chunked,\r\n'],
    ['chunked with a comma before it', 'transfer-encoding: ,chunked\r\n'],
    ['chunked twice, as two headers', 'transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n'],
    ['chunked, then identity, as two headers', 'transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n'],
    ['identity, then chunked, as two headers', 'transfer-encoding: identity\r\ntransfer-encoding: chunked\r\n'],
    ['chunked, then an empty one, as two headers', 'transfer-encoding: chunked\r\ntransfer-encoding:\r\n'],
    ['an empty one', 'transfer-encoding:\r\n'],
    ['chunked with a vertical tab before it', 'transfer-encoding: \x0bchunked\r\n'],
    ['chunked with a vertical tab behind it', 'transfer-encoding: chunked\x0b\r\n'],
    ['chunked with a form feed before it', 'transfer-encoding: \x0cchunked\r\n'],
    ['chunked with a NUL behind it', 'transfer-encoding: chunked\0\r\n'],
    ['chunked with a NUL in it', 'transfer-encoding: chu\0nked\r\n'],
    ['chunked with a no-break space before it', 'transfer-encoding: \xa0chunked\r\n'],
    ['chunked with a no-break space behind it', 'transfer-encoding: chunked\xa0\r\n'],
    ['chunked with a next line behind it', 'transfer-encoding: chunked\x85\r\n'],
    ['the Kelvin sign for k', 'transfer-encoding: chun\xe2\x84\xaaed\r\n'],
    ['folded', 'transfer-encoding:\r\n chunked\r\n'],
    ['folded behind a comma', 'transfer-encoding: identity,\r\n chunked\r\n'],
    ['folded with a tab', 'transfer-encoding:\r\n\tchunked\r\n'],
    ['a space before the colon', 'transfer-encoding : chunked\r\n'],
    ['a tab before the colon', 'transfer-encoding\t: chunked\r\n'],
    ['a NUL before the colon', 'transfer-encoding\0: chunked\r\n'],
    ['a CR before the colon', 'transfer-encoding\r: chunked\r\n'],
    ['a space before the name', ' transfer-encoding: chunked\r\n'],
    ['a LF behind another value', 'x: y\ntransfer-encoding: chunked\r\n'],
    ['a CR behind another value', 'x: y\rtransfer-encoding: chunked\r\n'],
    ['in HTTP/1.0, with a coding that is not chunked', 'transfer-encoding: identity\r\n'],
  ] satisfies [string, string][]
).map(([name, lines]) => ({
  family: 'transfer codings',
  name,
  bytes: ({ inner, topic }) =>
    post(topic, lines, name.startsWith('in HTTP/1.0') ? 'HTTP/1.0' : 'HTTP/1.1') + chunked(inner),
  expected: 'refused',
}));

/** Lengths that servers read differently. The body is a request of its own. */
const LENGTHS: readonly HostileCase[] = (
  [
    ['two that differ', (n) => `content-length: ${n}\r\ncontent-length: 0\r\n`],
    ['two that differ, the smaller first', (n) => `content-length: 0\r\ncontent-length: ${n}\r\n`],
    ['two that agree', (n) => `content-length: ${n}\r\ncontent-length: ${n}\r\n`],
    ['a list', (n) => `content-length: ${n}, ${n}\r\n`],
    ['a list of two that differ', (n) => `content-length: 0, ${n}\r\n`],
    ['a plus', (n) => `content-length: +${n}\r\n`],
    ['a minus', (n) => `content-length: -${n}\r\n`],
    ['minus zero', () => 'content-length: -0\r\n'],
    ['hexadecimal', (n) => `content-length: 0x${n.toString(16)}\r\n`],
    ['octal', (n) => `content-length: 0o${n.toString(8)}\r\n`],
    ['an underscore', () => 'content-length: 0_1\r\n'],
    ['a point', (n) => `content-length: ${n}.0\r\n`],
    ['an exponent', () => 'content-length: 1e2\r\n'],
    ['a space inside', () => 'content-length: 1 0\r\n'],
    ['a tab inside', () => 'content-length: 1\t0\r\n'],
    ['a letter behind it', (n) => `content-length: ${n}a\r\n`],
    ['a letter before it', (n) => `content-length: a${n}\r\n`],
    ['quotes', (n) => `content-length: "${n}"\r\n`],
    ['a semicolon', (n) => `content-length: ${n};\r\n`],
    ['empty', () => 'content-length:\r\n'],
    ['blank', () => 'content-length: \r\n'],
    ['above 2^64', () => 'content-length: 18446744073709551617\r\n'],
    ['far above 2^64', () => `content-length: ${'9'.repeat(40)}\r\n`],
    ['folded', (n) => `content-length:\r\n ${n}\r\n`],
    ['folded digits', () => 'content-length: 1\r\n 0\r\n'],
    ['a space before the colon', (n) => `content-length : ${n}\r\n`],
    ['a tab before the colon', (n) => `content-length\t: ${n}\r\n`],
    ['a space before the name', (n) => ` content-length: ${n}\r\n`],
    ['a NUL behind it', (n) => `content-length: ${n}\0\r\n`],
    ['a vertical tab behind it', (n) => `content-length: ${n}\x0b\r\n`],
    ['a no-break space before it', (n) => `content-length: \xa0${n}\r\n`],
    ['digits of another script', () => 'content-length: \xd9\xa1\r\n'],
    ['one, and another with a space before the colon', (n) => `content-length: 0\r\ncontent-length : ${n}\r\n`],
    ['one, and another behind a LF', (n) => `content-length: 0\ncontent-length: ${n}\r\n`],
    ['one, and another behind a CR', (n) => `content-length: 0\rcontent-length: ${n}\r\n`],
  ] satisfies [string, (n: number) => string][]
).map(([name, lines]) => ({
  family: 'lengths',
  name,
  bytes: ({ inner, topic }) => post(topic, lines(inner.length)) + inner,
  expected: 'refused',
}));

/** Odd, and valid: all programs read them alike. */
const VALID: readonly HostileCase[] = [
  {
    family: 'lengths',
    name: 'leading zeros are decimal',
    bytes: ({ topic }) => `${post(topic, `content-length: 000${RECORD.length}\r\n`)}${RECORD}`,
    expected: 'served',
  },
  {
    family: 'lengths',
    name: 'white space around it',
    bytes: ({ topic }) => `${post(topic, `content-length: \t ${RECORD.length} \t\r\n`)}${RECORD}`,
    expected: 'served',
  },
  {
    family: 'lengths',
    name: 'a header of another name',
    bytes: ({ topic, inner }) =>
      `${post(topic, `content_length: ${inner.length}\r\ncontent-length: ${RECORD.length}\r\n`)}${RECORD}`,
    expected: 'served',
  },
  {
    family: 'transfer codings',
    name: 'Chunked in capitals',
    bytes: ({ topic }) => post(topic, 'transfer-encoding: ChUnKeD\r\n') + chunked(RECORD),
    expected: 'served',
  },
  {
    family: 'transfer codings',
    name: 'a header of another name',
    bytes: ({ topic }) =>
      `${post(topic, `transfer_encoding: chunked\r\ncontent-length: ${RECORD.length}\r\n`)}${RECORD}`,
    expected: 'served',
  },
  {
    family: 'transfer codings',
    name: 'chunked in HTTP/1.0',
    bytes: ({ topic, inner }) => post(topic, 'transfer-encoding: chunked\r\n', 'HTTP/1.0') + chunked(inner),
    expected: 'refused',
  },
  {
    family: 'transfer codings',
    name: 'chunked of a request without a body by its method',
    bytes: ({ topic, inner }) => get(topic, 'transfer-encoding: chunked\r\n') + chunked(inner),
    expected: 'served',
  },
  {
    family: 'lengths',
    name: 'CL.0: a body of GET is a body',
    bytes: ({ topic, inner }) => get(topic, `content-length: ${inner.length}\r\n`) + inner,
    expected: 'served',
  },
  {
    family: 'lengths',
    name: 'CL.0: a body of DELETE is a body',
    bytes: ({ inner }) =>
      `DELETE /consumers/hostile/instances/none HTTP/1.1\r\n${HOST}content-length: ${inner.length}\r\n\r\n${inner}`,
    expected: 'served',
  },
  {
    family: 'lengths',
    name: '0.CL: no length is no body',
    bytes: ({ topic }) => `POST /topics/${topic} HTTP/1.1\r\n${HOST}${JSON_TYPE}\r\n`,
    expected: 'served',
  },
];

export const FRAMING: readonly HostileCase[] = [...TWO_FRAMINGS, ...CODINGS, ...LENGTHS, ...VALID];
