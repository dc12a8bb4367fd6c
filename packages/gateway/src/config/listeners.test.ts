import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { masked } from '@causeway/config/masked.ts';
import { afterAll, describe, expect, test } from 'vitest';
import { describeChanges, untilRestart } from './changes.ts';
import { listenersOf } from './listeners.ts';
import { findConfigProblems, loadForStart, loadGatewayConfig } from './load.ts';
import { GatewayConfig } from './schema.ts';

const directory = mkdtempSync(join(tmpdir(), 'causeway-listeners-'));
afterAll(() => rmSync(directory, { recursive: true }));

const EAST = 'regions: [{ name: east, targets: [{ url: "http://127.0.0.1:1" }] }]\n';

function load(text: string): GatewayConfig {
  const file = join(directory, 'gateway.yaml');
  writeFileSync(file, `${EAST}${text}`);
  return loadGatewayConfig(file, {});
}

function problemsOf(text: string): string[] {
  return findConfigProblems(`${EAST}${text}`, {}).map(({ line, path, reason }) => `${line}: ${path}: ${reason}`);
}

test.each([
  ['without any key', '', ['listen 127.0.0.1:8080 8080']],
  ['the short form', 'listen: { host: "::1", port: 5 }', ['listen [::1]:5 5']],
  [
    'the list',
    'listeners:\n  - { port: 1 }\n  - { host: localhost, port: 2 }\n  - { name: public, host: "::", port: 3 }',
    ['listeners[0] 127.0.0.1:1 1', 'listeners[1] localhost:2 2', 'listeners[2] public 3'],
  ],
])('the listeners of a file, with their names: %s', (_, text, expected) => {
  const found = listenersOf(load(text)).map(({ key, name, settings }) => `${key} ${name} ${settings.port}`);
  expect(found).toEqual(expected);
});

describe('what a schema cannot express is an error with its line and key', () => {
  test.each<[string, string[]]>([
    [
      'listen: { port: 1 }\nlisteners:\n  - { port: 2 }',
      ['3: listeners: listen and listeners exclude each other: move the keys of listen into the list'],
    ],
    ['listeners: []', ['2: listeners: must not have fewer than 1 items']],
    [
      'listeners:\n  - { port: 1 }\n  - { port: 1 }',
      ['4: listeners[1].port: 1 is also listeners[0].port: each listener needs a port of its own'],
    ],
    [
      'listeners:\n  - { host: 127.0.0.2, port: 1 }\n  - { host: "::", port: 1 }',
      ['4: listeners[1].port: 1 is also listeners[0].port: each listener needs a port of its own'],
    ],
    [
      'listeners:\n  - { name: a, port: 1 }\n  - { name: a, port: 2 }',
      ['4: listeners[1].name: listeners[0] has the name a, too: each listener needs a name of its own'],
    ],
    [
      'listeners:\n  - { name: admin, port: 1 }',
      ['3: listeners[0].name: admin is the name of the port of the admin API: choose another one'],
    ],
    [
      'listeners:\n  - { port: 0 }\n  - { port: 0 }',
      ['4: listeners[1].name: listeners[0] has the name 127.0.0.1:0, too: each listener needs a name of its own'],
    ],
    [
      'listeners:\n  - { port: 1 }\n  - { port: 8081 }',
      ['4: listeners[1].port: 8081 is also admin.port: clients and operators need separate ports'],
    ],
    [
      'listen: { proxyProtocol: true }',
      [
        '2: listen.proxyProtocol: has no effect without addresses in trust.proxies or trust.peers: name the load balancers there',
      ],
    ],
    [
      'listeners:\n  - { port: 1 }\n  - { port: 2, redirectToHttpsPort: 443, http2: { isEnabled: true } }',
      [
        '4: listeners[1].http2.isEnabled: http2 and redirectToHttpsPort exclude each other: such a listener redirects clients of plain HTTP/1.1, and serves nothing',
      ],
    ],
    [
      'listen:\n  redirectToHttpsPort: 443\n  tls: { certFile: a, keyFile: b }',
      [
        '4: listen.tls: tls and redirectToHttpsPort exclude each other: such a listener redirects clients of plain HTTP/1.1, and serves nothing',
      ],
    ],
    ['listen: { redirectToHttpsPort: 0 }', ['2: listen.redirectToHttpsPort: must be >= 1']],
    ['listen: { redirectToHttpsPort: 65536 }', ['2: listen.redirectToHttpsPort: must be <= 65535']],
    ['listen: { maxConnections: 0 }', ['2: listen.maxConnections: must be >= 1']],
    [
      'admin: { port: 2 }\nlisteners:\n  - { port: 1 }\n  - { port: 2 }',
      ['2: admin.port: 2 is also listeners[1].port: clients and operators need separate ports'],
    ],
  ])('%j', (text, expected) => {
    expect(problemsOf(text)).toEqual(expected);
  });
});

test.each([
  'listeners: [{ port: 1 }, { host: 127.0.0.2, port: 1 }]',
  'listeners: [{ host: "::1", port: 1 }, { host: 127.0.0.1, port: 1 }]',
  'listeners: [{ name: a, port: 0 }, { port: 0 }]',
  'listen: { proxyProtocol: true }\ntrust: { proxies: [10.0.0.0/8] }',
  'listen: { redirectToHttpsPort: 443, http2: { isEnabled: false } }',
  // The defaults of `listen`, which is not in use, conflict with nothing.
  'listeners: [{ port: 1 }]\nadmin: { port: 8080 }',
])('valid: %s', (text) => {
  expect(problemsOf(text)).toEqual([]);
});

test('every change of a listener is reported as one that needs a restart, and takes none of its effect before', () => {
  const before = load('listeners: [{ name: a, port: 1 }, { port: 2 }]');
  const after = load('listeners: [{ name: a, port: 3 }]');
  const changes = describeChanges(before, after);
  expect(changes).toContain('listeners.a.port: 1 → 3 (needs a restart)');
  expect(changes).toContain('listeners.1.port: 2 (removed) (needs a restart)');
  expect(changes.filter((change) => !/^listeners\..+ \(needs a restart\)$/.test(change))).toEqual([]);
  expect(listenersOf(untilRestart(before, after)).map(({ settings }) => settings.port)).toEqual([1, 2]);
  expect(listenersOf(untilRestart(before, load('listen: { port: 9 }'))).map(({ key }) => key)).toEqual([
    'listeners[0]',
    'listeners[1]',
  ]);
});

const NOWHERE = '{ certFile: /no/such.crt, keyFile: /no/such.key }';

test.each([
  [
    'listen',
    `listen:\n  tls: ${NOWHERE}`,
    /:3: listen\.tls\.certFile: \/no\/such\.crt cannot be read: there is no such file/,
  ],
  [
    'listeners',
    `listeners:\n  - { port: 1 }\n  - { port: 2, tls: ${NOWHERE} }`,
    /:4: listeners\[1\]\.tls\.certFile: .*no such file/,
  ],
])('files of certificates of %s that cannot be used prevent a start, and no reload', (_, text, message) => {
  const config = load(text);
  expect(listenersOf(config).at(-1)?.settings.tls?.certFile).toBe('/no/such.crt');
  expect(() => loadForStart(join(directory, 'gateway.yaml'), {})).toThrow(message);
});

test.each([
  [
    'a key without its certificate',
    'listen:\n  tls: { keyFile: a }',
    ['3: listen.tls: the key certFile is missing (or certificates, for several)'],
  ],
  [
    'a peer by certificate without a listener that knows clients',
    `trust: { peers: [tier1.example] }\nlisteners:\n  - { port: 1 }\n  - { port: 2, tls: ${NOWHERE} }`,
    [
      expect.stringMatching(
        /^2: trust\.peers\[0\]: tier1\.example is a name in a certificate, and no listener verifies/,
      ),
    ],
  ],
  [
    'one with such a listener',
    'trust: { peers: [tier1.example] }\nlisteners:\n  - { port: 1 }\n  - { port: 2, tls: { certFile: a, keyFile: b, clientCaFile: c } }',
    [],
  ],
])('%s', (_, text, expected) => {
  expect(problemsOf(text)).toEqual(expected);
});

test('a mistyped key of a listener is an error that knows its keys', () => {
  const [problem] = problemsOf('listeners:\n  - { prot: 1 }');
  expect(problem).toMatch(/^3: listeners\[0\]\.prot: unknown key; did you mean port\? \(known here: name, host, port/);
});

test('a configuration with listeners shows no listen, whose defaults are not in use', () => {
  expect(masked(GatewayConfig, load('listeners: [{ port: 1 }]'))).not.toHaveProperty('listen');
  expect(masked(GatewayConfig, load(''))).toHaveProperty('listen.port', 8080);
});
