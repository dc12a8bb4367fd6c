/** A bridge and brokers that want TLS, and to know who it is. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { TestBridge } from '../../../test/harness/bridge.ts';
import { BridgeProcess } from '../../../test/harness/bridge-process.ts';
import { TestAuthority } from '../../../test/harness/certificates.ts';
import { KafkaView, unique } from '../../../test/harness/kafka-view.ts';
import { NAMED_SERVER, PLAIN_USER, SecureKafka, type SecureListener } from '../../../test/harness/secure-kafka.ts';
import { Stopwatch } from '../../../test/harness/stopwatch.ts';
import { TokenEndpoint, unsecuredToken } from '../../../test/harness/token-endpoint.ts';
import { until } from '../../../test/harness/until.ts';

let kafka: SecureKafka;
let view: KafkaView;

beforeAll(async () => {
  kafka = await SecureKafka.start();
  view = await KafkaView.connect(kafka.cluster.bootstrap);
});

afterAll(async () => {
  await view?.close();
  await kafka?.close();
});

async function bridgeOn(listener: SecureListener, security: object): Promise<TestBridge> {
  const bridge = await TestBridge.start(kafka.address(listener), {
    kafka: { requestTimeoutMs: 5000, ...security },
    producer: { maxBlockMs: 5000, deliveryTimeoutMs: 5000 },
  });
  onTestFinished(() => bridge.close());
  return bridge;
}

async function untilReady(bridge: TestBridge): Promise<void> {
  await until('the bridge is ready', async () => {
    const answer = await bridge.get('/ready');
    if (answer.status !== 200) throw new Error(answer.text);
    return true;
  });
}

/** Waits until the bridge says why it is not ready, with a reason that fits. */
async function untilUnreadyBecause(bridge: TestBridge, reason: RegExp): Promise<void> {
  await until(`/ready says ${reason}`, async () => {
    const { status, body } = await bridge.get('/ready');
    if (status !== 503 || !reason.test(body.message)) throw new Error(JSON.stringify(body));
    return true;
  });
}

/** Produces, consumes as a member of a group, and commits. */
async function expectItWorks(bridge: TestBridge): Promise<void> {
  await untilReady(bridge);
  const topic = await view.topic();
  const group = unique('group');
  const consumer = await bridge.consumer(group, 'c', [topic]);
  const produced = await bridge.produce(topic, { records: [{ key: 'k', value: 'over a safe way' }] });
  expect(produced.body).toEqual({ offsets: [{ partition: 0, offset: 0 }] });
  expect(await consumer.take(1)).toMatchObject([{ key: 'k', value: 'over a safe way' }]);
  expect((await consumer.commit()).status).toBe(204);
  expect(await view.committed(group, topic)).toEqual([1]);
  expect((await consumer.delete()).status).toBe(204);
}

/** With the authority that signs the brokers' certificates. */
function tls(options: object = {}): { isEnabled: boolean; caFile: string } {
  return { isEnabled: true, caFile: kafka.authority.certFile, ...options };
}

describe('TLS', () => {
  test('brokers with certificates of our own authority, by name and by address', async () => {
    await expectItWorks(await bridgeOn('tls', { tls: tls() }));
  });

  test('a server name that is not that of the host', async () => {
    await expectItWorks(await bridgeOn('named', { tls: tls({ serverName: NAMED_SERVER }) }));
  });

  test('a certificate of our own, with a key that has a passphrase', async () => {
    const { certFile } = await kafka.authority.certify('encrypted-client');
    const keyFile = kafka.authority.encryptKey('encrypted-client', 'open sesame');
    const keyPassphraseFile = join(kafka.directory, 'passphrase');
    writeFileSync(keyPassphraseFile, 'open sesame\n');
    await expectItWorks(await bridgeOn('mutual', { tls: tls({ certFile, keyFile, keyPassphraseFile }) }));
  });

  test('a certificate that brokers reject is reported, and its successor in the same files is used', async () => {
    const { certFile, keyFile } = await (await TestAuthority.create(kafka.directory, 'stranger')).certify('rotated');
    const bridge = await bridgeOn('mutual', { tls: tls({ certFile, keyFile }) });
    await untilUnreadyBecause(bridge, /^Kafka does not answer: .*(certificate|closed|alert)/i);
    await kafka.authority.certify('rotated');
    await expectItWorks(bridge);
  });

  test.each([
    ['that no trusted authority has signed', 'tls', { isEnabled: true }, /unable to (verify|get)|self.signed/i],
    ['that is for another host', 'named', {}, /does not match certificate/],
  ] as const)(
    'a certificate %s is refused, unless it is not to be checked',
    async (_what, listener, options, reason) => {
      const settings = 'isEnabled' in options ? options : tls();
      await untilUnreadyBecause(await bridgeOn(listener, { tls: settings }), reason);
      await expectItWorks(await bridgeOn(listener, { tls: { ...settings, isBrokerVerified: false } }));
    },
  );

  test('a listener without TLS is distinguished from one with TLS', async () => {
    await untilUnreadyBecause(await bridgeOn('tls', {}), /Broker requires TLS/);
  });
});

describe('SASL', () => {
  test.each(['sasl', 'sasltls'] as const)('PLAIN on the listener %s', async (listener) => {
    await expectItWorks(
      await bridgeOn(listener, { sasl: { mechanism: 'PLAIN', ...PLAIN_USER }, tls: tlsOf(listener) }),
    );
  });

  test.each([
    ['SCRAM-SHA-256', 'sasltls'],
    ['SCRAM-SHA-512', 'sasltls'],
    ['SCRAM-SHA-256', 'sasl'],
  ] as const)('%s on the listener %s, with the password in a file', async (mechanism, listener) => {
    const username = unique('user');
    await kafka.setScramPassword(mechanism, username, 'scram-secret');
    const passwordFile = join(kafka.directory, unique('password'));
    writeFileSync(passwordFile, 'scram-secret\n');
    await expectItWorks(
      await bridgeOn(listener, { sasl: { mechanism, username, passwordFile }, tls: tlsOf(listener) }),
    );
  });

  test('a wrong password is reported without the password, requests end in time, and the right one works again', async () => {
    const mechanism = 'SCRAM-SHA-512';
    const username = unique('user');
    await kafka.setScramPassword(mechanism, username, 'the-old-one');
    const password = 'the-new-one';
    const sasl = { mechanism, username, password };
    const bridge = await bridgeOn('sasltls', { sasl, tls: tls() });
    await untilUnreadyBecause(bridge, /authentication failed: .*invalid credentials/i);
    const topic = await view.topic();
    const watch = new Stopwatch();
    const [listed, produced] = await Promise.all([
      bridge.get('/topics'),
      bridge.produce(topic, { records: [{ value: 'v' }] }),
    ]);
    // Each has 5 s.
    expect(watch.stop()).toBeLessThan(12_000);
    expect(listed).toMatchObject({ status: 503, body: { error_code: 503, message: /authentication failed/i } });
    expect(produced.body.offsets).toMatchObject([{ error_code: 404, message: /not present in metadata/ }]);
    for (const { text } of [listed, produced, await bridge.get('/ready')]) expect(text).not.toContain(password);

    await kafka.setScramPassword(mechanism, username, password);
    await expectItWorks(bridge);
  });

  test('a mechanism that the broker does not support is reported', async () => {
    const bridge = await bridgeOn('tls', { sasl: { mechanism: 'PLAIN', ...PLAIN_USER }, tls: tls() });
    await untilUnreadyBecause(bridge, /SASL/);
  });

  test('missing SASL is reported where brokers require it', async () => {
    await untilUnreadyBecause(await bridgeOn('sasltls', { tls: tls() }), /closed/i);
  });
});

function tlsOf(listener: SecureListener): object {
  return listener === 'sasl' ? {} : tls();
}

describe('OAUTHBEARER', () => {
  test('a token from a file, read again for new connections', async () => {
    const tokenFile = join(kafka.directory, unique('token'));
    writeFileSync(tokenFile, unsecuredToken({ lifetimeMs: -60_000 }));
    const bridge = await bridgeOn('sasltls', { sasl: { mechanism: 'OAUTHBEARER', tokenFile }, tls: tls() });
    await untilUnreadyBecause(bridge, /The broker refused the token: invalid_token/);
    writeFileSync(tokenFile, `${unsecuredToken()}\n`);
    await expectItWorks(bridge);
  });

  test('tokens from an endpoint, one for all connections, and a new one before it expires', async () => {
    const LIFETIME_MS = 4000;
    const endpoint = await TokenEndpoint.start({
      clientId: 'bridge:1',
      clientSecret: 'top secret%',
      lifetimeMs: LIFETIME_MS,
    });
    onTestFinished(() => endpoint.close());
    const oauth = { tokenEndpointUrl: endpoint.url, clientId: 'bridge:1', clientSecret: 'top secret%', scope: 'kafka' };
    const bridge = await bridgeOn('brief', { sasl: { mechanism: 'OAUTHBEARER', oauth }, tls: tls() });
    const connectedAtMs = performance.now();
    await expectItWorks(bridge);
    // A new one when four fifths of its life are over; each of the connections would have had its own.
    const lifeCount = (performance.now() - connectedAtMs) / (0.8 * LIFETIME_MS);
    expect(endpoint.grantedCount).toBeLessThanOrEqual(2 + Math.ceil(lifeCount));
    expect(endpoint.scopes).toEqual(new Set(['kafka']));
    // Brokers ask for re-authentication repeatedly; connections continue with new tokens.
    await until('the token was renewed', () => endpoint.grantedCount >= 3, { timeoutMs: 60_000 });
    await expectItWorks(bridge);
  });

  test('an endpoint that refuses is reported without the secret, and asked again', async () => {
    const endpoint = await TokenEndpoint.start({ clientId: 'bridge', clientSecret: 'right', lifetimeMs: 60_000 });
    onTestFinished(() => endpoint.close());
    const clientSecretFile = join(kafka.directory, unique('secret'));
    writeFileSync(clientSecretFile, 'wrong-secret');
    const oauth = { tokenEndpointUrl: endpoint.url, clientId: 'bridge', clientSecretFile };
    const bridge = await bridgeOn('sasltls', { sasl: { mechanism: 'OAUTHBEARER', oauth }, tls: tls() });
    await untilUnreadyBecause(bridge, /gave no token: status 401, invalid_client/);
    expect((await bridge.get('/ready')).text).not.toContain('wrong-secret');
    writeFileSync(clientSecretFile, 'right');
    await expectItWorks(bridge);
  });
});

test('no secret is in a log, an error or the answer of --check', async () => {
  const secrets = {
    PASSWORD: 'wrong-password-1',
    CLIENT_SECRET: 'client-secret-2',
    PASSPHRASE: 'passphrase-3',
    TOKEN: 'token-4.is.wrong',
  };
  const { certFile } = await kafka.authority.certify('secretive');
  const keyFile = kafka.authority.encryptKey('secretive', secrets.PASSPHRASE);
  const endpoint = await TokenEndpoint.start({ clientId: 'bridge', clientSecret: 'another', lifetimeMs: 60_000 });
  onTestFinished(() => endpoint.close());
  const oauth = { tokenEndpointUrl: endpoint.url, clientId: 'bridge', clientSecret: '${CLIENT_SECRET}' };
  const ways = [
    { mechanism: 'PLAIN', username: PLAIN_USER.username, password: '${PASSWORD}' },
    { mechanism: 'OAUTHBEARER', token: '${TOKEN}' },
    { mechanism: 'OAUTHBEARER', oauth },
  ];
  const written: string[] = [];
  for (const sasl of ways) {
    const file = `${unique('bridge')}.yaml`;
    const config = {
      bridge: { name: 'b', region: 'east' },
      listen: { port: 0 },
      kafka: {
        bootstrapServers: [kafka.address('sasltls')],
        tls: tls({ certFile, keyFile, keyPassphrase: '${PASSPHRASE}' }),
        sasl,
      },
      log: { level: 'trace' },
    };
    writeFileSync(join(kafka.directory, file), JSON.stringify(config));
    if (written.length === 0) {
      const check = new BridgeProcess(kafka.directory, ['--config', file, '--check'], secrets);
      expect(await check.exitCode()).toBe(0);
      written.push(check.stdout, check.stderr);
    }
    const bridge = new BridgeProcess(kafka.directory, ['--config', file], secrets);
    const url = await bridge.url();
    const saysWhy = async (): Promise<boolean> => {
      const answer = await (await fetch(`${url}/ready`)).text();
      written.push(answer);
      return /authentication failed|gave no token|refused the token/i.test(answer);
    };
    await until('it says what is wrong', saysWhy, { timeoutMs: 60_000 });
    const produced = await fetch(`${url}/topics/t`, { method: 'POST', body: '{"records":[{"value":1}]}' });
    written.push(await produced.text());
    bridge.child.kill('SIGTERM');
    expect(await bridge.exitCode()).toBe(0);
    written.push(bridge.stdout, bridge.stderr);
  }
  for (const secret of Object.values(secrets)) {
    for (const text of written) expect(text).not.toContain(secret);
    const encoded = Buffer.from(secret).toString('base64').replace(/=+$/, '');
    for (const text of written) expect(text).not.toContain(encoded);
  }
}, 360_000);
