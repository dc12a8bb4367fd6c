/** Requests over HTTP/2 that become other requests, or several, when a gateway writes them as HTTP/1.1 (RFC 9113 §8, §10.3). */
import type { Field } from '../h2-client.ts';
import { RECORD } from '../hostile-case.ts';

export interface HostileStream {
  readonly name: string;
  readonly fields: (scene: { topic: string; inner: string }) => readonly Field[];
  /** One frame of data; `undefined` ends the stream with the head. */
  readonly body?: ((scene: { inner: string }) => string) | undefined;
  readonly expected: StreamExpected;
}

export type StreamExpected =
  /** Node drops the invalid field alone, and the rest of the request is served. */
  | 'field dropped'
  /** A stream or connection error, or an error of the API: nothing was forwarded. */
  | 'refused'
  /** The status of the response; what follows on the connection is served. */
  | number;

type Replace = Readonly<Record<string, string | readonly string[] | undefined>>;

/** The fields of a GET, with these in place of its own or after them; `undefined` leaves one out. */
function get(topic: string, replace: Replace = {}): Field[] {
  return withFields(
    [
      [':method', 'GET'],
      [':scheme', 'http'],
      [':authority', 'h'],
      [':path', `/topics/${topic}`],
    ],
    replace,
  );
}

function post(topic: string, replace: Replace = {}): Field[] {
  return [
    ...get(topic, { ':method': 'POST' }),
    ...withFields([['content-type', 'application/vnd.kafka.json.v2+json']], replace),
  ];
}

function withFields(fields: readonly Field[], replace: Replace): Field[] {
  const kept = fields.flatMap(([name, value]): Field[] =>
    name in replace ? valuesOf(name, replace[name]) : [[name, value]],
  );
  const names = new Set(fields.map(([name]) => name));
  return [
    ...kept,
    ...Object.entries(replace).flatMap(([name, value]) => (names.has(name) ? [] : valuesOf(name, value))),
  ];
}

function valuesOf(name: string, value: string | readonly string[] | undefined): Field[] {
  return [value ?? []].flat().map((text) => [name, text]);
}

/** Places of an injection that are fields by themselves. The content type is one, too: without it, the request is refused. */
const DROPPED: ReadonlySet<string> = new Set(['a value', 'the begin of a value', 'a name', 'a cookie']);

/** Line ends and control characters in every place. The hidden request stands behind each line end. */
const INJECTIONS: readonly HostileStream[] = ['\r\n', '\n', '\r', '\0'].flatMap((end) => {
  const shown = JSON.stringify(end);
  const places: [string, (topic: string, text: string) => Field[]][] = [
    ['a value', (topic, text) => get(topic, { x: `a${text}` })],
    ['the begin of a value', (topic, text) => get(topic, { x: text })],
    ['a name', (topic, text) => get(topic, { [`x${text}`]: 'y' })],
    ['the path', (topic, text) => get(topic, { ':path': `/topics/${topic}${text}` })],
    ['the method', (topic, text) => get(topic, { ':method': `GET${text}` })],
    ['the authority', (topic, text) => get(topic, { ':authority': `h${text}` })],
    ['the scheme', (topic, text) => get(topic, { ':scheme': `http${text}` })],
    ['the host', (topic, text) => get(topic, { ':authority': undefined, host: `h${text}` })],
    ['a cookie', (topic, text) => get(topic, { cookie: ['a=b', `c=d${text}`] })],
    ['the content type', (topic, text) => post(topic, { 'content-type': `application/json${text}` })],
  ];
  return places.map(
    ([place, fields]): HostileStream => ({
      name: `${shown} in ${place}`,
      fields: ({ topic, inner }) => fields(topic, ` HTTP/1.1${end}host: h${end}${end}${inner.replaceAll('\r\n', end)}`),
      expected: DROPPED.has(place) ? 'field dropped' : 'refused',
    }),
  );
});

const FORMS: readonly HostileStream[] = (
  [
    // The length of HTTP/2 is that of its frames.
    ['H2.CL: a length below the body', (t) => post(t, { 'content-length': '0' }), 'refused', (inner) => inner],
    ['H2.CL: a length above the body', (t) => post(t, { 'content-length': '500' }), 'refused', () => RECORD],
    ['H2.CL: a length without a body', (t) => get(t, { 'content-length': '50' }), 'refused'],
    ['H2.CL: two lengths', (t) => post(t, { 'content-length': ['0', String(RECORD.length)] }), 'refused', () => RECORD],
    ['H2.CL: a length with a plus', (t) => post(t, { 'content-length': `+${RECORD.length}` }), 'refused', () => RECORD],
    ['H2.CL: a negative length', (t) => post(t, { 'content-length': '-1' }), 'refused', () => RECORD],
    ['H2.TE: chunked', (t) => post(t, { 'transfer-encoding': 'chunked' }), 'refused', (inner) => `0\r\n\r\n${inner}`],
    [
      'H2.TE: chunked, in capitals',
      (t) => post(t, { 'transfer-encoding': 'Chunked' }),
      'refused',
      (inner) => `0\r\n\r\n${inner}`,
    ],
    ['H2.TE: identity', (t) => post(t, { 'transfer-encoding': 'identity' }), 'refused', (inner) => inner],
    [
      'H2.TE: a name in capitals',
      (t) => post(t, { 'Transfer-Encoding': 'chunked' }),
      'refused',
      (inner) => `0\r\n\r\n${inner}`,
    ],
    [
      'H2.TE: a name with a space',
      (t) => post(t, { 'transfer-encoding ': 'chunked' }),
      'refused',
      (inner) => `0\r\n\r\n${inner}`,
    ],
    ['connection', (t) => get(t, { connection: 'close' }), 'refused'],
    ['keep-alive', (t) => get(t, { 'keep-alive': 'timeout=5' }), 'refused'],
    ['proxy-connection', (t) => get(t, { 'proxy-connection': 'keep-alive' }), 'refused'],
    ['upgrade', (t) => get(t, { upgrade: 'websocket' }), 'refused'],
    ['http2-settings', (t) => get(t, { 'http2-settings': 'AAMAAABk' }), 'field dropped'],
    ['te other than trailers', (t) => get(t, { te: 'gzip' }), 'refused'],
    ['te: trailers', (t) => get(t, { te: 'trailers' }), 200],
    ['a name in capitals', (t) => get(t, { 'X-A': 'b' }), 'refused'],
    ['a name with a colon', (t) => get(t, { 'x:y': 'z' }), 'field dropped'],
    ['a name with a space', (t) => get(t, { 'x y': 'z' }), 'field dropped'],
    ['a name with a byte above ASCII', (t) => get(t, { 'x\xff': 'z' }), 'field dropped'],
    ['an empty name', (t) => get(t, { '': 'z' }), 'field dropped'],
    ['a value with a space before it', (t) => get(t, { x: ' y' }), 'field dropped'],
    ['a value with a tab behind it', (t) => get(t, { x: 'y\t' }), 'field dropped'],
    ['a value with bytes above ASCII', (t) => get(t, { x: '\xff\xfe' }), 200],
    ['no method', (t) => get(t, { ':method': undefined }), 'refused'],
    ['no scheme', (t) => get(t, { ':scheme': undefined }), 'refused'],
    ['no path', (t) => get(t, { ':path': undefined }), 'refused'],
    ['an empty path', (t) => get(t, { ':path': '' }), 'refused'],
    ['an empty method', (t) => get(t, { ':method': '' }), 'refused'],
    ['two methods', (t) => get(t, { ':method': ['GET', 'POST'] }), 'refused'],
    ['two paths', (t) => get(t, { ':path': [`/topics/${t}`, '/'] }), 'refused'],
    ['two schemes', (t) => get(t, { ':scheme': ['http', 'https'] }), 'refused'],
    ['two authorities', (t) => get(t, { ':authority': ['h', 'evil.example'] }), 'refused'],
    ['an unknown pseudo-header', (t) => get(t, { ':evil': 'x' }), 'refused'],
    ['a pseudo-header of responses', (t) => get(t, { ':status': '200' }), 'refused'],
    ['a pseudo-header behind others', (t) => [['x', 'y'], ...get(t)], 'refused'],
    ['neither authority nor host', (t) => get(t, { ':authority': undefined }), 'refused'],
    ['an empty authority', (t) => get(t, { ':authority': '' }), 'refused'],
    ['host without authority', (t) => get(t, { ':authority': undefined, host: 'h' }), 200],
    ['a host that agrees', (t) => get(t, { host: 'h' }), 200],
    ['a host that differs from the authority', (t) => get(t, { host: 'evil.example' }), 'refused'],
    ['two hosts', (t) => get(t, { ':authority': undefined, host: ['h', 'evil.example'] }), 'refused'],
    ['an authority with user information', (t) => get(t, { ':authority': 'a@h' }), 'refused'],
    ['an authority with a path', (t) => get(t, { ':authority': 'h/topics' }), 'refused'],
    ['an authority with a space', (t) => get(t, { ':authority': 'h x' }), 'refused'],
    ['a path with a space', (t) => get(t, { ':path': `/topics/${t} x` }), 'refused'],
    ['a path with a request line', (t) => get(t, { ':path': `/healthy HTTP/1.1 /topics/${t}` }), 'refused'],
    ['a path with a tab', (t) => get(t, { ':path': `/topics/${t}\tx` }), 'refused'],
    ['a path with a fragment', (t) => get(t, { ':path': `/topics/${t}#x` }), 'refused'],
    ['a path without a slash', (t) => get(t, { ':path': `topics/${t}` }), 'refused'],
    ['a path that is a URL', (t) => get(t, { ':path': `http://evil.example/topics/${t}` }), 'refused'],
    ['a path that is an asterisk', (t) => get(t, { ':path': '*' }), 'refused'],
    ['a path with bytes above ASCII', (t) => get(t, { ':path': `/topics/${t}\xe9` }), 'refused'],
    ['a path of 10 kB', (t) => get(t, { ':path': `/topics/${t}?${'a'.repeat(10_000)}` }), 414],
    ['a method with a space', (t) => get(t, { ':method': 'GET /x' }), 'refused'],
    ['a method in small letters', (t) => get(t, { ':method': 'get' }), 405],
    ['a method that is a request line', (t) => get(t, { ':method': 'GET /healthy HTTP/1.1' }), 'refused'],
    ['a scheme of another protocol', (t) => get(t, { ':scheme': 'ftp' }), 'refused'],
    ['a scheme that is a URL', (t) => get(t, { ':scheme': 'http://evil.example/?' }), 'refused'],
    [
      'a tunnel',
      () => [
        [':method', 'CONNECT'],
        [':authority', 'evil.example:443'],
      ],
      'refused',
    ],
    ['an extended tunnel', (t) => get(t, { ':method': 'CONNECT', ':protocol': 'websocket' }), 'refused'],
    [
      'a forged gateway',
      (t) => get(t, { 'causeway-gateway': 'tier1', 'causeway-secret': 'x', 'x-forwarded-for': '6.6.6.6' }),
      200,
    ],
    ['an expectation', (t) => get(t, { expect: 'tea' }), 417],
    ['many cookies', (t) => get(t, { cookie: Array.from({ length: 100 }, (_, index) => `c${index}=d`) }), 200],
    ['a body of GET', (t) => get(t), 200, (inner) => inner],
    ['a body without a length', (t) => post(t), 200, () => RECORD],
    ['a body with its length', (t) => post(t, { 'content-length': String(RECORD.length) }), 200, () => RECORD],
    ['a body that is not read', (t) => post(`${t}/nowhere/at/all`), 404, (inner) => inner],
  ] satisfies [string, (topic: string) => readonly Field[], StreamExpected, ((inner: string) => string)?][]
).map(([name, fields, expected, body]) => ({
  name,
  fields: ({ topic }) => fields(topic),
  expected,
  body: body === undefined ? undefined : ({ inner }) => body(inner),
}));

export const STREAMS: readonly HostileStream[] = [...INJECTIONS, ...FORMS];
