import { describe, expect, test } from 'vitest';
import { instancePath, OPERATIONS, parseUrl, queryParameter } from './paths.ts';

describe('every operation is recognised by its method and path', () => {
  test.each(OPERATIONS)('$method $path is $operation', ({ operation, method, path }) => {
    const target = path
      .replace(':topic', 't')
      .replace(':partition', '0')
      .replace(':group', 'g')
      .replace(':instance', 'i');
    expect(parseUrl(method, target)).toEqual({
      operation,
      group: path.includes(':group') ? 'g' : undefined,
      instance: path.includes(':instance') ? 'i' : undefined,
      topic: path.includes(':topic') ? 't' : undefined,
    });
    expect(parseUrl('PATCH', target).operation).toBe('unknown');
    if (path !== '/') expect(parseUrl(method, `/${target}/?x=/consumers/g`).operation).toBe(operation);
    expect(parseUrl(method, `${target}/more/of/it`).operation).toBe('unknown');
  });
});

test.each([
  ['GET', '/nothing'],
  ['POST', '/consumers/'],
  ['GET', '/consumers/g/instances'],
  ['GET', '/consumers/g/somewhere/i/records'],
  ['GET', '/topics/%zz'],
  ['POST', '/consumers/g/instances/i/positions/middle'],
  ['GET', '/__proto__'],
  ['toString', '/consumers/g/instances/i/records'],
])('%s %s is unknown', (method, target) => {
  expect(parseUrl(method, target).operation).toBe('unknown');
});

test('names are decoded, dot segments resolved, and an encoded slash stays inside its segment', () => {
  expect(parseUrl('GET', '/x/../topics/./a%2Fb%20c')).toMatchObject({ operation: 'getTopic', topic: 'a/b c' });
  expect(parseUrl('GET', '/topics/a/%2e%2E/b')).toMatchObject({ operation: 'getTopic', topic: 'b' });
  expect(parseUrl('GET', `${instancePath('g/1', 'ü ?')}/records`)).toMatchObject({
    operation: 'poll',
    group: 'g/1',
    instance: 'ü ?',
  });
});

test('query names are case-insensitive and the first value wins', () => {
  expect(queryParameter('/x?a=1&TimeOut=5&timeout=6', 'timeout')).toBe('5');
  expect(queryParameter('/x?a=1', 'timeout')).toBeUndefined();
  expect(queryParameter('/x', 'timeout')).toBeUndefined();
});
