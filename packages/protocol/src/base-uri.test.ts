import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { baseUri, nameProblem } from './base-uri.ts';
import { parseUrl } from './paths.ts';

function of(headers: Record<string, string>, identity: Partial<{ group: string; name: string }> = {}): string {
  const { host = 'bridge:8080' } = headers;
  return baseUri({ headers, host, isForwarded: true, scheme: 'http' }, { group: 'g', name: 'c 1', ...identity });
}

describe('the address that the client used', () => {
  test.each([
    [{}, 'http://bridge:8080/consumers/g/instances/c%201'],
    [{ host: 'example.com' }, 'http://example.com:80/consumers/g/instances/c%201'],
    [{ host: '[::1]:9' }, 'http://[::1]:9/consumers/g/instances/c%201'],
    [
      { 'x-forwarded-host': 'api.example', 'x-forwarded-proto': 'https' },
      'https://api.example:443/consumers/g/instances/c%201',
    ],
    [
      { 'x-forwarded-host': 'api.example:8443, inner:1', 'x-forwarded-proto': 'https, http' },
      'https://api.example:8443/consumers/g/instances/c%201',
    ],
    [{ 'x-forwarded-host': 'api.example' }, 'http://bridge:8080/consumers/g/instances/c%201'],
    [{ forwarded: 'for=1.2.3.4;host=front;proto=https' }, 'https://front:443/consumers/g/instances/c%201'],
    [{ forwarded: 'Host="front:7";Proto=http, host=inner;proto=https' }, 'http://front:7/consumers/g/instances/c%201'],
    [
      { forwarded: 'for="[2001:db8::1]:4711" ; proto=http ; host=front' },
      'http://front:80/consumers/g/instances/c%201',
    ],
    // Incomplete, and yet the other headers do not count.
    [
      { forwarded: 'host=front', 'x-forwarded-host': 'other', 'x-forwarded-proto': 'https' },
      'http://bridge:8080/consumers/g/instances/c%201',
    ],
    [{ 'x-forwarded-path': '/kafka/consumers/g' }, 'http://bridge:8080/kafka/consumers/g/instances/c%201'],
    [{ 'x-forwarded-path': '' }, 'http://bridge:8080/consumers/g/instances/c%201'],
  ] as [Record<string, string>, string][])('%j', (headers, expected) => {
    expect(of(headers)).toBe(expected);
  });

  test.each([
    [
      "AWS's load balancer",
      { host: 'api.example', 'x-forwarded-proto': 'https', 'x-forwarded-port': '443' },
      'https://api.example:443',
    ],
    [
      'a proxy on another port',
      { host: 'api.example', 'x-forwarded-proto': 'https', 'x-forwarded-port': '8443' },
      'https://api.example:8443',
    ],
    ['a scheme alone', { host: 'api.example', 'x-forwarded-proto': 'https' }, 'https://api.example:443'],
    [
      'a host with a port',
      { 'x-forwarded-host': 'a:1', 'x-forwarded-proto': 'https', 'x-forwarded-port': '2' },
      'https://a:1',
    ],
    ['IPv6', { 'x-forwarded-host': '[::1]', 'x-forwarded-proto': 'https', 'x-forwarded-port': '2' }, 'https://[::1]:2'],
    ['no port', { 'x-forwarded-host': 'a', 'x-forwarded-proto': 'http', 'x-forwarded-port': 'x' }, 'http://a:80'],
    ['a port alone', { host: 'api.example', 'x-forwarded-port': '443' }, 'http://api.example:80'],
  ] as [string, Record<string, string>, string][])('%s: %j', (_, headers, origin) => {
    expect(of(headers)).toBe(`${origin}/consumers/g/instances/c%201`);
  });

  test.each([
    [{ 'x-forwarded-prefix': '/kafka' }, '/kafka/consumers/g'],
    [{ 'x-forwarded-prefix': 'kafka/v1/' }, '/kafka/v1/consumers/g'],
    [{ 'x-forwarded-prefix': '/' }, '/consumers/g'],
    [{ 'x-forwarded-prefix': '/a, /b' }, '/a/consumers/g'],
    [{ 'x-forwarded-prefix': '/kafka', 'x-forwarded-path': '/other/consumers/g/' }, '/other/consumers/g'],
    [{ 'x-forwarded-path': '/kafka/consumers/g//' }, '/kafka/consumers/g'],
  ] as [Record<string, string>, string][])('a path in front, %j', (headers, path) => {
    expect(of(headers)).toBe(`http://bridge:8080${path}/instances/c%201`);
  });

  test('of strangers, no header counts', () => {
    const headers = {
      forwarded: 'host=e;proto=https',
      'x-forwarded-host': 'e',
      'x-forwarded-proto': 'https',
      'x-forwarded-prefix': '/e',
      'x-forwarded-path': '/e',
    };
    const request = { headers, host: 'own:1', isForwarded: false, scheme: 'http' } as const;
    expect(baseUri(request, { group: 'g', name: 'c' })).toBe('http://own:1/consumers/g/instances/c');
  });

  test('every segment is percent-encoded, and a URL parser leaves it as it is', () => {
    const segment = fc.string({ unit: 'binary', minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(segment, segment, (group, name) => {
        fc.pre(
          nameProblem({ group: 'g', name }) === undefined && nameProblem({ group: 'g', name: group }) === undefined,
        );
        const uri = of({}, { group, name });
        expect(new URL(uri).href).toBe(uri);
        const parsed = parseUrl('GET', `${new URL(uri).pathname}/records`);
        expect(parsed).toMatchObject({ operation: 'poll', group, instance: name });
      }),
      { seed: 7, numRuns: 500 },
    );
  });

  test('a scheme without a port of its own is refused', () => {
    expect(() => of({ 'x-forwarded-host': 'h', 'x-forwarded-proto': 'mqtt' })).toThrow(
      'mqtt is not a valid schema/proto.',
    );
  });
});

test.each([
  ['', /empty/],
  ['.', /another path/],
  ['..', /another path/],
  ['\ud800', /well-formed/],
  ['x'.repeat(3600), /its path would have 3623 bytes/],
  ['ü'.repeat(600), /too long/],
])('no URL names a consumer %#', (name, reason) => {
  expect(nameProblem({ group: 'g', name })).toMatch(reason);
});

test.each([
  '...',
  '.a',
  'a/b',
  'a?b',
  '#',
  '%2F',
  '%',
  '..%2F',
  ' ',
  '\0',
  'ü',
  '😀',
  '%2e%2e',
  'records',
  'x'.repeat(1024),
])('a URL can name a consumer %#', (name) => {
  expect(nameProblem({ group: 'g', name })).toBeUndefined();
});
