import { expect, test } from 'vitest';
import { HeaderNames, parseResponseHead } from './response-head.ts';

const parse = (...lines: string[]): ReturnType<typeof parseResponseHead> =>
  parseResponseHead(lines.join('\r\n'), new HeaderNames());

test('status, version and headers are read, names in lower case, values without the white space around them', () => {
  expect(parse('HTTP/1.1 200 OK', 'Content-Type: application/json', 'X-Empty:', 'x-padded: \t a b \t ')).toEqual({
    status: 200,
    minorVersion: 1,
    headers: { 'content-type': 'application/json', 'x-empty': '', 'x-padded': 'a b' },
  });
  expect(parse('HTTP/1.0 404 Not Found')).toEqual({ status: 404, minorVersion: 0, headers: {} });
});

test('the reason phrase is optional, and so is the space before it', () => {
  expect(parse('HTTP/1.1 204 ').status).toBe(204);
  expect(parse('HTTP/1.1 599').status).toBe(599);
});

test('several headers of one name are a list', () => {
  expect(parse('HTTP/1.1 200 OK', 'Set-Cookie: a=1', 'set-cookie: b=2', 'SET-COOKIE: c=3').headers).toEqual({
    'set-cookie': ['a=1', 'b=2', 'c=3'],
  });
});

test('names that every object inherits are ordinary header names', () => {
  const { headers } = parse('HTTP/1.1 200 OK', 'constructor: a', 'toString: b', '__proto__: c', 'constructor: d');
  expect(Object.entries(headers)).toEqual([
    ['constructor', ['a', 'd']],
    ['tostring', 'b'],
  ]);
  expect(Object.getPrototypeOf(headers)).toBe(Object.prototype);
});

test('bytes above ASCII are kept as one character each', () => {
  expect(parse('HTTP/1.1 200 Größe', 'x: \xe4\xff').headers).toEqual({ x: '\xe4\xff' });
});

test.each([
  ['no HTTP', ['SSH-2.0-OpenSSH_9.2']],
  ['another version', ['HTTP/2.0 200 OK']],
  ['a version without a status', ['HTTP/1.1']],
  ['a status of two digits', ['HTTP/1.1 20 OK']],
  ['a status of four digits', ['HTTP/1.1 2000 OK']],
  ['a status below 100', ['HTTP/1.1 099 OK']],
  ['two spaces before the status', ['HTTP/1.1  200 OK']],
  ['a header without a colon', ['HTTP/1.1 200 OK', 'x-a']],
  ['a header without a colon, one with it behind', ['HTTP/1.1 200 OK', 'x-a', 'x-b: 1']],
  ['a header without a name', ['HTTP/1.1 200 OK', ': 1']],
  ['a space before the colon', ['HTTP/1.1 200 OK', 'content-length : 5']],
  ['a folded line', ['HTTP/1.1 200 OK', 'x-a: 1', ' content-length: 5']],
  ['a line feed alone', ['HTTP/1.1 200 OK', 'x-a: 1\ncontent-length: 5']],
  ['a carriage return alone', ['HTTP/1.1 200 OK', 'x-a: 1\rcontent-length: 5']],
  ['a carriage return at the end', ['HTTP/1.1 200 OK', 'x-a: 1\r']],
  ['a NUL', ['HTTP/1.1 200 OK', 'x-a: \0']],
  ['a DEL', ['HTTP/1.1 200 OK', 'x-a: \x7f']],
])('%s is rejected', (_, lines) => {
  expect(() => parse(...lines)).toThrow(expect.objectContaining({ code: 'BAD_RESPONSE' }));
});

test('the cache of names is bounded, and other names are parsed without it', () => {
  const names = new HeaderNames();
  for (let index = 0; index < 2 * HeaderNames.MOST; index += 1) {
    expect(names.inLowerCase(`X-${index}`)).toBe(`x-${index}`);
  }
  expect(names.size).toBe(HeaderNames.MOST);
});
