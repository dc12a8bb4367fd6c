// X509CertificateGenerator needs it.
import 'reflect-metadata';
import { KeyObject, webcrypto } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { X509CertificateGenerator } from '@peculiar/x509';
import { beforeAll, expect, test } from 'vitest';
import { type CertifiedKey, TestAuthority } from '../../../test/harness/certificates.ts';
import { readUpstreamTls, type UpstreamTls } from './upstream-tls.ts';

let directory: string;
let authority: TestAuthority;
let own: CertifiedKey;
let other: CertifiedKey;
let encrypted: string;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'causeway-upstream-tls-'));
  authority = await TestAuthority.create(directory);
  own = await authority.certify('own');
  other = await authority.certify('other');
  encrypted = authority.encryptKey('own', 's3cret-passphrase');
  return () => rmSync(directory, { recursive: true });
});

const file = (name: string, text: string): string => {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
};

function problemsOf(tls: Omit<UpstreamTls, 'minVersion'>): string[] {
  const read = readUpstreamTls({ minVersion: 'TLSv1.2', ...tls });
  return Array.isArray(read) ? read.map(({ key, reason }) => `${key}: ${reason}`) : [];
}

test('files that fit are read, an encrypted key with its passphrase', () => {
  const passphraseFile = file('passphrase', 's3cret-passphrase\n');
  const { certFile } = own;
  const caFile = authority.certFile;
  for (const tls of [
    {},
    { caFile },
    { caFile, certFile, keyFile: own.keyFile },
    { certFile, keyFile: encrypted, keyPassphrase: 's3cret-passphrase' },
    { certFile, keyFile: encrypted, keyPassphraseFile: passphraseFile },
    // An authority, and the intermediate ones behind the own certificate.
    { caFile: file('several.crt', `# comment\n${authority.cert}\n${other.cert}`) },
  ]) {
    expect(problemsOf(tls)).toEqual([]);
  }
});

test('a key that is too short for OpenSSL is a problem, and not an error of the first connection', async () => {
  const algorithm = {
    name: 'RSASSA-PKCS1-v1_5',
    hash: 'SHA-256',
    modulusLength: 1024,
    publicExponent: new Uint8Array([1, 0, 1]),
  };
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const cert = await X509CertificateGenerator.createSelfSigned({ name: 'CN=short', keys, signingAlgorithm: algorithm });
  const key = KeyObject.from(keys.privateKey).export({ type: 'pkcs8', format: 'pem' }).toString();
  const certFile = file('short.crt', cert.toString('pem'));
  expect(problemsOf({ certFile, keyFile: file('short.key', key) })).toEqual([
    expect.stringMatching(/^certFile: .*short\.crt cannot be used: .*key too small/),
  ]);
});

test('files that do not fit have a reason each, without their secrets', () => {
  const { certFile, keyFile } = own;
  const cases: [Omit<UpstreamTls, 'minVersion'>, RegExp][] = [
    [{ caFile: '/no/such/ca' }, /^caFile: \/no\/such\/ca cannot be read: there is no such file$/],
    [{ caFile: directory }, /^caFile: .* it is a directory$/],
    [{ caFile: file('empty.crt', '') }, /^caFile: .*empty\.crt has no certificate in PEM format$/],
    [{ caFile: keyFile }, /^caFile: .* has no certificate in PEM format$/],
    [
      { caFile: file('bad.crt', `${authority.cert}\n${authority.cert.replace(/\n[A-Za-z0-9+/]{20}/, '\n!')}`) },
      /^caFile: .*bad\.crt cannot be used: certificate 2 of 2 is invalid$/,
    ],
    [{ certFile }, /^certFile: needs keyFile/],
    [{ keyFile }, /^keyFile: needs certFile/],
    [{ certFile: '/no/such/cert', keyFile }, /^certFile: .* there is no such file$/],
    [{ certFile, keyFile: '/no/such/key' }, /^keyFile: .* there is no such file$/],
    [{ certFile, keyFile: certFile }, /^keyFile: .* has no private key in PEM format$/],
    [{ certFile, keyFile: other.keyFile }, /^keyFile: .*other\.key is not the key of the certificate in .*own\.crt$/],
    [{ certFile, keyFile: encrypted }, /^keyFile: .* the key is encrypted, and no passphrase is set$/],
    [{ certFile, keyFile: encrypted, keyPassphrase: 's3cret-wrong' }, /^keyFile: .* the passphrase does not fit$/],
    [{ certFile, keyFile: encrypted, keyPassphraseFile: '/no/such' }, /^keyPassphraseFile: .* there is no such file$/],
    [
      { certFile, keyFile: encrypted, keyPassphrase: 's3cret-passphrase', keyPassphraseFile: '/no' },
      /^keyPassphraseFile: keyPassphrase and keyPassphraseFile exclude each other$/,
    ],
  ];
  for (const [tls, reason] of cases) {
    const problems = problemsOf(tls);
    expect(problems[0]).toMatch(reason);
    expect(problems.join()).not.toMatch(/s3cret|BEGIN/);
  }
});
