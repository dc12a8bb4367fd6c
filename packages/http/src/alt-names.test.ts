import { X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TestAuthority } from '../../../test/harness/certificates.ts';
import { type AltNames, altNamesOf, certificateFor } from './alt-names.ts';

const directory = mkdtempSync(join(tmpdir(), 'causeway-names-'));
let authority: TestAuthority;
beforeAll(async () => {
  authority = await TestAuthority.create(directory);
});
afterAll(() => rmSync(directory, { recursive: true }));

describe('the names of a certificate', () => {
  test.each<[string, { dns?: string[]; ip?: string[]; uri?: string[]; email?: string[] }]>([
    [
      'of every kind',
      {
        dns: ['a.example', '*.b.example'],
        ip: ['127.0.0.1'],
        uri: ['spiffe://example/gateway'],
        email: ['alice@example.org', '"a, email:b@example.org"@example.org'],
      },
    ],
    [
      'that look like several',
      { dns: ['a.example, DNS:evil.example'], uri: ['spiffe://example/a, URI:spiffe://example/b'] },
    ],
    ['with quotes and backslashes', { dns: ['a".example', 'b\\.example'], uri: ['spiffe://example/"a'] }],
    ['with a NUL and line ends', { dns: ['a.example\0.evil.example', 'b\n.example'] }],
    ['none', {}],
  ])('%s', async (_, names) => {
    const { cert } = await authority.certify('names', names);
    expect(altNamesOf(new X509Certificate(cert))).toEqual({
      dnsNames: names.dns ?? [],
      addresses: names.ip ?? [],
      uris: names.uri ?? [],
      emails: names.email ?? [],
    });
  });

  test.each([['DNS:a.example, DNS:"unterminated'], ['DNS:a.example, "x"'], [undefined], ['']])(
    'stop at a text of an unknown form: %j',
    (subjectAltName) => {
      const { dnsNames } = altNamesOf({ subjectAltName });
      expect(['a.example', undefined]).toContain(dnsNames[0]);
      expect(dnsNames.length).toBeLessThanOrEqual(1);
    },
  );
});

describe('the certificate for a server name', () => {
  const names = (dnsNames: string[], addresses: string[] = []): { names: AltNames } => ({
    names: { dnsNames, uris: [], addresses, emails: [] },
  });
  const certificates = [
    names(['default.example']),
    names(['*.example.com', 'example.com']),
    names(['api.example.com', 'Upper.Example'], ['192.0.2.7']),
    names(['*.api.example.com']),
  ];
  test.each([
    ['default.example', 0],
    ['unknown.example', 0],
    ['example.com', 1],
    ['www.example.com', 1],
    ['WWW.Example.COM', 1],
    ['www.example.com.', 1],
    // A name comes before a wildcard that covers it, wherever they are in the list.
    ['api.example.com', 2],
    ['upper.example', 2],
    ['192.0.2.7', 2],
    // A wildcard is for one label.
    ['a.b.example.com', 0],
    ['v1.api.example.com', 3],
    ['.example.com', 0],
    ['com', 0],
    ['', 0],
  ])('%s: %i', (serverName, index) => {
    expect(certificateFor(serverName, certificates)).toBe(index);
  });
});
