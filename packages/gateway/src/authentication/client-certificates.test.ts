import type { PeerIdentity } from '@causeway/http/peer.ts';
import { expect, onTestFinished, test } from 'vitest';
import type { CertificateName } from '../config/auth-credentials.ts';
import { ClientCertificates } from './client-certificates.ts';
import type { CredentialedRequest } from './method.ts';

const NOT_AFTER_MS = 1_800_000_000_000;
let nowMs = NOT_AFTER_MS;

interface Rule {
  names?: readonly CertificateName[];
  prefix?: string;
  hasRoles?: boolean;
}

function identity(parts: Partial<PeerIdentity>): PeerIdentity {
  const { dnsNames = [], uris = [], emails = [], commonName, organizationalUnits = [] } = parts;
  return { name: 'for logs', dnsNames, uris, emails, commonName, organizationalUnits, notAfterMs: NOT_AFTER_MS };
}

function requestOf(of: PeerIdentity | undefined, trust = 'client', headers: object = {}): CredentialedRequest {
  return { peer: { identity: of }, trust, message: { headers } } as unknown as CredentialedRequest;
}

function method({
  names = ['uri', 'dns', 'email', 'commonName'],
  prefix = '',
  hasRoles = false,
}: Rule = {}): ClientCertificates {
  return new ClientCertificates({ names, prefix, hasRoles, wallClock: () => nowMs });
}

const ALL = {
  uris: ['spiffe://example/a'],
  dnsNames: ['A.Example'],
  emails: ['a@example.org'],
  commonName: 'a',
  organizationalUnits: ['writer', 'team-a'],
};

test.each<[string, Partial<PeerIdentity>, Rule, string | undefined, readonly string[]]>([
  ['the first kind that the rule lists', ALL, {}, 'spiffe://example/a', []],
  ['DNS names in lower case', ALL, { names: ['dns', 'uri'] }, 'a.example', []],
  ['an e-mail address', ALL, { names: ['email'] }, 'a@example.org', []],
  ['the common name', ALL, { names: ['commonName'] }, 'a', []],
  ['the next kind without one', { commonName: 'a' }, {}, 'a', []],
  ['organizational units as roles', ALL, { hasRoles: true }, 'spiffe://example/a', ['writer', 'team-a']],
  ['a prefix', { commonName: 'a' }, { prefix: 'CN=' }, 'CN=a', []],
  ['a prefix that makes it long', { commonName: 'a'.repeat(64) }, { prefix: 'x'.repeat(200) }, undefined, []],
  ['the first of several', { dnsNames: ['b.example', 'a.example'] }, {}, 'b.example', []],
  ['a name and no pattern', { dnsNames: ['*.example', 'a.example'] }, {}, 'a.example', []],
  ['a SPIFFE ID with another URI', { uris: ['spiffe://example/a', 'spiffe://example/b'] }, {}, undefined, []],
  ['a URI that is not alone', { uris: ['https://a.example/', 'SPIFFE://example/b'], commonName: 'a' }, {}, 'a', []],
  ['no name of the rule', { commonName: 'a', dnsNames: ['a.example'] }, { names: ['uri', 'email'] }, undefined, []],
  ['a reserved name', { commonName: 'anonymous' }, {}, undefined, []],
  ['nothing', {}, {}, undefined, []],
])('%s', (_, parts, rule, name, roles) => {
  const certificates = method(rule);
  const request = requestOf(identity(parts));
  expect(certificates.applies(request)).toBe(true);
  expect(certificates.recall(request)).toBeUndefined();
  const authentication = certificates.authenticate(request);
  if (name === undefined) expect(authentication).toMatchObject({ kind: 'failed' });
  else {
    expect(authentication).toEqual({ kind: 'authenticated', principal: { name, roles, method: 'certificate' } });
    expect(certificates.recall(request)).toBe(authentication);
  }
});

test('it does not apply to a connection without a verified certificate, nor to gateways', () => {
  expect(method().applies(requestOf(undefined))).toBe(false);
  expect(method().applies(requestOf(identity(ALL), 'gateway'))).toBe(false);
  expect(method().applies(requestOf(identity(ALL), 'proxy'))).toBe(true);
});

test.each([{ 'x-forwarded-for': '203.0.113.7' }, { forwarded: 'for=203.0.113.7' }])(
  'the certificate of a proxy does not count for a request that it forwards, with %j',
  (headers) => {
    expect(method().applies(requestOf(identity(ALL), 'proxy', headers))).toBe(false);
    // A client that claims to be behind a proxy is still itself.
    expect(method().applies(requestOf(identity(ALL), 'client', headers))).toBe(true);
  },
);

test('it counts until it expires, however long the connection lasts', () => {
  onTestFinished(() => {
    nowMs = NOT_AFTER_MS;
  });
  const certificates = method();
  const request = requestOf(identity(ALL));
  expect(certificates.authenticate(request).kind).toBe('authenticated');
  expect(certificates.recall(request)?.kind).toBe('authenticated');
  nowMs += 1_000;
  expect(certificates.recall(request)).toBeUndefined();
  expect(certificates.authenticate(request)).toMatchObject({ kind: 'failed', isExpired: true });
});
