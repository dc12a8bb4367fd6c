/** A listener's certificates, over real connections. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer as createSecureServer, type Server } from 'node:https';
import { type AddressInfo, connect as connectPlain } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import type { ListenTls } from '@causeway/config/listen-tls.ts';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { type CertifiedKey, TestAuthority } from '../../../test/harness/certificates.ts';
import { until } from '../../../test/harness/until.ts';
import { type CertificateState, Certificates, certificateProblems } from './certificates.ts';
import type { HandshakeFailure, HandshakeReport } from './handshake-failures.ts';
import { describePeer, type Peer } from './peer.ts';

const directory = mkdtempSync(join(tmpdir(), 'causeway-certificates-'));
let authority: TestAuthority;
let strangers: TestAuthority;
let server: CertifiedKey;
beforeAll(async () => {
  authority = await TestAuthority.create(directory);
  strangers = await TestAuthority.create(directory, 'strangers');
  server = await authority.certify('server', { dns: ['server.example'], ip: ['127.0.0.1'] });
});
afterAll(() => rmSync(directory, { recursive: true }));

interface Listener {
  certificates: Certificates;
  node: Server;
  port: number;
  states: CertificateState[];
  reports: HandshakeReport[];
  peers: Peer[];
}

async function listen(
  tls: Partial<ListenTls>,
  { now, handshakeTimeout = 60_000 }: { now?: () => number; handshakeTimeout?: number } = {},
): Promise<Listener> {
  const states: CertificateState[] = [];
  const reports: HandshakeReport[] = [];
  const peers: Peer[] = [];
  const certificates = new Certificates(
    { minVersion: 'TLSv1.2', ...tls },
    {
      place: 'listen.tls',
      onChange: (state) => states.push(state),
      onHandshakeFailure: (report) => reports.push(report),
      ...(now === undefined ? {} : { now }),
    },
  );
  const node = createSecureServer({ ...certificates.options, handshakeTimeout }, (_, response) => response.end());
  node.on('secureConnection', (socket) => peers.push(describePeer(socket)));
  certificates.serve(node);
  certificates.start();
  node.listen(0, '127.0.0.1');
  await once(node, 'listening');
  onTestFinished(() => {
    certificates.close();
    node.closeAllConnections();
    node.close();
  });
  return { certificates, node, port: (node.address() as AddressInfo).port, states, reports, peers };
}

/** A connection after its handshake, or after the server has refused it. */
async function dial({ port }: Listener, options: ConnectionOptions = {}): Promise<TLSSocket> {
  const socket = connect({ port, host: '127.0.0.1', ca: authority.cert, ...options });
  onTestFinished(() => void socket.destroy());
  socket.on('error', () => {});
  await new Promise((resolve) => socket.once('secureConnect', resolve).once('close', resolve));
  return socket;
}

/** A connection, and the session that it can be resumed with. With TLS 1.3 the server sends it after the handshake. */
async function dialForSession(listener: Listener, options: ConnectionOptions): Promise<[TLSSocket, Buffer]> {
  const { port } = listener;
  const socket = connect({ port, host: '127.0.0.1', ca: authority.cert, ...options });
  onTestFinished(() => void socket.destroy());
  const [session] = await once(socket, 'session');
  return [socket, session];
}

/** The response's status line; empty from a server that refuses the connection. */
async function ask(listener: Listener, options: ConnectionOptions = {}): Promise<string> {
  const socket = await dial(listener, options);
  socket.write('GET / HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n');
  const text = (await socket.toArray().catch(() => [])).join('');
  return text.split('\r\n')[0] ?? '';
}

async function shownName(listener: Listener, servername = 'server.example'): Promise<unknown> {
  const socket = await dial(listener, { servername, checkServerIdentity: () => undefined });
  const { subject } = socket.getPeerCertificate();
  socket.destroy();
  return subject.CN;
}

const OK = 'HTTP/1.1 200 OK';
/** The identity of a client whose certificate has nothing but a common name. */
const ofClient = (commonName: string) => ({
  name: commonName,
  dnsNames: [] as string[],
  uris: [] as string[],
  emails: [] as string[],
  commonName: commonName as string | undefined,
  organizationalUnits: [] as string[],
  notAfterMs: expect.any(Number) as number,
});

const files = ({ certFile, keyFile }: CertifiedKey) => ({ certFile, keyFile });

describe('a client gets the certificate for the name that it asks for', () => {
  test('and each is replaced by itself, while another one cannot be used', async () => {
    const [first, second] = [
      await authority.certify('first', { dns: ['first.example'] }),
      await authority.certify('second', { dns: ['*.second.example'] }),
    ];
    const listener = await listen({ certificates: [files(first), files(second)] });
    expect(await shownName(listener, 'first.example')).toBe('first');
    expect(await shownName(listener, 'a.second.example')).toBe('second');
    expect(await shownName(listener, 'unknown.example')).toBe('first');
    expect(listener.certificates.state.names).toEqual(['first.example', '*.second.example']);
    writeFileSync(first.keyFile, 'no key');
    await until('the first is refused', () => listener.certificates.reloadCounts.refused === 1);
    expect(listener.states.at(-1)?.problem).toMatch(/first\.key has no private key/);
    const third = await authority.certify('third', { dns: ['*.second.example'] });
    renameSync(third.keyFile, second.keyFile);
    renameSync(third.certFile, second.certFile);
    await until('the third is shown', async () => (await shownName(listener, 'a.second.example')) === 'third');
    expect(await shownName(listener, 'first.example')).toBe('first');
    expect(listener.certificates.state.problem).toMatch(/first\.key/);
    writeFileSync(first.keyFile, first.key);
    writeFileSync(first.certFile, `${first.cert}\n`);
    await until('the problem is solved', () => listener.certificates.state.problem === undefined);
    expect(listener.states.at(-1)?.problem).toBeUndefined();
  });

  test('and resumes its session with it, until the keys of tickets change', async () => {
    const other = await authority.certify('other', { dns: ['other.example'] });
    let nowMs = Date.now();
    const listener = await listen({ certificates: [files(server), files(other)] }, { now: () => nowMs });
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      const options = { servername: 'other.example', maxVersion };
      const [, session] = await dialForSession(listener, options);
      const isReused = async () => (await dial(listener, { ...options, session })).isSessionReused();
      expect(await isReused()).toBe(true);
      nowMs += 3_600_000;
      listener.certificates.check();
      expect(await isReused()).toBe(false);
      expect((await dial(listener, { ...options, session })).authorized).toBe(true);
    }
  });
});

describe('a client certificate', () => {
  test('is required: others do not get through the handshake, and the reason is reported', async () => {
    const listener = await listen({ ...files(server), clientCaFile: authority.certFile });
    const good = await authority.certify('good', { dns: ['client.example'], uri: ['spiffe://example/client'] });
    const stranger = await strangers.certify('stranger', { dns: ['client.example'] });
    const expired = await authority.certify('expired', { notAfter: new Date(Date.now() - 1000) });
    const cases: [options: ConnectionOptions, failure: HandshakeFailure | undefined][] = [
      [{ cert: good.cert, key: good.key }, undefined],
      [{}, 'noCertificate'],
      [{ maxVersion: 'TLSv1.2' }, 'noCertificate'],
      [{ cert: stranger.cert, key: stranger.key }, 'unknownAuthority'],
      [{ cert: expired.cert, key: expired.key }, 'expiredCertificate'],
      [{ maxVersion: 'TLSv1.1', minVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' }, 'protocolVersion'],
      [{ maxVersion: 'TLSv1.2', ciphers: 'AES256-SHA' }, 'noSharedCipher'],
      [{ maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES256-SHA' }, 'noSharedCipher'],
    ];
    const { counts } = listener.certificates.handshakeFailures;
    for (const [options, failure] of cases) {
      const before = failure === undefined ? 0 : counts[failure];
      expect(await ask(listener, options)).toBe(failure === undefined ? OK : '');
      if (failure !== undefined) await until(`${failure} is counted`, () => counts[failure] === before + 1);
    }
    // Node's client closes the connection without an alert.
    const curl = spawn('curl', ['--silent', '--cacert', strangers.certFile, `https://127.0.0.1:${listener.port}/`]);
    expect((await once(curl, 'exit'))[0]).not.toBe(0);
    await until('the one that does not trust the server is counted', () => counts.refusedByClient === 1);
    expect(listener.reports.map(({ failure, address, failureCount }) => [failure, address, failureCount])).toEqual(
      [...new Set(cases.flatMap(([, failure]) => failure ?? [])), 'refusedByClient'].map((failure) => [
        failure,
        '127.0.0.1',
        1,
      ]),
    );
    expect(listener.peers.map(({ identity }) => identity)).toEqual([
      Object.assign(ofClient('good'), { dnsNames: ['client.example'], uris: ['spiffe://example/client'] }),
    ]);
  });

  test('names its client also by the subject, which is not read as a text', async () => {
    const listener = await listen({ ...files(server), clientCaFile: authority.certFile });
    const named = {
      email: ['alice@example.org'],
      subject: [{ OU: ['writer'] }, { OU: ['team-a'] }, { CN: ['alice'] }],
    };
    const misleading = { subject: [{ O: ['a\nOU=admin'] }, { CN: ['bob, OU=admin\nCN=root + OU=admin'] }] };
    const twice = { dns: ['c.example'], subject: [{ CN: ['carol'] }, { CN: ['root'] }] };
    for (const [name, content] of Object.entries({ named, misleading, twice })) {
      expect(await ask(listener, await authority.certify(name, content))).toBe(OK);
    }
    expect(listener.peers.map(({ identity }) => identity)).toEqual([
      Object.assign(ofClient('alice'), { emails: ['alice@example.org'], organizationalUnits: ['writer', 'team-a'] }),
      ofClient('bob, OU=admin\nCN=root + OU=admin'),
      Object.assign(ofClient('c.example'), { commonName: undefined, dnsNames: ['c.example'] }),
    ]);
  });

  test('is requested: those without a good one are served as strangers', async () => {
    const listener = await listen({
      ...files(server),
      clientCaFile: authority.certFile,
      clientCertificates: 'request',
    });
    const good = await authority.certify('requested', { dns: ['client.example'] });
    const stranger = await strangers.certify('stranger', { dns: ['client.example'] });
    const nameless = await authority.certify('nameless');
    // Two files that were joined, the first one without a line end.
    const clientCaFile = join(directory, 'joined.crt');
    writeFileSync(clientCaFile, `${strangers.cert.trim()}${authority.cert}`);
    const joined = await listen({ ...files(server), clientCaFile });
    for (const options of [good, stranger]) expect(await ask(joined, options)).toBe(OK);
    for (const options of [{}, good, stranger, nameless]) expect(await ask(listener, options)).toBe(OK);
    expect(listener.peers.map(({ identity }) => identity)).toEqual([
      undefined,
      Object.assign(ofClient('requested'), { dnsNames: ['client.example'] }),
      undefined,
      ofClient('nameless'),
    ]);
  });

  test('is proven at each connection: no session resumes an identity, also of an authority that is gone', async () => {
    const clientCaFile = join(directory, 'clients.crt');
    const client = await strangers.certify('resuming', { dns: ['client.example'] });
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      writeFileSync(clientCaFile, strangers.cert);
      const listener = await listen({ ...files(server), clientCaFile });
      const [socket, session] = await dialForSession(listener, { cert: client.cert, key: client.key, maxVersion });
      socket.write('GET / HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n');
      expect((await socket.toArray()).join('')).toContain(OK);
      const options = { maxVersion, session };
      const before = listener.peers.length;
      const again = await dial(listener, { ...options, cert: client.cert, key: client.key });
      expect(again.isSessionReused()).toBe(false);
      await until('it has connected', () => listener.peers.length === before + 1);
      expect(await ask(listener, options)).toBe('');
      writeFileSync(clientCaFile, authority.cert);
      await until('the authority is replaced', () => listener.certificates.reloadCounts.applied === 1);
      expect(await ask(listener, { ...options, cert: client.cert, key: client.key })).toBe('');
      // The open connection was accepted before.
      again.write('GET / HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n');
      expect((await again.toArray()).join('')).toContain(OK);
    }
  });

  test('of an authority is replaced through a symlink, as Kubernetes does it, with everything else', async () => {
    const mount = mkdtempSync(join(directory, 'mount-'));
    const names = { ip: ['127.0.0.1'], dns: ['server.example'] };
    const pairs = { '..1': [authority, 'one'], '..2': [strangers, 'two'] } as const;
    for (const [folder, [signer, name]] of Object.entries(pairs)) {
      const { cert } = await signer.certify(name, names);
      const key = signer.encryptKey(name, name);
      mkdirSync(join(mount, folder));
      writeFileSync(join(mount, folder, 'tls.crt'), cert);
      renameSync(key, join(mount, folder, 'tls.key'));
      writeFileSync(join(mount, folder, 'ca.crt'), signer.cert);
      writeFileSync(join(mount, folder, 'passphrase'), `${name}\n`);
    }
    symlinkSync('..1', join(mount, '..data'));
    for (const file of ['tls.crt', 'tls.key', 'ca.crt', 'passphrase'])
      symlinkSync(join('..data', file), join(mount, file));
    const listener = await listen({
      certFile: join(mount, 'tls.crt'),
      keyFile: join(mount, 'tls.key'),
      keyPassphraseFile: join(mount, 'passphrase'),
      clientCaFile: join(mount, 'ca.crt'),
    });
    const [one, two] = [await authority.certify('client-one'), await strangers.certify('client-two')];
    const ca = [authority.cert, strangers.cert];
    expect(await ask(listener, { ...one, ca })).toBe(OK);
    expect(await ask(listener, { ...two, ca })).toBe('');
    symlinkSync('..2', join(mount, '..data_tmp'));
    renameSync(join(mount, '..data_tmp'), join(mount, '..data'));
    await until('both are replaced', () => listener.certificates.reloadCounts.applied === 2);
    expect(await ask(listener, { ...two, ca })).toBe(OK);
    expect(await ask(listener, { ...one, ca })).toBe('');
    expect(listener.certificates.reloadCounts.refused).toBe(0);
  });
});

test('a client cannot renegotiate a connection', async () => {
  const listener = await listen(files(server));
  const socket = await dial(listener, { maxVersion: 'TLSv1.2' });
  const refused = once(socket, 'error');
  socket.renegotiate({}, () => {});
  expect(await refused).toMatchObject([{ code: 'ERR_SSL_NO_RENEGOTIATION' }]);
});

test('bytes that are not TLS, and a client that leaves, are counted and end their own connection only', async () => {
  const listener = await listen(files(server));
  const { counts } = listener.certificates.handshakeFailures;
  const plain = connectPlain(listener.port, '127.0.0.1').on('error', () => {});
  plain.write('GET / HTTP/1.1\r\n\r\n');
  await until('it is counted', () => counts.notTls === 1);
  plain.destroy();
  const left = connectPlain(listener.port, '127.0.0.1');
  await once(left, 'connect');
  left.destroy();
  await until('the one that left is counted', () => counts.closed === 1);
  expect(await ask(listener)).toBe(OK);
});

test('a handshake that does not continue ends in time', async () => {
  const listener = await listen(files(server), { handshakeTimeout: 100 });
  const silent = connectPlain(listener.port, '127.0.0.1').on('error', () => {});
  await once(silent.resume(), 'close');
  expect(listener.certificates.handshakeFailures.counts.timedOut).toBe(1);
});

test('an expired certificate is served and reported, also when it expires later', async () => {
  const notAfter = new Date(Date.now() + 3_600_000);
  const soon = await authority.certify('soon', { dns: ['server.example'], notAfter });
  let nowMs = Date.now();
  const listener = await listen(files(soon), { now: () => nowMs });
  expect(listener.states).toEqual([]);
  expect(listener.certificates.state.notAfter.getTime()).toBe(1000 * Math.floor(notAfter.getTime() / 1000));
  nowMs = notAfter.getTime();
  listener.certificates.check();
  listener.certificates.check();
  expect(listener.states.map(({ problem }) => problem)).toEqual([
    expect.stringMatching(/^the certificate of server\.example expired on 20/),
  ]);
  expect(await shownName(listener)).toBe('soon');
  const late = await listen(files(soon), { now: () => nowMs });
  expect(late.states).toHaveLength(1);
  nowMs = Date.now() - 86_400_000;
  listener.certificates.check();
  expect(listener.states.at(-1)?.problem).toMatch(/is not valid before/);
});

describe('files that cannot be used', () => {
  test.each<[string, () => Promise<Partial<ListenTls>>, string, RegExp]>([
    [
      'a missing certificate',
      async () => ({ ...files(server), certFile: '/no/such/file' }),
      'certFile',
      /no such file/,
    ],
    ['a missing key', async () => ({ ...files(server), keyFile: '/no/such/file' }), 'keyFile', /no such file/],
    [
      'the key of another certificate',
      async () => ({ ...files(server), keyFile: (await authority.certify('another')).keyFile }),
      'keyFile',
      /another\.key is not the key of the first certificate in .*server\.crt/,
    ],
    [
      'a key as certificate',
      async () => ({ ...files(server), certFile: server.keyFile }),
      'certFile',
      /has no certificate in PEM format/,
    ],
    [
      'a certificate as key',
      async () => ({ ...files(server), keyFile: server.certFile }),
      'keyFile',
      /has no private key in PEM format/,
    ],
    ['a key without its passphrase', async () => encrypted({}), 'keyFile', /is encrypted, and no passphrase is set/],
    [
      'a wrong passphrase',
      async () => encrypted({ keyPassphrase: 'wrong-secret' }),
      'keyFile',
      /the passphrase does not fit/,
    ],
    [
      'a missing passphrase file',
      async () => encrypted({ keyPassphraseFile: '/no/such/file' }),
      'keyPassphraseFile',
      /no such file/,
    ],
    [
      'the second of a list',
      async () => ({ certificates: [files(server), { ...files(server), keyFile: '/no/such/file' }] }),
      'certificates.1.keyFile',
      /no such file/,
    ],
    [
      'a missing authority',
      async () => ({ ...files(server), clientCaFile: '/no/such/file' }),
      'clientCaFile',
      /no such file/,
    ],
    [
      'an authority without a certificate',
      async () => ({ ...files(server), clientCaFile: server.keyFile }),
      'clientCaFile',
      /has no certificate/,
    ],
  ])('%s', async (_, tls, path, reason) => {
    const config: ListenTls = { minVersion: 'TLSv1.2', ...(await tls()) };
    const findings = certificateProblems(config, ['listen', 'tls']);
    expect(findings.map(({ path }) => path.slice(2).join('.'))).toEqual([path]);
    expect(findings[0]?.reason).toMatch(reason);
    expect(findings[0]?.reason).not.toContain('wrong-secret');
    const options = { place: 'listen.tls', onChange: () => {}, onHandshakeFailure: () => {} };
    expect(() => new Certificates(config, options)).toThrow(`listen.tls.${path} cannot be used: `);
  });

  async function encrypted(options: Partial<ListenTls>): Promise<Partial<ListenTls>> {
    const { certFile } = await authority.certify('locked');
    return { certFile, keyFile: authority.encryptKey('locked', 'right'), ...options };
  }
});
