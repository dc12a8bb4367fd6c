import fc from 'fast-check';
import { expect, test } from 'vitest';
import { accountText, type Credentials, isSame, parseCredentials } from './credentials.ts';

const encode = (part: unknown): string => Buffer.from(JSON.stringify(part)).toString('base64url');
const NOW = { sub: 'alice', exp: 2_000_000_000 };

function jwt(claims: unknown, signature = 'c2ln'): string {
  return `${encode({ alg: 'RS256' })}.${encode(claims)}.${signature}`;
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}

function parsed(claims: unknown): Credentials {
  const found = parseCredentials(`Bearer ${jwt(claims)}`, 'sub');
  if (found === undefined) throw new Error('no credentials');
  return found;
}

test('every user and password that RFC 7617 allows', () => {
  const text = fc.string({ unit: 'grapheme' }).filter((value) => !/[\p{Cc}]/u.test(value) && value.isWellFormed());
  const name = text.filter((value) => value !== '' && !value.includes(':'));
  fc.assert(
    fc.property(name, text, fc.constantFrom('Basic', 'basic', 'BASIC'), (principal, password, scheme) => {
      const credentials = parseCredentials(`${scheme} ${base64(`${principal}:${password}`)}`, 'sub');
      expect(credentials).toEqual({ kind: 'password', principal, password });
    }),
  );
});

test('a token: its principal, its end', () => {
  const token = jwt({ sub: 's', client_id: 'robot', exp: 2_000_000_000 });
  expect(parseCredentials(`Bearer ${token}`, 'client_id')).toMatchObject({
    kind: 'token',
    principal: 'robot',
    token,
    expiresAtMs: 2_000_000_000_000,
  });
});

test.each([
  ['', 'nothing'],
  ['Basic', 'no content'],
  ['Basic !!!', 'no base64'],
  [`Basic ${base64('no colon')}`, 'no colon'],
  [`Basic ${base64(':secret')}`, 'no name'],
  [`Basic ${base64('a\0b:secret')}`, 'a NUL, which SASL PLAIN separates by'],
  [`Basic ${base64('a:se\u0001cret')}`, 'a control character in the password'],
  [`Basic ${Buffer.from([0xff, 0x3a, 0x61]).toString('base64')}`, 'invalid UTF-8'],
  [`Basic ${base64(`${'\u00e4'.repeat(129)}:b`)}`, 'a name of 258 bytes'],
  [`Bearer ${jwt({ sub: 'a'.repeat(257), exp: 2_000_000_000 })}`, 'a subject of 257 bytes'],
  [`Basic ${base64('a:b')}, Basic ${base64('c:d')}`, 'two'],
  ['Bearer opaque', 'an opaque token'],
  ['Bearer a.b.c', 'no JSON'],
  [`Bearer ${jwt([])}`, 'no claims'],
  [`Bearer ${jwt(null)}`, 'null'],
  [`Bearer ${jwt({ exp: 2_000_000_000 })}`, 'no subject'],
  [`Bearer ${jwt({ sub: '', exp: 2_000_000_000 })}`, 'an empty subject'],
  [`Bearer ${jwt({ sub: 7, exp: 2_000_000_000 })}`, 'a subject that is no string'],
  [`Bearer ${jwt({ sub: 'alice' })}`, 'no end'],
  [`Bearer ${jwt(NOW)}\u0001auth=Bearer other`, 'a separator of SASL'],
  [`Negotiate ${base64('a:b')}`, 'another scheme'],
])('%j has none: %s', (header) => {
  expect(parseCredentials(header, 'sub')).toBeUndefined();
});

test('a renewed token is of the same account, whatever the order of its claims', () => {
  const first = parsed({ sub: 'alice', scope: 'a', exp: 2_000_000_000, iat: 1, jti: 'x' });
  const second = parsed({ jti: 'y', iat: 2, exp: 2_000_000_300, scope: 'a', sub: 'alice' });
  expect(accountText(second)).toBe(accountText(first));
  expect(isSame(first, second)).toBe(false);
});

test.each([
  { sub: 'bob', scope: 'a', exp: 2_000_000_000 },
  { sub: 'alice', scope: 'b', exp: 2_000_000_000 },
  { sub: 'alice', scope: 'a', groups: ['admin'], exp: 2_000_000_000 },
  { sub: 'alice', scope: 'a', iss: 'https://another.example', exp: 2_000_000_000 },
])('a token that Kafka may treat in another way is of another account: %j', (claims) => {
  expect(accountText(parsed(claims))).not.toBe(accountText(parsed({ sub: 'alice', scope: 'a', exp: 2_000_000_000 })));
});

test('a password changes nothing about the account, and a token of the same name does', () => {
  const [first, second] = ['one', 'two'].map((password) =>
    parseCredentials(`Basic ${base64(`alice:${password}`)}`, 'sub'),
  );
  if (first === undefined || second === undefined) throw new Error('no credentials');
  expect(accountText(first)).toBe(accountText(second));
  expect(isSame(first, second)).toBe(false);
  expect(accountText(first)).not.toBe(accountText(parsed(NOW)));
  expect(accountText(first)).not.toContain('one');
});
