/** Requests that are valid and aim at what a gateway makes of them: options, expectations, unread bodies, targets. */
import { type Expected, get, HOST, type HostileCase, post, RECORD } from '../hostile-case.ts';

/** `Connection` names a header that is for all (RFC 9110 §7.6.1): the request keeps its framing and its sender. */
const OPTIONS: readonly HostileCase[] = (
  [
    ['the length', 'content-length'],
    ['the coding', 'transfer-encoding'],
    ['the host', 'host'],
    ['authorization', 'authorization, cookie'],
    ['the headers of gateways', 'causeway-gateway, causeway-secret, via'],
    ['the headers of proxies', 'x-forwarded-for, forwarded, x-forwarded-proto, x-forwarded-host'],
    ['the request id', 'x-request-id, traceparent'],
    ['connection itself', 'connection'],
    ['keep-alive and close', 'keep-alive, close-not, x'],
    ['with commas alone', ',,,'],
    ['an invalid name', 'a b, c:d'],
    ['eight thousand options', Array.from({ length: 1_600 }, (_, index) => `x${index % 100}`).join(',')],
  ] satisfies [string, string][]
).map(([name, options]) => ({
  family: 'connection options',
  name,
  bytes: ({ topic }) =>
    `${post(topic, `authorization: Bearer x\r\ncookie: a=b\r\nconnection: ${options}\r\ncontent-length: ${RECORD.length}\r\n`)}${RECORD}`,
  expected: 'served',
}));

const OTHER_OPTIONS: readonly HostileCase[] = [
  {
    family: 'connection options',
    name: 'close, and a request behind it',
    bytes: ({ topic }) => get(topic, 'connection: close\r\n'),
    expected: 'served',
  },
  {
    family: 'connection options',
    name: 'close in a list, and a request behind it',
    bytes: ({ topic }) => get(topic, 'connection: x, CLOSE\r\n'),
    expected: 'served',
  },
  {
    family: 'connection options',
    name: 'HTTP/1.0, and a request behind it',
    bytes: ({ topic }) => get(topic, '', 'HTTP/1.0'),
    expected: 'served',
  },
  {
    family: 'connection options',
    name: 'the content type',
    bytes: ({ topic }) => `${post(topic, `connection: content-type\r\ncontent-length: ${RECORD.length}\r\n`)}${RECORD}`,
    expected: 'served',
  },
];

const EXPECTATIONS: readonly HostileCase[] = (
  [
    ['an unknown one', 'expect: tea\r\n', 'served'],
    ['two', 'expect: 100-continue, tea\r\n', 'served'],
    ['an empty one', 'expect:\r\n', 'served'],
    ['100-continue without a body', 'expect: 100-continue\r\n', 'served'],
  ] satisfies [string, string, Expected][]
).map(([name, lines, expected]) => ({
  family: 'expectations',
  name,
  bytes: ({ topic }) => get(topic, lines),
  expected,
}));

const MORE_EXPECTATIONS: readonly HostileCase[] = [
  {
    family: 'expectations',
    name: '100-continue, and the body without waiting',
    bytes: ({ topic }) => `${post(topic, `expect: 100-continue\r\ncontent-length: ${RECORD.length}\r\n`)}${RECORD}`,
    expected: 'served',
  },
  {
    family: 'expectations',
    name: '100-continue of HTTP/1.0',
    bytes: ({ topic }) =>
      `${post(topic, `expect: 100-continue\r\ncontent-length: ${RECORD.length}\r\n`, 'HTTP/1.0')}${RECORD}`,
    expected: 'served',
  },
  {
    family: 'expectations',
    name: 'a body that is a request, to nowhere, without waiting',
    bytes: ({ inner }) =>
      `POST /nowhere HTTP/1.1\r\n${HOST}expect: 100-continue\r\ncontent-length: ${inner.length}\r\n\r\n${inner}`,
    expected: 'served',
  },
  {
    family: 'expectations',
    name: 'a body that is a request, with an unknown expectation',
    bytes: ({ topic, inner }) => post(topic, `expect: tea\r\ncontent-length: ${inner.length}\r\n`) + inner,
    expected: 'served',
  },
];

/** Requests that are answered before their body is read: the body is never a request. */
const UNREAD: readonly HostileCase[] = (
  [
    ['to nowhere', 'POST /nowhere', 404],
    ['to the health check', 'GET /healthy', 200],
    ['to the readiness check', 'GET /ready', 200],
    ['with a wrong method', 'PUT /topics/{topic}', 405],
    ['to a bad URL', 'POST /topics/%zz', 400],
    ['to an unknown consumer', 'POST /consumers/hostile/instances/none/offsets', 404],
    ['of HEAD', 'HEAD /topics/{topic}', 200],
    ['of OPTIONS', 'OPTIONS *', 204],
    ['of TRACE', 'TRACE /topics/{topic}', 405],
    ['with an unknown content type', 'POST /topics/{topic}', 415],
  ] satisfies [string, string, number][]
).flatMap(([name, start, status]) =>
  [false, true].map((isChunked): HostileCase => {
    const unknownType = status === 415 ? 'content-type: text/html\r\n' : '';
    return {
      family: 'unread bodies',
      name: `${name}, ${isChunked ? 'in chunks' : 'with a length'}`,
      bytes: ({ inner, topic }) => {
        const head = `${start.replace('{topic}', topic)} HTTP/1.1\r\n${HOST}${unknownType}`;
        return isChunked
          ? `${head}transfer-encoding: chunked\r\n\r\n${inner.length.toString(16)}\r\n${inner}\r\n0\r\n\r\n`
          : `${head}content-length: ${inner.length}\r\n\r\n${inner}`;
      },
      expected: 'served',
      isHead: start.startsWith('HEAD'),
    };
  }),
);

/** Targets and hosts that name another place than they seem to. */
const TARGETS: readonly HostileCase[] = (
  [
    [
      'a URL with another host than Host',
      (t) => `GET http://other.example/topics/${t} HTTP/1.1\r\n${HOST}\r\n`,
      'served',
    ],
    ['a URL of another scheme', (t) => `GET ftp://h/topics/${t} HTTP/1.1\r\n${HOST}\r\n`, 'refused'],
    ['a URL with user information', (t) => `GET http://a:b@h/topics/${t} HTTP/1.1\r\n${HOST}\r\n`, 'refused'],
    ['a URL with a port beyond 65535', (t) => `GET http://h:99999/topics/${t} HTTP/1.1\r\n${HOST}\r\n`, 'refused'],
    ['a URL with a backslash', (t) => `GET http://h\\@evil.example/topics/${t} HTTP/1.1\r\n${HOST}\r\n`, 'refused'],
    ['a URL in a path', () => `GET /http://evil.example/ HTTP/1.1\r\n${HOST}\r\n`, 'served'],
    ['a host in a path', () => `GET //evil.example/topics HTTP/1.1\r\n${HOST}\r\n`, 'served'],
    ['a host behind an at sign', () => `GET @evil.example/ HTTP/1.1\r\n${HOST}\r\n`, 'refused'],
    ['a target without a slash', (t) => `GET topics/${t} HTTP/1.1\r\n${HOST}\r\n`, 'refused'],
    ['a fragment', (t) => `GET /topics/${t}#a HTTP/1.1\r\n${HOST}\r\n`, 'refused'],
    ['an asterisk of GET', () => `GET * HTTP/1.1\r\n${HOST}\r\n`, 'refused'],
    ['a tunnel', () => `CONNECT evil.example:443 HTTP/1.1\r\n${HOST}\r\n`, 'refused'],
    ['no host', (t) => `GET /topics/${t} HTTP/1.1\r\n\r\n`, 'refused'],
    ['an empty host', (t) => `GET /topics/${t} HTTP/1.1\r\nhost:\r\n\r\n`, 'refused'],
    ['a host that is a path', (t) => `GET /topics/${t} HTTP/1.1\r\nhost: /topics\r\n\r\n`, 'refused'],
    ['a host with user information', (t) => `GET /topics/${t} HTTP/1.1\r\nhost: a@b\r\n\r\n`, 'refused'],
    ['a host that is a list', (t) => `GET /topics/${t} HTTP/1.1\r\nhost: a, b\r\n\r\n`, 'refused'],
    ['a host with a header in an escape', (t) => `GET /topics/${t} HTTP/1.1\r\nhost: a%0d%0ax:%20y\r\n\r\n`, 'refused'],
    [
      'another forwarded host',
      (t) => get(t, 'x-forwarded-host: evil.example\r\nx-host: evil.example\r\nforwarded: host=evil.example\r\n'),
      'served',
    ],
    [
      'another path in a header',
      (t) => get(t, 'x-original-url: /admin/topics\r\nx-rewrite-url: /admin/topics\r\n'),
      'served',
    ],
    [
      'another method in a header',
      (t) => get(t, 'x-http-method-override: DELETE\r\nx-http-method: DELETE\r\nx-method-override: DELETE\r\n'),
      'served',
    ],
    ['a line end in an escape', (t) => `GET /topics/${t}%0d%0aHost:%20evil HTTP/1.1\r\n${HOST}\r\n`, 'served'],
    [
      'a request in an escape',
      (t) => `GET /topics/${t}%20HTTP/1.1%0d%0a%0d%0aGET%20/ HTTP/1.1\r\n${HOST}\r\n`,
      'served',
    ],
    ['NUL in an escape', (t) => `GET /topics/${t}%00 HTTP/1.1\r\n${HOST}\r\n`, 'served'],
    ['a slash in an escape', (t) => `GET /topics%2f${t} HTTP/1.1\r\n${HOST}\r\n`, 'served'],
    ['a slash in two escapes', (t) => `GET /topics%252f${t} HTTP/1.1\r\n${HOST}\r\n`, 'served'],
    ['dots in an escape', (t) => `GET /topics/x/%2e%2e/${t} HTTP/1.1\r\n${HOST}\r\n`, 'served'],
    ['dots in two escapes', (t) => `GET /topics/x/%252e%252e/${t} HTTP/1.1\r\n${HOST}\r\n`, 'served'],
    ['dots above the root', (t) => `GET /../../topics/${t} HTTP/1.1\r\n${HOST}\r\n`, 'served'],
    ['dots and a slash in escapes', (t) => `GET /topics/x%2f..%2f${t} HTTP/1.1\r\n${HOST}\r\n`, 'served'],
    ['dots with a semicolon', (t) => `GET /topics/x/..;/${t} HTTP/1.1\r\n${HOST}\r\n`, 'served'],
    ['a parameter of a segment', (t) => `GET /topics;a=b/${t} HTTP/1.1\r\n${HOST}\r\n`, 'served'],
    ['a backslash', (t) => `GET /topics\\${t} HTTP/1.1\r\n${HOST}\r\n`, 'served'],
    ['a backslash in an escape', (t) => `GET /topics%5c${t} HTTP/1.1\r\n${HOST}\r\n`, 'served'],
    ['dots and backslashes', (t) => `GET /topics/x\\..\\${t} HTTP/1.1\r\n${HOST}\r\n`, 'served'],
    ['an overlong slash', (t) => `GET /topics%c0%af${t} HTTP/1.1\r\n${HOST}\r\n`, 'refused'],
    ['overlong dots', (t) => `GET /topics/x/%c0%ae%c0%ae/${t} HTTP/1.1\r\n${HOST}\r\n`, 'refused'],
    ['half of a surrogate', (t) => `GET /topics/${t}%ed%a0%80 HTTP/1.1\r\n${HOST}\r\n`, 'refused'],
    ['bytes above ASCII', (t) => `GET /topics/${t}\xe9 HTTP/1.1\r\n${HOST}\r\n`, 'refused'],
    ['a full-width slash', (t) => `GET /topics\xef\xbc\x8f${t} HTTP/1.1\r\n${HOST}\r\n`, 'refused'],
    ['two slashes', (t) => `GET //topics//${t} HTTP/1.1\r\n${HOST}\r\n`, 'served'],
    ['two question marks', (t) => `GET /topics/${t}??a=b HTTP/1.1\r\n${HOST}\r\n`, 'served'],
    ['a question mark in an escape', (t) => `GET /topics/${t}%3fa=b HTTP/1.1\r\n${HOST}\r\n`, 'served'],
    ['a number sign in an escape', (t) => `GET /topics/${t}%23 HTTP/1.1\r\n${HOST}\r\n`, 'served'],
    ['a percent sign that ends the target', (t) => `GET /topics/${t}% HTTP/1.1\r\n${HOST}\r\n`, 'refused'],
    ['an escape of IIS', (t) => `GET /topics/${t}%u002f HTTP/1.1\r\n${HOST}\r\n`, 'refused'],
    ['the metrics of a bridge', () => `GET /metrics HTTP/1.1\r\n${HOST}x-forwarded-for: 127.0.0.1\r\n\r\n`, 'served'],
    [
      'the sessions of a bridge',
      () => `GET /causeway-sessions HTTP/1.1\r\n${HOST}causeway-gateway: tier1\r\n\r\n`,
      'served',
    ],
    [
      'the sessions of a bridge, written oddly',
      () => `GET //%63auseway-sessions/x/.. HTTP/1.1\r\n${HOST}causeway-secret: x\r\n\r\n`,
      'served',
    ],
    ['a target of 10 kB', (t) => `GET /topics/${t}?${'a'.repeat(10_000)} HTTP/1.1\r\n${HOST}\r\n`, 'refused'],
    ['a target of 60 kB', (t) => `GET /topics/${t}?${'a'.repeat(60_000)} HTTP/1.1\r\n${HOST}\r\n`, 'refused'],
    ['a value of 60 kB', (t) => get(t, `x: ${'a'.repeat(60_000)}\r\n`), 'refused'],
    ['empty lines before the request', (t) => `\r\n\r\n${get(t, '')}`, 'served'],
  ] satisfies [string, (topic: string) => string, Expected][]
).map(([name, bytes, expected]) => ({
  family: 'targets and hosts',
  name,
  bytes: ({ topic }) => bytes(topic),
  expected,
}));

export const PASSING_ON: readonly HostileCase[] = [
  ...OPTIONS,
  ...OTHER_OPTIONS,
  ...EXPECTATIONS,
  ...MORE_EXPECTATIONS,
  ...UNREAD,
  ...TARGETS,
];
