/** Request heads as bytes, to a bridge and through two gateways: which are refused, with which status, and which are accepted. */
import { OPERATIONS } from '@causeway/protocol/operations/table.ts';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { bridgeOfFile } from './harness/bridge.ts';
import { regions, startGateway } from './harness/gateway.ts';
import { unique } from './harness/kafka-view.ts';
import { answersOf, HOST, raw, rawHalfClosed } from './harness/raw.ts';

const bridge = await bridgeOfFile();
const regional = await startGateway({
  gateway: { name: 'east', region: 'east' },
  regions: regions({ east: bridge.url }),
});
const tier1 = await startGateway({ regions: regions({ east: regional.url }) });
afterAll(async () => {
  await tier1.close();
  await regional.close();
});

const PORTS = { bridge: bridge.bridge.port, tier1: Number(new URL(tier1.url).port) };
const PROGRAMS = ['bridge', 'tier1'] as const;
const CLOSE = 'connection: close\r\n';
const LIMIT = { url: 4_096, header: 16_384 };

/** A complete request without a body. */
function get(target: string, headers = HOST): string {
  return `GET ${target} HTTP/1.1\r\n${headers}${CLOSE}\r\n`;
}

describe.each(PROGRAMS)('%s', (program) => {
  const port = PORTS[program];

  test.each<[string, string, number]>([
    ['two hosts', get('/healthy', `${HOST}host: h\r\n`), 400],
    ['two hosts that differ', get('/healthy', `${HOST}HOST: i\r\n`), 400],
    ['two hosts, one of them empty', get('/healthy', `host:\r\n${HOST}`), 400],
    ['no host', get('/healthy', ''), 400],
    ['an empty host', get('/healthy', 'host:\r\n'), 400],
    ...[
      'a b',
      'a/b',
      'a:99999',
      'a:65536',
      'u@h',
      '@h',
      'a:b',
      'a:1:2',
      ':80',
      '[::1',
      '::1',
      '[::g]',
      '[]',
      '[1.2.3.4]',
    ].map((host): [string, string, number] => [`the host ${host}`, get('/healthy', `host: ${host}\r\n`), 400]),
    ...[
      'a?b',
      'a#b',
      'a\\b',
      'a,b c',
      'a%zz',
      'a%',
      '"a"',
      '<a>',
      'a|b',
      '{a}',
      'a^b',
      'a\xe9',
      '[fe80::1%25eth0]',
      'h'.repeat(300),
    ].map((host): [string, string, number] => [`the host ${host}`, get('/healthy', `host: ${host}\r\n`), 400]),
    ['a URL with user information', get('http://u:p@h/healthy'), 400],
    ['a URL without a host', get('http:///healthy'), 400],
    ['a URL of another scheme', get('ftp://h/healthy'), 400],
    ['a URL with a bad port', get('http://h:99999/healthy'), 400],
    ['an asterisk of GET', get('*'), 400],
    ['an authority of GET', get('h:80'), 400],
    ['a target without a slash', get('healthy'), 400],
    ['a fragment', get('/healthy#a'), 400],
    ['a tunnel', `CONNECT h:80 HTTP/1.1\r\n${HOST}\r\n`, 501],
    ['a tunnel to a path', `CONNECT /healthy HTTP/1.1\r\n${HOST}\r\n`, 501],
    ...[
      '/topics?%zz',
      '/topics?a=%',
      '/topics?a=%4',
      '/topics?%',
      '/topics?a=%ff',
      '/topics/%zz',
      '/topics/%',
      '/topics/%c3',
      '/%',
    ].map((target): [string, string, number] => [`the target ${target}`, get(target), 400]),
    ...['0.9', '1.2', '1.9', '2.0', '3.0', '9.9', '2', '3', '10.1'].map((version): [string, string, number] => [
      `HTTP/${version}`,
      `GET /healthy HTTP/${version}\r\n${HOST}${CLOSE}\r\n`,
      505,
    ]),
    ["HTTP/2's preface", 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 505],
    ['no version', 'GET /healthy\r\n\r\n', 505],
    ...['FOO', 'TOPICS', 'get', 'Post', 'DESCRIBE', 'X-Y_Z', 'GETT'].map((method): [string, string, number] => [
      `the method ${method}`,
      `${method} /topics HTTP/1.1\r\n${HOST}${CLOSE}\r\n`,
      501,
    ]),
    ...['PUT', 'PATCH', 'DELETE', 'PROPFIND', 'MKCOL', 'TRACE', 'LOCK', 'PURGE', 'QUERY', 'SEARCH', 'OPTIONS'].map(
      (method): [string, string, number] => [
        `the method ${method}`,
        `${method} /topics HTTP/1.1\r\n${HOST}${CLOSE}\r\n`,
        405,
      ],
    ),
    ['junk', 'HELLO\r\n\r\n', 400],
    ['TLS', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', 400],
    ['a URL beyond the limit', get(`/topics/${'a'.repeat(LIMIT.url)}`), 414],
    ['a URL far beyond the limit', get(`/topics/${'a'.repeat(60_000)}`), 414],
    ['headers beyond the limit', get('/healthy', `${HOST}x: ${'a'.repeat(LIMIT.header)}\r\n`), 431],
    ['headers far beyond the limit', get('/healthy', `${HOST}x: ${'a'.repeat(60_000)}\r\n`), 431],
    ['many headers', get('/healthy', HOST + 'a: b\r\n'.repeat(9_000)), 431],
    // Another server could parse these as two requests.
    ...[
      'content-length: 5\r\ncontent-length: 6\r\n',
      'content-length: 5\r\ntransfer-encoding: chunked\r\n',
      'transfer-encoding: chunked\r\ncontent-length: 5\r\n',
      'content-length: +5\r\n',
      'content-length: 5, 5\r\n',
      'content-length: 0x5\r\n',
      'content-length: -1\r\n',
      'content-length:\r\n',
      'transfer-encoding: chunked, identity\r\n',
      'transfer-encoding: xchunked\r\n',
      'transfer-encoding : chunked\r\n',
      ' transfer-encoding: chunked\r\n',
      'x: y\n',
      'x: \0\r\n',
      'x\r\n',
      ': x\r\n',
    ].map((lines): [string, string, number] => [
      JSON.stringify(lines),
      `POST /consumers/g HTTP/1.1\r\n${HOST}${CLOSE}${lines}\r\n0\r\n\r\n`,
      400,
    ]),
  ])('%s is refused with an error of the API', async (_, request, status) => {
    const [answer, ...others] = answersOf(await raw(port, request));
    expect(others).toEqual([]);
    expect(answer?.headers).toMatchObject({ 'content-type': 'application/vnd.kafka.v2+json' });
    expect(answer?.headers['connection']?.toLowerCase()).toBe('close');
    expect({ status: answer?.status, ...JSON.parse(answer?.body ?? '') }).toEqual({
      status,
      error_code: status,
      message: expect.stringMatching(/.{20,}\.$/),
    });
    if (status === 405 || status === 501) expect(answer?.headers['allow']).toContain('GET');
  });

  test.each<[string, string]>([
    ...[
      'h',
      'h:1',
      'h:65535',
      'h:',
      'a.b-c_d~e',
      '127.0.0.1:80',
      '[::1]',
      '[::1]:8080',
      '[::ffff:1.2.3.4]',
      'a%20b',
      "!$&'()*+,;=",
      '[v1.a:b]',
      'x'.repeat(255),
    ].map((host): [string, string] => [`the host ${host}`, get('/healthy', `host: ${host}\r\n`)]),
    ['a whole URL', get('http://h/healthy')],
    ['a whole URL in capitals', get('HTTP://H:80/healthy?a=b')],
    ['HTTP/1.0 without a host', 'GET /healthy HTTP/1.0\r\n\r\n'],
    ['HTTP/1.0 with an empty host', 'GET /healthy HTTP/1.0\r\nhost:\r\n\r\n'],
    ['percent signs', get('/healthy?a=%25&b=%C3%A9&c=%20+%2B')],
    ['empty lines before it', `\r\n\r\n${get('/healthy')}`],
    ['methods of the server', `OPTIONS * HTTP/1.1\r\n${HOST}${CLOSE}\r\n`],
    ['methods of the server, without a host to name', `OPTIONS * HTTP/1.1\r\nhost:\r\n${CLOSE}\r\n`],
  ])('%s is accepted', async (_, request) => {
    const [answer, ...others] = answersOf(await raw(port, request));
    expect(others).toEqual([]);
    expect([200, 204]).toContain(answer?.status);
  });

  test.each([
    ['POST', `http://other:81/consumers/g`, 'HTTP/1.1', HOST, 'http://other:81/consumers/g/instances/'],
    ['POST', `http://other/consumers/g`, 'HTTP/1.1', HOST, 'http://other:80/consumers/g/instances/'],
    ['POST', `http://[::1]:81/consumers/g`, 'HTTP/1.1', 'host:\r\n', 'http://[::1]:81/consumers/g/instances/'],
    ['POST', '/consumers/g', 'HTTP/1.1', 'host: h:\r\n', 'http://h:80/consumers/g/instances/'],
    ['POST', '/consumers/g', 'HTTP/1.0', '', `http://127.0.0.1:${port}/consumers/g/instances/`],
  ])('%s %s %s with %j gets a base_uri at the requested host', async (method, target, version, host, baseUri) => {
    const text = await raw(port, `${method} ${target} ${version}\r\n${host}${CLOSE}content-length: 0\r\n\r\n`);
    expect(JSON.parse(answersOf(text)[0]?.body ?? '')).toMatchObject({ base_uri: expect.stringContaining(baseUri) });
    expect(JSON.parse(answersOf(text)[0]?.body ?? '').base_uri.startsWith(baseUri)).toBe(true);
  });

  test('HEAD has the status and the headers of GET, for every operation with GET', async () => {
    const { path } = await bridge.consumer(unique('heads'), program, ['heads']);
    for (const { operation, path: template } of OPERATIONS.filter(({ method }) => method === 'GET')) {
      const target = template
        .replace('/consumers/{group}/instances/{instance}', path)
        .replace('{topic}', 'heads')
        .replace('{partition}', '0');
      const [got] = answersOf(await raw(port, get(target)));
      const [head, ...others] = answersOf(await raw(port, get(target).replace('GET', 'HEAD')), { isHead: true });
      const seen = { operation, status: got?.status, type: got?.headers['content-type'] };
      expect({ operation, status: head?.status, type: head?.headers['content-type'] }).toEqual(seen);
      expect(others).toEqual([]);
      // The length of a poll and of metrics varies, and that of the list of topics with the topics of other tests.
      if (!['poll', 'metrics', 'listTopics'].includes(operation))
        expect({ operation, length: head?.headers['content-length'] }).toEqual({
          operation,
          length: got?.headers['content-length'],
        });
    }
  });

  test('HEAD for the records of a consumer consumes none', async () => {
    const topic = unique('head');
    await bridge.post('/admin/topics', { topic_name: topic, partitions_count: 1, replication_factor: 1 });
    const consumer = await bridge.consumer(topic, 'c', [topic]);
    await bridge.produce(topic, { records: [{ value: '1' }, { value: '2' }] });
    expect((await consumer.take(2)).map(({ value }) => value)).toEqual(['1', '2']);
    await bridge.produce(topic, { records: [{ value: '3' }] });
    const [head] = answersOf(await raw(port, `HEAD ${consumer.path}/records HTTP/1.1\r\n${HOST}${CLOSE}\r\n`), {
      isHead: true,
    });
    expect(head?.status).toBe(200);
    expect((await consumer.take(1)).map(({ value }) => value)).toEqual(['3']);
  });

  test('a client that half-closes after its request gets the same response', async () => {
    for (const { operation, method, path } of OPERATIONS) {
      const target = path.replaceAll(/\{\w+\}/g, 'half');
      const request = `${method} ${target} HTTP/1.1\r\n${HOST}content-length: 2\r\n`;
      const whole = answersOf(await raw(port, `${request}${CLOSE}\r\n{}`));
      const half = answersOf(await rawHalfClosed(port, `${request}\r\n{}`)).filter(({ status }) => status !== 100);
      expect({ operation, statuses: half.map(({ status }) => status) }).toEqual({
        operation,
        statuses: whole.map(({ status }) => status),
      });
      expect(half).toHaveLength(1);
    }
  });

  test('a client that half-closes while its poll waits gets its records', async () => {
    const topic = unique('half');
    await bridge.post('/admin/topics', { topic_name: topic, partitions_count: 1, replication_factor: 1 });
    const consumer = await bridge.consumer(topic, 'c', [topic]);
    await bridge.produce(topic, { records: [{ value: 'first' }] });
    await consumer.take(1);
    const answer = rawHalfClosed(port, `GET ${consumer.path}/records?timeout=20000 HTTP/1.1\r\n${HOST}\r\n`);
    await bridge.produce(topic, { records: [{ value: 'late' }] });
    const [got] = answersOf(await answer).filter(({ status }) => status !== 100);
    expect(got).toMatchObject({ status: 200, body: expect.stringContaining('"late"') });
  });
});

/** Ways to distribute a size over a request. */
const head = fc.record({
  urlBytes: fc.oneof(fc.integer({ min: 8, max: LIMIT.url }), fc.constant(LIMIT.url)),
  hostBytes: fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 255 }), fc.constant(255)),
  headerCount: fc.integer({ min: 1, max: 200 }),
  shortOfLimit: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 4 }), fc.integer({ min: 0, max: 8_000 })),
});

test('a bridge accepts every head that a tier-1 gateway accepts, up to the limits; one more byte is refused', async () => {
  await fc.assert(
    fc.asyncProperty(head, async ({ urlBytes, hostBytes, headerCount, shortOfLimit }) => {
      const target = `/topics?${'q'.repeat(urlBytes - '/topics?'.length)}`;
      const host = 'h'.repeat(hostBytes);
      const used = target.length + 'host'.length + hostBytes + 'connection'.length + 'close'.length;
      const left = LIMIT.header - used - shortOfLimit;
      const build = (bytes: number): string => {
        const each = Math.max(4, Math.floor(bytes / headerCount));
        const lines: string[] = [];
        let rest = bytes;
        while (rest > 0) {
          const size = rest < each + 4 ? rest : each;
          lines.push(`${'x'.repeat(size > 3 ? 3 : size)}: ${'v'.repeat(Math.max(0, size - 3))}\r\n`);
          rest -= size;
        }
        return get(target, `host: ${host}\r\n${lines.join('')}`);
      };
      const [taken] = answersOf(await raw(PORTS.tier1, build(left)));
      expect({ status: taken?.status, body: taken?.body.slice(0, 1) }).toEqual({ status: 200, body: '[' });
      const [direct] = answersOf(await raw(PORTS.bridge, build(left)));
      expect(direct?.status).toBe(200);
      for (const port of Object.values(PORTS)) {
        const [refused] = answersOf(await raw(port, build(left + shortOfLimit + 1)));
        expect(refused?.status).toBe(431);
        expect(refused?.body).toContain(String(LIMIT.header));
      }
    }),
    { numRuns: 40, seed: 13 },
  );
});
