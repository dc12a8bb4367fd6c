import { describe, expect, test } from 'vitest';
import { baseUri } from './base-uri.ts';

function of(headers: Record<string, string>, path = '/consumers/g'): string {
  return baseUri({ headers: { host: 'bridge:8080', ...headers }, isForwarded: true, path, scheme: 'http' }, 'c 1');
}

describe('the address that the client used', () => {
  test.each([
    [{}, 'http://bridge:8080/consumers/g/instances/c 1'],
    [{ host: 'example.com' }, 'http://example.com:80/consumers/g/instances/c 1'],
    [{ host: '[::1]:9' }, 'http://[::1]:9/consumers/g/instances/c 1'],
    [
      { 'x-forwarded-host': 'api.example', 'x-forwarded-proto': 'https' },
      'https://api.example:443/consumers/g/instances/c 1',
    ],
    [
      { 'x-forwarded-host': 'api.example:8443, inner:1', 'x-forwarded-proto': 'https, http' },
      'https://api.example:8443/consumers/g/instances/c 1',
    ],
    [{ 'x-forwarded-host': 'api.example' }, 'http://bridge:8080/consumers/g/instances/c 1'],
    [{ forwarded: 'for=1.2.3.4;host=front;proto=https' }, 'https://front:443/consumers/g/instances/c 1'],
    [{ forwarded: 'Host="front:7";Proto=http, host=inner;proto=https' }, 'http://front:7/consumers/g/instances/c 1'],
    [{ forwarded: 'for="[2001:db8::1]:4711" ; proto=http ; host=front' }, 'http://front:80/consumers/g/instances/c 1'],
    // Incomplete, and yet the other headers do not count.
    [
      { forwarded: 'host=front', 'x-forwarded-host': 'other', 'x-forwarded-proto': 'https' },
      'http://bridge:8080/consumers/g/instances/c 1',
    ],
    [{ 'x-forwarded-path': '/kafka/consumers/g' }, 'http://bridge:8080/kafka/consumers/g/instances/c 1'],
    [{ 'x-forwarded-path': '' }, 'http://bridge:8080/consumers/g/instances/c 1'],
  ] as [Record<string, string>, string][])('%j', (headers, expected) => {
    expect(of(headers)).toBe(expected);
  });

  test('the path stays as it was received', () => {
    expect(of({}, '/consumers/a%2Fb')).toBe('http://bridge:8080/consumers/a%2Fb/instances/c 1');
  });

  test('a scheme without a port of its own is refused', () => {
    expect(() => of({ 'x-forwarded-host': 'h', 'x-forwarded-proto': 'mqtt' })).toThrow(
      'mqtt is not a valid schema/proto.',
    );
  });
});
