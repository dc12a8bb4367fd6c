import { describe, expect, test } from 'vitest';
import { checkPeers, isCertifiedPeer, namesCertificate, parsePeers } from './peers.ts';

describe('an entry is an address, a network, a DNS name or a URI', () => {
  test.each([
    ['10.0.0.0/8', false],
    ['2001:db8::1', false],
    ['::ffff:10.0.0.1', false],
    ['tier1.causeway.example', true],
    ['tier1.causeway.example.', true],
    ['tier1', true],
    ['TIER1.Example', true],
    ['bücher.example', true],
    ['_gw.example', true],
    ['spiffe://causeway.example/gateway', true],
    ['https://tier1.example:8443/a?b', true],
    ['urn:uuid:9f1b8a4e-0b1c-4a44-8f4d-7c1b4c1c0e55', true],
  ])('%s', (entry, isName) => {
    expect(checkPeers([entry])).toEqual([]);
    expect(namesCertificate(entry)).toBe(isName);
  });

  test.each([
    ['10.0.0.0/33'],
    ['10.0.0'],
    ['10.0.0.256'],
    ['2001:db8::g'],
    ['tier1.example:8443'],
    ['tier1 example'],
    ['tier1..example'],
    ['-tier1.example'],
    ['tier1.example/path'],
    ['spiffe://'],
    ['spiffe:///gateway'],
    ['spiffe://a b/c'],
    ['x@example'],
    [''],
    ['.'],
    [`${'a.'.repeat(127)}example`],
    [`${'a'.repeat(64)}.example`],
    ['１０.0.0.1'],
  ])('%j is neither', (entry) => {
    expect(checkPeers(['10.0.0.1', entry])).toEqual([
      { index: 1, reason: expect.stringContaining('is not an address') },
    ]);
  });

  test('a pattern is rejected with the reason', () => {
    expect(checkPeers(['*.causeway.example'])).toEqual([{ index: 0, reason: expect.stringContaining('is a pattern') }]);
  });
});

describe('a certificate is a peer when it has a listed name', () => {
  const listed = parsePeers([
    '10.0.0.0/8',
    'Tier1.Causeway.example',
    'bücher.example.',
    'SPIFFE://Causeway.example/gateway',
    'https://tier1.example/a',
  ]);
  const dns = (...dnsNames: string[]) => ({ dnsNames, uris: [] });
  const uri = (...uris: string[]) => ({ dnsNames: [], uris });

  test.each([
    ['the name', dns('tier1.causeway.example'), true],
    ['another case', dns('TIER1.causeway.EXAMPLE'), true],
    ['a final dot', dns('tier1.causeway.example.'), true],
    ['one of several', dns('a.example', 'tier1.causeway.example'), true],
    ['the ASCII form', dns('xn--bcher-kva.example'), true],
    ['a wildcard that covers it', dns('*.causeway.example'), false],
    ['a name below it', dns('x.tier1.causeway.example'), false],
    ['a name that ends with it', dns('xtier1.causeway.example'), false],
    ['a name with a NUL', dns('tier1.causeway.example\0.evil.example'), false],
    ['an address as a name', dns('10.0.0.1'), false],
    ['no names', dns(), false],
    ['the SPIFFE ID', uri('spiffe://causeway.example/gateway'), true],
    ['its host in another case', uri('spiffe://CAUSEWAY.example/gateway'), true],
    ['its path in another case', uri('spiffe://causeway.example/Gateway'), false],
    ['another path', uri('spiffe://causeway.example/gateway/x'), false],
    ['another trust domain', uri('spiffe://evil.example/gateway'), false],
    ['a second SPIFFE ID', uri('spiffe://causeway.example/gateway', 'spiffe://causeway.example/b'), false],
    ['another URI', uri('https://tier1.example/a', 'https://b.example'), true],
    ['a URI as DNS name', dns('spiffe://causeway.example/gateway'), false],
    ['a DNS name as URI', uri('tier1.causeway.example'), false],
  ])('%s', (_, names, expected) => {
    expect(isCertifiedPeer(listed, names)).toBe(expected);
  });

  test('and none does by default', () => {
    expect(isCertifiedPeer(parsePeers([]), dns('', 'tier1.causeway.example'))).toBe(false);
  });
});
