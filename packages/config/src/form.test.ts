import { createServer } from 'node:net';
import { describe, expect, test } from 'vitest';
import { formProblem, HTTP_URL, LISTEN_HOST, SERVER_NAME } from './form.ts';

describe('a host on which no server can listen is rejected', () => {
  test.each<[string, RegExp]>([
    ['[::1]', /write "::1", without brackets/],
    ['*', /write 0\.0\.0\.0/],
    ['', /neither an IP address nor a host name/],
    [' 127.0.0.1', /neither/],
    ['127.0.0.1:8080', /port has its own key/],
    ['[::1]:8080', /port has its own key/],
    ['127.0.0.256', /neither/],
    ['1.2.3', /neither/],
    ['http://localhost', /neither/],
    ['-host', /neither/],
    ['a..b', /neither/],
    ['a b', /neither/],
    ['::g', /neither/],
    [`${'a'.repeat(64)}.example`, /neither/],
  ])('%j', async (host, reason) => {
    expect(formProblem(LISTEN_HOST, host)).toMatch(reason);
  });

  test.each(['127.0.0.1', '0.0.0.0', '::1', '::', 'localhost'])('%s is accepted', async (host) => {
    expect(formProblem(LISTEN_HOST, host)).toBeUndefined();
    const server = createServer();
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject).listen(0, host, resolve);
    });
    server.close();
  });

  test.each(['bridge-1.east.svc.cluster.local', 'a.example.', '_a', 'xn--bcher-kva.example'])(
    '%s is accepted as a name',
    (host) => {
      expect(formProblem(LISTEN_HOST, host)).toBeUndefined();
    },
  );
});

describe('the name of a server', () => {
  test.each<[string, RegExp]>([
    ['10.0.0.1', /is an address/],
    ['::1', /is an address/],
    ['[::1]', /is an address/],
    ['10.0.0.256', /is not a host name/],
    ['host:443', /is not a host name/],
    ['https://host', /is not a host name/],
    ['*.example', /is not a host name/],
    ['', /is not a host name/],
  ])('%j is rejected', (name, reason) => {
    expect(formProblem(SERVER_NAME, name)).toMatch(reason);
  });

  test.each(['bridge.east.example', 'localhost', 'bridge-1'])('%s is accepted', (name) => {
    expect(formProblem(SERVER_NAME, name)).toBeUndefined();
  });
});

describe('a URL with credentials is refused without repeating them', () => {
  test.each([
    'http://user:s3cret@host',
    'http://s3cret@host:80/',
    'http://:s3cret@host',
    'https://user:s3cret@[::1]:1/',
    'http://user:s3cret@',
    'http://s3cret@ho st',
    'http://@host',
    'http://us@er:s3cret@host',
  ])('%s', (url) => {
    const problem = formProblem(HTTP_URL, url);
    expect(problem).toBeDefined();
    expect(problem).not.toContain('s3cret');
  });

  test.each(['http://a b', 'http://host:99999', 'http://', 'nonsense', 'http://host/#a'])('%s is rejected', (url) => {
    expect(formProblem(HTTP_URL, url)).toBeDefined();
  });

  test.each(['http://host', 'https://host:1/a@b?c=d@e', 'http://[::1]:8080/'])('%s is accepted', (url) => {
    expect(formProblem(HTTP_URL, url)).toBeUndefined();
  });
});
