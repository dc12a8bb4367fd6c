import { describe, expect, test } from 'vitest';
import {
  certificateFiles,
  checkListenTls,
  clientCertificatesOf,
  type ListenTls,
  verifiesClients,
} from './listen-tls.ts';

const ONE = { certFile: 'a.crt', keyFile: 'a.key' };
const OTHER = { certFile: 'b.crt', keyFile: 'b.key' };
const tls = (keys: Partial<ListenTls>): ListenTls => ({ minVersion: 'TLSv1.2', ...keys });

describe('the check of the section', () => {
  test.each<[string, Partial<ListenTls>, [path: string, reason: RegExp][]]>([
    ['one certificate', ONE, []],
    ['several', { certificates: [ONE, OTHER] }, []],
    ['known clients', { ...ONE, clientCaFile: 'ca.crt' }, []],
    ['requested certificates', { ...ONE, clientCaFile: 'ca.crt', clientCertificates: 'request' }, []],
    ['no clients', { ...ONE, clientCertificates: 'none' }, []],
    [
      'nothing',
      {},
      [
        ['', /certFile is missing/],
        ['', /keyFile is missing/],
      ],
    ],
    ['a certificate without key', { certFile: 'a.crt' }, [['', /keyFile is missing/]]],
    ['both forms', { ...ONE, certificates: [OTHER] }, [['certificates', /certFile, keyFile exclude each other/]]],
    [
      'a passphrase beside a list',
      { keyPassphrase: 'x', certificates: [OTHER] },
      [['certificates', /keyPassphrase exclude each other/]],
    ],
    [
      'two passphrases',
      { ...ONE, keyPassphrase: 'x', keyPassphraseFile: 'y' },
      [['keyPassphraseFile', /exclude each other/]],
    ],
    [
      'two passphrases of the second of a list',
      { certificates: [ONE, { ...OTHER, keyPassphrase: 'x', keyPassphraseFile: 'y' }] },
      [['certificates.1.keyPassphraseFile', /exclude each other/]],
    ],
    [
      'authorities that are not used',
      { ...ONE, clientCaFile: 'ca.crt', clientCertificates: 'none' },
      [['clientCertificates', /clientCaFile has no effect/]],
    ],
    [
      'requested certificates without authorities',
      { ...ONE, clientCertificates: 'request' },
      [['clientCertificates', /request needs clientCaFile/]],
    ],
    [
      'required certificates without authorities',
      { ...ONE, clientCertificates: 'require' },
      [['clientCertificates', /require needs clientCaFile/]],
    ],
  ])('%s', (_, keys, expected) => {
    const findings = checkListenTls(tls(keys), ['listeners', 0, 'tls']);
    expect(findings.map(({ path }) => path.slice(0, 3))).toEqual(findings.map(() => ['listeners', 0, 'tls']));
    expect(findings.map(({ path, reason }) => [path.slice(3).join('.'), reason])).toEqual(
      expected.map(([path, reason]) => [path, expect.stringMatching(reason)]),
    );
  });

  test('a plain listener', () => {
    expect(checkListenTls(undefined, ['listen', 'tls'])).toEqual([]);
  });
});

test('clients must show a certificate where authorities are named, unless the section says otherwise', () => {
  const known = tls({ ...ONE, clientCaFile: 'ca.crt' });
  expect(clientCertificatesOf(known)).toBe('require');
  expect(clientCertificatesOf({ ...known, clientCertificates: 'request' })).toBe('request');
  expect(clientCertificatesOf(tls(ONE))).toBe('none');
  expect([undefined, tls(ONE), known].map(verifiesClients)).toEqual([false, false, true]);
});

test('the certificates of the section, each with its place', () => {
  const encrypted = { ...ONE, keyPassphraseFile: 'p' };
  expect(certificateFiles(tls({ ...encrypted, clientCaFile: 'ca.crt' }))).toEqual([{ files: encrypted, place: [] }]);
  expect(certificateFiles(tls({ certificates: [ONE, OTHER] }))).toEqual([
    { files: ONE, place: ['certificates', 0] },
    { files: OTHER, place: ['certificates', 1] },
  ]);
});
