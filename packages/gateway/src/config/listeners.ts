/** Where clients connect: the section `listen`, or the list `listeners` in its place. */
import { checkListenTls, ListenTls, verifiesClients } from '@causeway/config/listen-tls.ts';
import { areHostsInConflict, isNetwork } from '@causeway/config/networks.ts';
import { BacklogSetting, Entry, ListenHost, Section, type Static, Type } from '@causeway/config/schema.ts';

const Http2Section = Section(
  {
    isEnabled: Type.Optional(
      Type.Boolean({
        description:
          'Whether clients may speak HTTP/2: with TLS as ALPN negotiates it, without TLS by prior knowledge (RFC 9113 §3.3). Default: true with TLS, false without. A change needs a restart.',
        examples: [true],
      }),
    ),
    maxConcurrentStreams: Type.Integer({
      description:
        'Requests that a client may have in flight on one connection; it waits with others. A change needs a restart.',
      default: 128,
      minimum: 1,
      maximum: 10_000,
    }),
  },
  { description: 'HTTP/2 for clients, beside HTTP/1.1.' },
);

const PROPERTIES = {
  name: Type.Optional(
    Type.String({
      description:
        'The listener in logs, metrics and the admin API; unique. Without it, HOST:PORT. A change needs a restart.',
      examples: ['public'],
      pattern: '^[A-Za-z0-9._-]+$',
    }),
  ),
  host: ListenHost('Address for clients. A change needs a restart.'),
  port: Type.Integer({
    description: 'Port for clients; 0 lets the system choose. A change needs a restart.',
    default: 8080,
    minimum: 0,
    maximum: 65_535,
  }),
  backlog: BacklogSetting(),
  tls: Type.Optional(ListenTls),
  maxConnections: Type.Optional(
    Type.Integer({
      description:
        'Connections that may be open on each address of the listener; further ones are closed at once. Default: half of the files that the process may have open (ulimit -n), shared by all listeners, and at most 50000. A change needs a restart.',
      examples: [20_000],
      minimum: 1,
      maximum: 10_000_000,
    }),
  ),
  proxyProtocol: Type.Boolean({
    description:
      'Whether connections from the addresses in trust.proxies and trust.peers begin with a PROXY header, version 1 or 2, with which a load balancer for TCP names its client. They are closed without it; from other addresses no header is read. A change needs a restart.',
    default: false,
  }),
  redirectToHttpsPort: Type.Optional(
    Type.Integer({
      description:
        'Port of HTTPS, as clients reach it: the listener responds to every request with a redirect (308) to the same host there, and does nothing else. A change needs a restart.',
      examples: [443],
      minimum: 1,
      maximum: 65_535,
    }),
  ),
  http2: Http2Section,
};

export const ListenSection = Section(PROPERTIES, { description: 'Where clients connect.' });

export const ListenerList = Type.Array(Entry(PROPERTIES, { description: 'A listener.' }), {
  description: 'Several listeners for clients, in place of listen, each with the keys of listen.',
  minItems: 1,
});

export type ListenConfig = Static<typeof ListenSection>;

export interface ListenConfigs {
  listen?: ListenConfig;
  listeners?: ListenConfig[];
}

export interface Listener {
  /** Its place in the file. */
  path: ['listen'] | ['listeners', number];
  /** The place as text: `listen`, or `listeners[0]`. */
  key: string;
  name: string;
  settings: ListenConfig;
}

export interface Finding {
  path: (string | number)[];
  reason: string;
}

/** All listeners for clients, in the order of the file. */
export function listenersOf({ listen, listeners }: ListenConfigs): Listener[] {
  if (listeners === undefined) {
    return listen === undefined ? [] : [{ path: ['listen'], key: 'listen', name: nameOf(listen), settings: listen }];
  }
  return listeners.map((settings, index) => ({
    path: ['listeners', index],
    key: `listeners[${index}]`,
    name: nameOf(settings),
    settings,
  }));
}

interface CheckOptions {
  admin: { host: string; port: number };
  trust: { proxies: readonly string[]; peers: readonly string[] };
  /** The file before defaults. */
  given: unknown;
  /** The default of `admin.port`. */
  adminPort: number;
}

/** The listener of the admin API among all of a gateway. */
export const ADMIN_LISTENER = 'admin';

/** Finds what the schema cannot express. */
export function checkListeners(config: ListenConfigs, { admin, trust, given, adminPort }: CheckOptions): Finding[] {
  if (hasKey(given, 'listen') && hasKey(given, 'listeners')) {
    return [
      {
        path: ['listeners'],
        reason: 'listen and listeners exclude each other: move the keys of listen into the list',
      },
    ];
  }
  const listeners = listenersOf(config);
  const findings: Finding[] = [];
  for (const [index, listener] of listeners.entries()) {
    const before = listeners.slice(0, index);
    findings.push(
      ...checkAgainst(before, listener),
      ...checkSettings(listener, trust),
      ...checkListenTls(listener.settings.tls, [...listener.path, 'tls']),
    );
    if (!isSamePort(listener.settings, admin)) continue;
    const reason = (other: string) => `${admin.port} is also ${other}.port: clients and operators need separate ports`;
    // Reported at the key that the file contains: one of the two is not at its default.
    findings.push(
      admin.port === adminPort
        ? { path: [...listener.path, 'port'], reason: reason('admin') }
        : { path: ['admin', 'port'], reason: reason(listener.key) },
    );
  }
  return findings;
}

/** Whether a listener knows clients by their certificates. */
export function knowsClients(config: ListenConfigs): boolean {
  return listenersOf(config).some(({ settings }) => verifiesClients(settings.tls));
}

function checkAgainst(before: readonly Listener[], { path, name, settings }: Listener): Finding[] {
  const samePort = before.find((other) => isSamePort(other.settings, settings));
  if (samePort !== undefined) {
    const reason = `${settings.port} is also ${samePort.key}.port: each listener needs a port of its own`;
    return [{ path: [...path, 'port'], reason }];
  }
  // In metrics, events and on the page.
  if (name === ADMIN_LISTENER) {
    return [
      { path: [...path, 'name'], reason: `${name} is the name of the port of the admin API: choose another one` },
    ];
  }
  const sameName = before.find((other) => other.name === name);
  if (sameName === undefined) return [];
  const reason = `${sameName.key} has the name ${name}, too: each listener needs a name of its own`;
  return [{ path: [...path, 'name'], reason }];
}

function checkSettings({ path, settings }: Listener, trust: CheckOptions['trust']): Finding[] {
  const findings: Finding[] = [];
  if (settings.proxyProtocol && !trust.proxies.concat(trust.peers).some(isNetwork)) {
    findings.push({
      path: [...path, 'proxyProtocol'],
      reason: 'has no effect without addresses in trust.proxies or trust.peers: name the load balancers there',
    });
  }
  if (settings.redirectToHttpsPort === undefined) return findings;
  const excluded =
    'and redirectToHttpsPort exclude each other: such a listener redirects clients of plain HTTP/1.1, and serves nothing';
  if (settings.tls !== undefined) findings.push({ path: [...path, 'tls'], reason: `tls ${excluded}` });
  if (settings.http2.isEnabled === true) {
    findings.push({ path: [...path, 'http2', 'isEnabled'], reason: `http2 ${excluded}` });
  }
  return findings;
}

function isSamePort(one: { host: string; port: number }, other: { host: string; port: number }): boolean {
  return one.port !== 0 && one.port === other.port && areHostsInConflict(one.host, other.host);
}

function nameOf({ name, host, port }: ListenConfig): string {
  return name ?? `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

function hasKey(value: unknown, key: string): boolean {
  return typeof value === 'object' && value !== null && key in value;
}
