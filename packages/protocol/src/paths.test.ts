import { describe, expect, test } from 'vitest';
import { ODD_PATHS } from '../../../test/harness/odd-paths.ts';
import { INTERNAL_OPERATIONS, OPERATIONS } from './operations/table.ts';
import { allowedMethods, instancePath, parseUrl, queryParameter } from './paths.ts';

const NO_NAMES = { group: undefined, instance: undefined, topic: undefined, partition: undefined };
const NAMES = { group: 'g', instance: 'i', topic: 't', partition: '0' };

/** A target for a template, and the names in it. */
function filled(template: string): { target: string; names: Record<string, string | undefined> } {
  const names: Record<string, string | undefined> = { ...NO_NAMES };
  const target = template.replaceAll(/\{(\w+)\}/g, (_, name: keyof typeof NAMES) => {
    names[name] = NAMES[name];
    return NAMES[name];
  });
  return { target, names };
}

describe('every operation is recognised by its method and path', () => {
  test.each(OPERATIONS)('$operation', ({ operation, method, path }) => {
    const { target, names } = filled(path);
    expect(parseUrl(method, target)).toEqual({ operation, internal: undefined, ...names });
    expect(parseUrl(method, `/${target}/?x=/consumers/g`)).toEqual({ operation, internal: undefined, ...names });
    expect(parseUrl(method, `${target}/more/of/it`).operation).toBe('unknown');
    expect(parseUrl('PATCH', target).operation).toBe('unknown');
    expect(allowedMethods(target)).toContain(method);
    // HEAD is GET, and nothing else.
    expect(parseUrl('HEAD', target).operation).toBe(parseUrl('GET', target).operation);
  });

  test.each(INTERNAL_OPERATIONS)('$internal, which is not an operation of the API', ({ internal, method, path }) => {
    const { target, names } = filled(path);
    expect(parseUrl(method, target)).toEqual({ operation: 'unknown', internal, ...names });
    for (const other of ['GET', 'HEAD', 'POST', 'DELETE'].filter((candidate) => candidate !== method)) {
      expect(parseUrl(other, target)).toEqual({ operation: 'unknown', internal: undefined, ...names });
    }
    expect(allowedMethods(target)).toEqual([]);
  });
});

const READ = ODD_PATHS.map(([method, target, meaning, names]) => ({ method, target, meaning, names }));

test.each(READ.filter(({ meaning }) => meaning !== 400))('$method $target is $meaning', (read) => {
  const { internal: _, ...parsed } = parseUrl(read.method, read.target);
  expect(parsed).toEqual({ ...NO_NAMES, operation: read.meaning, ...read.names });
});

test.each(['/topics/%zz', '/topics/%', '/topics/%FF'])('%s has an invalid escape and is unknown', (target) => {
  expect(parseUrl('GET', target)).toEqual({ ...NO_NAMES, operation: 'unknown', internal: undefined });
});

test('a property name of objects is not a method', () => {
  expect(parseUrl('toString', '/consumers/g/instances/i/records').operation).toBe('unknown');
  expect(parseUrl('get', '/healthy').operation).toBe('unknown');
});

test('the methods of a path come in a fixed order, and only those that are served', () => {
  expect(allowedMethods('/topics/t')).toEqual(['GET', 'HEAD', 'POST']);
  expect(allowedMethods('/consumers/g/instances/i/subscription?x')).toEqual(['GET', 'HEAD', 'POST', 'DELETE']);
  expect(allowedMethods('/topics/t', (operation) => operation === 'send')).toEqual(['POST']);
  expect(allowedMethods('/nothing')).toEqual([]);
});

test('the path of an instance is read back, whatever its names', () => {
  for (const [group, instance] of [
    ['g/1', 'ü ?'],
    ['..a', '%2e'],
    [';#', '😀'],
  ] as const) {
    expect(parseUrl('GET', `${instancePath(group, instance)}/records`)).toMatchObject({ group, instance });
  }
});

test('query names are case-insensitive and the first value wins', () => {
  expect(queryParameter('/x?a=1&TimeOut=5&timeout=6', 'timeout')).toBe('5');
  expect(queryParameter('/x?timeout=5', 'timeout')).toBe('5');
  expect(queryParameter('/x?timeout', 'timeout')).toBe('');
  expect(queryParameter('/x?a=1', 'timeout')).toBeUndefined();
  // This is a path, not a query.
  expect(queryParameter('timeout=5', 'timeout')).toBeUndefined();
  expect(queryParameter('/x', 'timeout')).toBeUndefined();
});
