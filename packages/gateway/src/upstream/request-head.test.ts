import { expect, test } from 'vitest';
import { formatRequestHead } from './request-head.ts';

const request = { method: 'POST', path: '/topics/a%2Fb?async=true', headers: ['host', 'kafka.example', 'x-a', 'b c'] };

test('the request line and headers are unchanged, and the length of the body is added', () => {
  expect(formatRequestHead(request, 'target:80', 12)).toBe(
    'POST /topics/a%2Fb?async=true HTTP/1.1\r\nhost: kafka.example\r\nx-a: b c\r\ncontent-length: 12\r\n\r\n',
  );
});

test('without a host header, the authority of the target is added', () => {
  expect(formatRequestHead({ method: 'GET', path: '/', headers: [] }, '[::1]:8080', 'none')).toBe(
    'GET / HTTP/1.1\r\nhost: [::1]:8080\r\n\r\n',
  );
});

test.each([
  ['POST', 'content-length: 0\r\n'],
  ['PUT', 'content-length: 0\r\n'],
  ['PATCH', 'content-length: 0\r\n'],
  ['GET', ''],
  ['DELETE', ''],
  ['HEAD', ''],
])('%s without a body', (method, expected) => {
  const text = formatRequestHead({ method, path: '/', headers: ['host', 'x'] }, 'x', 'none');
  expect(text).toBe(`${method} / HTTP/1.1\r\nhost: x\r\n${expected}\r\n`);
});

test('a body of unknown length is chunked', () => {
  expect(formatRequestHead(request, 'x', 'chunked')).toMatch(/\r\ntransfer-encoding: chunked\r\n\r\n$/);
});

test.each([
  ['a line end in a value', { headers: ['x-a', 'b\r\nx-evil: 1'] }],
  ['a line feed in a value', { headers: ['x-a', 'b\nx-evil: 1'] }],
  ['a NUL in a value', { headers: ['x-a', '\0'] }],
  ['a character beyond a byte', { headers: ['x-a', 'Ā'] }],
  ['a line end in a name', { headers: ['x-a\r\nx-evil', 'b'] }],
  ['a space in a name', { headers: ['x a', 'b'] }],
  ['an empty name', { headers: ['', 'b'] }],
  ['a space in the path', { path: '/a b' }],
  ['a line end in the path', { path: '/a\r\nx-evil:1' }],
  ['an empty method', { method: '' }],
  ['a space in the method', { method: 'GET /' }],
])('%s is refused', (_, change) => {
  expect(() => formatRequestHead({ ...request, ...change }, 'x', 'none')).toThrow(
    expect.objectContaining({ code: 'BAD_REQUEST' }),
  );
});
