/** Chunked bodies whose chunks two servers may cut at different places, and their trailers (RFC 9112 §7.1). */
import { type Expected, HOST, type HostileCase, JSON_TYPE, post, RECORD } from '../hostile-case.ts';

const CHUNKED = 'transfer-encoding: chunked\r\n';
const SIZE = RECORD.length.toString(16);
const END = '0\r\n\r\n';

const CHUNKS: readonly HostileCase[] = (
  [
    ['no size', (inner) => `\r\n${inner}`],
    ['no size, with an extension', (inner) => `;a\r\n${inner}`],
    ['a size with 0x', (inner) => `0x${SIZE}\r\n${RECORD}\r\n${END}${inner}`],
    ['a size with a plus', (inner) => `+${SIZE}\r\n${RECORD}\r\n${END}${inner}`],
    ['a size with a minus', (inner) => `-1\r\n${inner}`],
    ['a size with a minus zero', (inner) => `-0\r\n\r\n${inner}`],
    ['a size with an underscore', (inner) => `0_1\r\n${inner}`],
    ['a size with a space before it', (inner) => ` ${SIZE}\r\n${RECORD}\r\n${END}${inner}`],
    ['a size with a space behind it', (inner) => `${SIZE} \r\n${RECORD}\r\n${END}${inner}`],
    ['a size with a tab behind it', (inner) => `${SIZE}\t\r\n${RECORD}\r\n${END}${inner}`],
    ['a size with a NUL behind it', (inner) => `${SIZE}\0\r\n${RECORD}\r\n${END}${inner}`],
    ['a size in letters that are not hexadecimal', (inner) => `g\r\n${inner}`],
    ['a size in quotes', (inner) => `"5"\r\n${inner}`],
    ['a size with a point', (inner) => `5.0\r\n${inner}`],
    ['a size of 2^64', (inner) => `10000000000000000\r\n${inner}`],
    ['a size of 2^64 + 5', (inner) => `10000000000000005\r\n${inner}`],
    ['a size far above 2^64', (inner) => `${'f'.repeat(40)}\r\n${inner}`],
    ['a size behind a LF', (inner) => `\n${SIZE}\r\n${RECORD}\r\n${END}${inner}`],
    ['a LF behind the size', (inner) => `${SIZE}\n${RECORD}\r\n${END}${inner}`],
    ['a CR behind the size', (inner) => `${SIZE}\r${RECORD}\r\n${END}${inner}`],
    ['two CR behind the size', (inner) => `${SIZE}\r\r\n${RECORD}\r\n${END}${inner}`],
    ['a LF behind the data', (inner) => `${SIZE}\r\n${RECORD}\n${END}${inner}`],
    ['a CR behind the data', (inner) => `${SIZE}\r\n${RECORD}\r${END}${inner}`],
    ['nothing behind the data', (inner) => `${SIZE}\r\n${RECORD}${END}${inner}`],
    ['data longer than the size', (inner) => `5\r\n${RECORD}\r\n${END}${inner}`],
    ['a LF behind the last size', (inner) => `${SIZE}\r\n${RECORD}\r\n0\n\r\n${inner}`],
    ['a CR behind the last size', (inner) => `${SIZE}\r\n${RECORD}\r\n0\r\r\n${inner}`],
    ['a LF in place of the last line', (inner) => `${SIZE}\r\n${RECORD}\r\n0\r\n\n${inner}`],
    ['a CR in place of the last line', (inner) => `${SIZE}\r\n${RECORD}\r\n0\r\n\r${inner}`],
    ['a LF in an extension', (inner) => `${SIZE};a\n${RECORD}\r\n${END}${inner}`],
    ['a CR in an extension', (inner) => `${SIZE};a\rb\r\n${RECORD}\r\n${END}${inner}`],
    ['a NUL in an extension', (inner) => `${SIZE};a\0b\r\n${RECORD}\r\n${END}${inner}`],
    ['a LF in a quoted extension', (inner) => `${SIZE};a="\n"\r\n${RECORD}\r\n${END}${inner}`],
    ['a CR LF in a quoted extension', (inner) => `${SIZE};a="\r\n"\r\n${RECORD}\r\n${END}${inner}`],
    ['a quote that does not end', (inner) => `${SIZE};a="b\r\n${RECORD}\r\n${END}${inner}`],
    ['an extension without a semicolon', (inner) => `${SIZE} a\r\n${RECORD}\r\n${END}${inner}`],
    ['an extension of 20 kB', (inner) => `${SIZE};${'a'.repeat(20_000)}\r\n${RECORD}\r\n${END}${inner}`],
  ] satisfies [string, (inner: string) => string][]
).map(([name, body]) => ({
  family: 'chunks',
  name,
  bytes: ({ inner, topic }) => post(topic, CHUNKED) + body(inner),
  expected: 'refused',
}));

const VALID_CHUNKS: readonly HostileCase[] = (
  [
    ['leading zeros are hexadecimal', `000${SIZE}\r\n${RECORD}\r\n${END}`],
    ['capital digits', `${SIZE.toUpperCase()}\r\n${RECORD}\r\n${END}`],
    ['many zeros at the end', `${SIZE}\r\n${RECORD}\r\n0000000\r\n\r\n`],
    ['an extension', `${SIZE};a=b\r\n${RECORD}\r\n${END}`],
    ['a quoted extension', `${SIZE};a="b c"\r\n${RECORD}\r\n${END}`],
    ['chunks of one byte', [...RECORD].map((byte) => `1\r\n${byte}\r\n`).join('') + END],
    ['extensions of 40 kB in 40 chunks', `${`1;${'a'.repeat(1_000)}\r\n{\r\n`.repeat(40)}${END}`],
    ['an extension of the last chunk', `${SIZE}\r\n${RECORD}\r\n0;a=b\r\n\r\n`],
  ] satisfies [string, string][]
).map(([name, body]) => ({
  family: 'chunks',
  name,
  bytes: ({ topic }) => post(topic, CHUNKED) + body,
  expected: 'served',
}));

/** Fields of a trailer, behind the last chunk of a valid record. They have no effect, and no program forwards them. */
const TRAILERS: readonly HostileCase[] = (
  [
    ['a length', (inner) => `content-length: ${inner.length}\r\n`, 'refused'],
    ['a transfer coding', () => CHUNKED, 'refused'],
    ['a host', () => 'host: evil.example\r\n', 'served'],
    ['a secret and a gateway', () => 'causeway-secret: x\r\ncauseway-gateway: x\r\n', 'served'],
    ['a client’s address', () => 'x-forwarded-for: 6.6.6.6\r\n', 'served'],
    ['a connection option', () => 'connection: close, x\r\n', 'served'],
    ['a content type', () => 'content-type: text/html\r\n', 'served'],
    ['a space before the colon', () => 'x : y\r\n', 'refused'],
    ['no colon', () => 'x\r\n', 'refused'],
    ['a LF', () => 'x: y\n', 'refused'],
    ['a NUL', () => 'x: \0\r\n', 'refused'],
    ['a whole request', (inner) => inner.replace(/\r\n\r\n$/, '\r\n'), 'refused'],
    ['60 kB', () => `${'x: '.padEnd(1_000, 'y')}\r\n`.repeat(60), 'refused'],
  ] satisfies [string, (inner: string) => string, Expected][]
).map(([name, fields, expected]) => ({
  family: 'trailers',
  name,
  bytes: ({ inner, topic }) => `${post(topic, CHUNKED)}${SIZE}\r\n${RECORD}\r\n0\r\n${fields(inner)}\r\n`,
  expected,
}));

/** A trailer that is announced, or asked for, changes nothing. */
const ANNOUNCED: readonly HostileCase[] = (
  [
    ['announced', 'trailer: content-length\r\n'],
    ['asked for', 'te: trailers\r\nconnection: te\r\n'],
  ] satisfies [string, string][]
).map(([name, lines]) => ({
  family: 'trailers',
  name,
  bytes: ({ topic }) =>
    `POST /topics/${topic} HTTP/1.1\r\n${HOST}${JSON_TYPE}${CHUNKED}${lines}\r\n${SIZE}\r\n${RECORD}\r\n0\r\ncontent-length: 5\r\n\r\n`,
  expected: 'refused',
}));

export const CHUNK_CASES: readonly HostileCase[] = [...CHUNKS, ...VALID_CHUNKS, ...TRAILERS, ...ANNOUNCED];
