/** Heads of requests that two servers may read as different lines, names, methods or versions (RFC 9112 §2, §3, §5). */
import { type Expected, get, HOST, type HostileCase } from '../hostile-case.ts';

/** Lines of a GET: the whole head is written out. */
const LINES: readonly HostileCase[] = (
  [
    ['LF ends every line', (t) => `GET /topics/${t} HTTP/1.1\nhost: h\n\n`],
    ['LF ends the request line', (t) => `GET /topics/${t} HTTP/1.1\n${HOST}\r\n`],
    ['LF ends a header', (t) => `GET /topics/${t} HTTP/1.1\r\nhost: h\nx: y\r\n\r\n`],
    ['LF ends the head', (t) => `GET /topics/${t} HTTP/1.1\r\n${HOST}\n`],
    ['LF CR ends a line', (t) => `GET /topics/${t} HTTP/1.1\n\r${HOST}\r\n`],
    ['CR ends the request line', (t) => `GET /topics/${t} HTTP/1.1\r${HOST}\r\n`],
    ['CR ends a header', (t) => `GET /topics/${t} HTTP/1.1\r\nhost: h\rx: y\r\n\r\n`],
    ['CR ends the head', (t) => `GET /topics/${t} HTTP/1.1\r\n${HOST}\r\r\n`],
    ['CR CR LF ends a line', (t) => `GET /topics/${t} HTTP/1.1\r\r\n${HOST}\r\n`],
    ['CR in a value', (t) => get(t, 'x: a\rb\r\n')],
    ['CR before a value', (t) => get(t, 'x: \ra\r\n')],
    ['CR behind a value', (t) => get(t, 'x: a\r\r\n')],
    ['LF in a value', (t) => get(t, 'x: a\nb\r\n')],
    ['a header behind a LF in a value', (t) => get(t, 'x: a\nhost: evil.example\r\n')],
    ['a whole request behind LF LF in a value', (t, inner) => get(t, `x: a\n\n${inner}`)],
    ['a whole request behind CR CR in a value', (t, inner) => get(t, `x: a\r\r${inner}`)],
    ['NUL in a value', (t) => get(t, 'x: a\0b\r\n')],
    ['NUL alone as a value', (t) => get(t, 'x: \0\r\n')],
    ['a control character in a value', (t) => get(t, 'x: a\x01b\r\n')],
    ['DEL in a value', (t) => get(t, 'x: a\x7fb\r\n')],
    ['escape in a value', (t) => get(t, 'x: \x1b[31m\r\n')],
    ['NUL before the method', (t) => `\0GET /topics/${t} HTTP/1.1\r\n${HOST}\r\n`],
    ['a space before the method', (t) => ` GET /topics/${t} HTTP/1.1\r\n${HOST}\r\n`],
    ['a tab before the method', (t) => `\tGET /topics/${t} HTTP/1.1\r\n${HOST}\r\n`],
    ['a byte order mark before the method', (t) => `\xef\xbb\xbfGET /topics/${t} HTTP/1.1\r\n${HOST}\r\n`],
    ['NUL in the target', (t) => `GET /topics/\0${t} HTTP/1.1\r\n${HOST}\r\n`],
    ['a tab in the target', (t) => `GET /topics/\t${t} HTTP/1.1\r\n${HOST}\r\n`],
    ['CR in the target', (t) => `GET /topics/\r${t} HTTP/1.1\r\n${HOST}\r\n`],
    ['a vertical tab in the target', (t) => `GET /topics/\x0b${t} HTTP/1.1\r\n${HOST}\r\n`],
    ['DEL in the target', (t) => `GET /topics/\x7f${t} HTTP/1.1\r\n${HOST}\r\n`],
    ['a space in the target', (t) => `GET /topics/a ${t} HTTP/1.1\r\n${HOST}\r\n`],
    ['a request line in the target', (t) => `GET /topics/a HTTP/1.1 /topics/${t} HTTP/1.1\r\n${HOST}\r\n`],
    ['a tab before the target', (t) => `GET\t/topics/${t} HTTP/1.1\r\n${HOST}\r\n`],
    ['a tab before the version', (t) => `GET /topics/${t}\tHTTP/1.1\r\n${HOST}\r\n`],

    ['a space behind the version', (t) => `GET /topics/${t} HTTP/1.1 \r\n${HOST}\r\n`],
    ['a space before CR LF CR LF', (t) => `GET /topics/${t} HTTP/1.1\r\n${HOST} \r\n\r\n`],
  ] satisfies [string, (topic: string, inner: string) => string][]
).map(([name, head]) => ({
  family: 'line ends and control characters',
  name,
  bytes: ({ topic, inner }) => head(topic, inner),
  expected: 'refused',
}));

const NAMES: readonly HostileCase[] = (
  [
    ['a space before the colon', 'x : y\r\n'],
    ['a tab before the colon', 'x\t: y\r\n'],
    ['a space in the name', 'x y: z\r\n'],
    ['a space before the first name', ' x: y\r\n'],
    ['no name', ': y\r\n'],
    ['no colon', 'x\r\n'],
    ['NUL in the name', 'x\0y: z\r\n'],
    ['a control character in the name', 'x\x01y: z\r\n'],
    ['a byte above ASCII in the name', 'x\xffy: z\r\n'],
    ['a slash in the name', 'x/y: z\r\n'],
    ['a bracket in the name', 'x[]: z\r\n'],
    ['a quote in the name', '"x": z\r\n'],
    ['a comma in the name', 'x,y: z\r\n'],
    ['an at sign in the name', 'x@y: z\r\n'],
    ['a semicolon in the name', 'x;y: z\r\n'],
    ['an equals sign in the name', 'x=y: z\r\n'],
    ['CR in the name', 'x\ry: z\r\n'],
    ['LF in the name', 'x\ny: z\r\n'],
    ['a fold with a space', 'x: a\r\n b\r\n'],
    ['a fold with a tab', 'x: a\r\n\tb\r\n'],
    ['a fold of an empty value', 'x:\r\n b\r\n'],
    ['a fold that looks like a header', 'x: a\r\n content-length: 50\r\n'],
    ['a fold of nothing', 'x: a\r\n \r\n'],
    ['a folded host', 'x: a\r\n host: evil.example\r\n'],
    ['two hosts', 'host: evil.example\r\n'],
    ['a host with a space before the colon', 'host : evil.example\r\n'],
    ['a fold before the first header', ''],
  ] satisfies [string, string][]
).map(([name, lines]) => ({
  family: 'header names and folding',
  name,
  bytes: ({ topic }) =>
    name === 'a fold before the first header' ? `GET /topics/${topic} HTTP/1.1\r\n ${HOST}\r\n` : get(topic, lines),
  expected: 'refused',
}));

/** Names that mean nothing, and that some servers take for another one. */
const VALID_NAMES: readonly HostileCase[] = (
  [
    ['underscores', 'x_forwarded_for: 6.6.6.6\r\ncauseway_secret: x\r\n', 'served'],
    ['every character of a token', "!#$%&'*+-.^_`|~09azAZ: x\r\n", 'served'],
    ['a name that objects have', '__proto__: x\r\nconstructor: x\r\ntoString: x\r\n', 'served'],
    ['an empty value', 'x:\r\n', 'served'],
    ['bytes above ASCII in a value', 'x: \xff\xfe\x80\r\n', 'served'],
    ['a thousand names', Array.from({ length: 1_000 }, (_, index) => `x${index}: y\r\n`).join(''), 'refused'],
    ['five thousand names', Array.from({ length: 5_000 }, (_, index) => `x${index}: y\r\n`).join(''), 'refused'],
  ] satisfies [string, string, Expected][]
).map(([name, lines, expected]) => ({
  family: 'header names and folding',
  name,
  bytes: ({ topic }) => get(topic, lines),
  expected,
}));

const VERSIONS: readonly HostileCase[] = (
  [
    ['two spaces before the target', (t) => `GET  /topics/${t} HTTP/1.1\r\n${HOST}\r\n`, 'served'],
    ['two spaces before the version', (t) => `GET /topics/${t}  HTTP/1.1\r\n${HOST}\r\n`, 'served'],
    ['HTTP/0.9', (t) => `GET /topics/${t}\r\n`, 'refused'],
    ['HTTP/1.2', (t) => `GET /topics/${t} HTTP/1.2\r\n${HOST}\r\n`, 'refused'],
    ['HTTP/2.0', (t) => `GET /topics/${t} HTTP/2.0\r\n${HOST}\r\n`, 'refused'],
    ['HTTP/1.10', (t) => `GET /topics/${t} HTTP/1.10\r\n${HOST}\r\n`, 'refused'],
    ['HTTP/01.1', (t) => `GET /topics/${t} HTTP/01.1\r\n${HOST}\r\n`, 'refused'],
    ['HTTP/1,1', (t) => `GET /topics/${t} HTTP/1,1\r\n${HOST}\r\n`, 'refused'],
    ['http/1.1', (t) => `GET /topics/${t} http/1.1\r\n${HOST}\r\n`, 'refused'],
    ['HTTPS/1.1', (t) => `GET /topics/${t} HTTPS/1.1\r\n${HOST}\r\n`, 'refused'],
    ['ICY', (t) => `GET /topics/${t} ICY/1.1\r\n${HOST}\r\n`, 'refused'],
    ['RTSP', (t) => `GET /topics/${t} RTSP/1.0\r\n${HOST}\r\n`, 'served'],
    ['a method in small letters', (t) => `get /topics/${t} HTTP/1.1\r\n${HOST}\r\n`, 'refused'],
    ['a method with a letter more', (t) => `GETS /topics/${t} HTTP/1.1\r\n${HOST}\r\n`, 'refused'],
    ['a method of RTSP', (t) => `DESCRIBE /topics/${t} HTTP/1.1\r\n${HOST}\r\n`, 'refused'],
    ['a method with a colon', (t) => `GET: /topics/${t} HTTP/1.1\r\n${HOST}\r\n`, 'refused'],
    ['a method with a NUL', (t) => `G\0ET /topics/${t} HTTP/1.1\r\n${HOST}\r\n`, 'refused'],
    ['no method', (t) => `/topics/${t} HTTP/1.1\r\n${HOST}\r\n`, 'refused'],
    ['a response', () => `HTTP/1.1 200 OK\r\n${HOST}content-length: 0\r\n\r\n`, 'refused'],
    ['the preface of HTTP/2', () => 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'refused'],
    ['a PROXY header that was not asked for', (t) => `PROXY TCP4 6.6.6.6 7.7.7.7 1 2\r\n${get(t, '')}`, 'refused'],
    [
      'a binary PROXY header that was not asked for',
      (t) => `\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x06\x06\x06\x06\x07\x07\x07\x07\0\x01\0\x02${get(t, '')}`,
      'refused',
    ],
    ['a TLS handshake', () => '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', 'refused'],
    [
      'an upgrade to a WebSocket',
      (t) =>
        get(
          t,
          'connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n',
        ),
      'served',
    ],
    [
      'an upgrade to h2c',
      (t) =>
        get(t, 'connection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAARAAAAAAAIAAAAA\r\n'),
      'served',
    ],
    ['an upgrade to TLS', (t) => get(t, 'connection: upgrade\r\nupgrade: TLS/1.2\r\n'), 'served'],
  ] satisfies [string, (topic: string) => string, Expected][]
).map(([name, bytes, expected]) => ({
  family: 'methods and versions',
  name,
  bytes: ({ topic }) => bytes(topic),
  expected,
}));

export const HEADS: readonly HostileCase[] = [...LINES, ...NAMES, ...VALID_NAMES, ...VERSIONS];
