import type { Trust } from '@causeway/config/trust.ts';
import { describe, expect, test } from 'vitest';
import type { ClientPeer } from './client-peer.ts';
import { requestHeaders, responseHeaders } from './headers.ts';
import { identityOf } from './identity.ts';

const identity = identityOf({ region: 'east', name: 'gw' });

function peer(changes: Partial<ClientPeer> = {}): ClientPeer {
  return {
    address: '10.0.0.1',
    port: 50_000,
    scheme: 'http',
    protocol: 'http/1.1',
    alpnProtocol: undefined,
    identity: undefined,
    isOfUnknownClient: false,
    forwarding: undefined,
    requests: [],
    ...changes,
  };
}

function sent(
  headers: Record<string, string>,
  from: ClientPeer = peer(),
  trust: Trust = 'gateway',
): Record<string, string> {
  const flat = requestHeaders(headers, { peer: from, trust, identity });
  const result: Record<string, string> = {};
  for (let index = 0; index < flat.length; index += 2) result[flat[index] ?? ''] = flat[index + 1] ?? '';
  return result;
}

describe('a request', () => {
  test('keeps its own headers and its host', () => {
    const result = sent({ host: 'h:1', accept: '*/*', 'content-type': 'x/y' });
    expect(result).toMatchObject({ host: 'h:1', accept: '*/*', 'content-type': 'x/y' });
  });

  test('keeps its host, also when Connection names it', () => {
    expect(sent({ host: 'h:1', connection: 'Host, x-a', 'x-a': '1' })).toMatchObject({ host: 'h:1' });
    expect(sent({ host: 'h:1', connection: 'Host, x-a', 'x-a': '1' })).not.toHaveProperty('x-a');
  });

  test('loses what belongs to its connection, and what Connection names', () => {
    const result = sent({
      host: 'h',
      connection: 'close, X-Secret',
      'x-secret': '1',
      te: 'trailers',
      'keep-alive': '5',
      upgrade: 'h2c',
      'proxy-authorization': 'x',
      expect: '100-continue',
      'transfer-encoding': 'chunked',
      'content-length': '5',
    });
    expect(Object.keys(result).sort()).toEqual(
      [
        'causeway-gateway',
        'forwarded',
        'host',
        'via',
        'x-forwarded-for',
        'x-forwarded-host',
        'x-forwarded-proto',
      ].sort(),
    );
  });

  test('says where it comes from', () => {
    expect(sent({ host: 'h:8080' })).toMatchObject({
      via: '1.1 east-gw',
      forwarded: 'for=10.0.0.1;host="h:8080";proto=http',
      'x-forwarded-for': '10.0.0.1',
      'x-forwarded-host': 'h:8080',
      'x-forwarded-proto': 'http',
      'causeway-gateway': 'east/gw',
    });
    expect(sent({ host: 'h' }, peer({ address: '::1' })).forwarded).toBe('for="[::1]";host=h;proto=http');
  });

  test('does not name the address of a gateway that is known by its certificate', () => {
    const names = {
      dnsNames: ['tier1.example'],
      uris: [],
      emails: [],
      commonName: 'tier1',
      organizationalUnits: [],
      notAfterMs: 0,
    };
    const tier1 = peer({ identity: { name: 'tier1', ...names } });
    const before = { host: 'h', 'x-forwarded-for': '198.51.100.7' };
    expect(sent(before, tier1)['x-forwarded-for']).toBe('198.51.100.7');
    expect(sent(before, peer())['x-forwarded-for']).toBe('198.51.100.7, 10.0.0.1');
    expect(sent(before, tier1, 'proxy')['x-forwarded-for']).toBe('198.51.100.7, 10.0.0.1');
    expect(sent(before, tier1, 'client')['x-forwarded-for']).toBe('10.0.0.1');
    expect(sent({ host: 'h' }, tier1)['x-forwarded-for']).toBe('10.0.0.1');
  });

  test('puts the older headers of a trusted proxy first', () => {
    const before = {
      host: 'inner',
      'x-forwarded-for': '2001:db8::1, 10.9.9.9',
      'x-forwarded-host': 'outer:8443',
      'x-forwarded-proto': 'https',
    };
    expect(sent(before).forwarded).toBe(
      'for="[2001:db8::1]";host="outer:8443";proto=https, for=10.9.9.9, for=10.0.0.1;host=inner;proto=http',
    );
    const written = { ...before, 'x-forwarded-for': 'a;host=evil, 10.9.9.9' };
    expect(sent(written).forwarded).toBe(
      'for="a;host=evil";host="outer:8443";proto=https, for=10.9.9.9, for=10.0.0.1;host=inner;proto=http',
    );
    expect(sent({ host: 'inner', 'x-forwarded-host': 'outer' }).forwarded).toBe('for=10.0.0.1;host=inner;proto=http');
    expect(sent(before, peer(), 'client').forwarded).toBe('for=10.0.0.1;host=inner;proto=http');
  });

  test('continues what a trusted peer says', () => {
    const before = {
      host: 'inner',
      via: '1.1 tier1',
      forwarded: 'for=1.2.3.4;host=outer;proto=https',
      'x-forwarded-for': '1.2.3.4',
      'x-forwarded-host': 'outer',
      'x-forwarded-proto': 'https',
      'x-forwarded-path': '/p',
      'causeway-gateway': 'tier1',
    };
    expect(sent(before)).toMatchObject({
      via: '1.1 tier1, 1.1 east-gw',
      forwarded: 'for=1.2.3.4;host=outer;proto=https, for=10.0.0.1;host=inner;proto=http',
      'x-forwarded-for': '1.2.3.4, 10.0.0.1',
      'x-forwarded-host': 'outer',
      'x-forwarded-proto': 'https',
      'x-forwarded-path': '/p',
      'causeway-gateway': 'tier1, east/gw',
    });
  });

  test('of a stranger is not believed', () => {
    const result = sent(
      {
        host: 'h',
        forwarded: 'for=6.6.6.6',
        'x-forwarded-for': '6.6.6.6',
        'x-forwarded-path': '/p',
        'causeway-failed': 'x',
        'causeway-gateway': 'y',
      },
      peer(),
      'client',
    );
    expect(result).toMatchObject({
      forwarded: 'for=10.0.0.1;host=h;proto=http',
      'x-forwarded-for': '10.0.0.1',
      'causeway-gateway': 'east/gw',
    });
    expect(result).not.toHaveProperty('causeway-failed');
    expect(result).not.toHaveProperty('x-forwarded-path');
  });

  test('of a proxy is believed in what it says of the client, and in nothing else', () => {
    const headers = { host: 'h', 'x-forwarded-host': 'outer', 'x-forwarded-proto': 'https', 'causeway-gateway': 'y' };
    const result = sent({ ...headers, 'causeway-failed': 'x', 'causeway-operator': 'z' }, peer(), 'proxy');
    expect(result).toMatchObject({ 'x-forwarded-host': 'outer', 'causeway-gateway': 'east/gw' });
    expect(Object.keys(result).filter((name) => name.startsWith('causeway-'))).toEqual(['causeway-gateway']);
  });

  test.each<Trust>(['client', 'proxy', 'gateway'])('of a %s shows the own secret alone', (trust) => {
    const passage = {
      peer: peer(),
      trust,
      identity: identityOf({ region: undefined, name: 'gw' }, { secret: 'mine' }),
    };
    const secrets = (headers: Record<string, string>): string[] => {
      const flat = requestHeaders({ host: 'h', ...headers }, passage);
      return flat.filter((_, index) => flat[index - 1] === 'causeway-secret');
    };
    expect([secrets({}), secrets({ 'causeway-secret': 'theirs' })]).toEqual([['mine'], ['mine']]);
    expect(sent({ 'causeway-secret': 'theirs' }, peer(), trust)).not.toHaveProperty('causeway-secret');
  });

  test('to another host on the same connection says that host', () => {
    const same = peer();
    expect(sent({ host: 'a' }, same)['x-forwarded-host']).toBe('a');
    expect(sent({ host: 'b' }, same)['x-forwarded-host']).toBe('b');
  });
});

describe('an answer', () => {
  const answer = {
    'content-type': 'x/y',
    'content-length': '5',
    connection: 'close',
    'set-cookie': ['a', 'b'],
    'causeway-owner': 'east/b1',
  };

  test('keeps what is the client’s and loses what is the connection’s and ours', () => {
    const flat = responseHeaders(answer, { isPeerGateway: false, identity });
    expect(flat).toEqual(['content-type', 'x/y', 'set-cookie', 'a', 'set-cookie', 'b', 'via', '1.1 east-gw']);
  });

  test('names the consumer’s owner to a peer gateway', () => {
    const flat = responseHeaders(answer, { isPeerGateway: true, identity });
    expect(flat).toContain('causeway-owner');
  });
});
