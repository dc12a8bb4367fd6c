import { describe, expect, test } from 'vitest';
import { hashPassword, isPassword, type PasswordHash, parsePasswordHash } from './password-hash.ts';

const DIGEST = 'A'.repeat(43);
const SALT = 'c2FsdHNhbHRzYWx0c2FsdA';

function parsed(text: string): PasswordHash {
  const hash = parsePasswordHash(text);
  if (typeof hash === 'string') throw new Error(hash);
  return hash;
}

test('a password is the one of its hash, whatever form its letters have, and no other', async () => {
  const text = await hashPassword('pässword: with é');
  expect(text).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/);
  expect(await hashPassword('pässword: with é')).not.toBe(text);
  const hash = parsed(text);
  expect(await isPassword(hash, 'pässword: with é'.normalize('NFD'))).toBe(true);
  for (const other of ['pässword: with e', 'pässword: with é ', '', 'PÄSSWORD: WITH É']) {
    expect(await isPassword(hash, other)).toBe(false);
  }
});

test.each([
  // Made by Python: hashlib.scrypt, and Argon2id of cryptography.
  ['scrypt', '$scrypt$ln=15,r=8,p=1$c2FsdHNhbHRzYWx0c2FsdA$I08hlG92LDYoMl/9VKf0zgfMRMPXjFzYk3rXjFEs85U'],
  ['argon2id', '$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$T95q7S205tf9WI4HhYOZDIQmMMAbntacGXTIku0gXT8'],
])('hashes of other programs are read: %s', async (_, text) => {
  expect(await isPassword(parsed(text), 'password')).toBe(true);
  expect(await isPassword(parsed(text), 'passwort')).toBe(false);
});

describe('a hash that cannot be used is described, without its text', () => {
  test.each([
    ['hunter2hunter2', 'is not the hash of a password'],
    ['', 'is not the hash of a password'],
    ['$2b$12$abcdefghijklmnopqrstuv', 'is a hash of bcrypt'],
    [`$argon2i$v=19$m=19456,t=2,p=1$${SALT}$${DIGEST}`, 'is not a valid hash'],
    [`$argon2id$v=16$m=19456,t=2,p=1$${SALT}$${DIGEST}`, 'is not a valid hash'],
    [`$argon2id$v=19$m=4096,t=3,p=1$${SALT}$${DIGEST}`, 'too weak'],
    [`$argon2id$v=19$m=19456,t=1,p=1$${SALT}$${DIGEST}`, 'too weak'],
    [`$argon2id$v=19$m=19456,t=0,p=1$${SALT}$${DIGEST}`, 'too weak'],
    [`$argon2id$v=19$m=262145,t=1,p=1$${SALT}$${DIGEST}`, 'cost too much'],
    [`$argon2id$v=19$m=262144,t=9,p=1$${SALT}$${DIGEST}`, 'cost too much'],
    [`$argon2id$v=19$m=19456,t=2,p=0$${SALT}$${DIGEST}`, 'cost too much'],
    [`$argon2id$v=19$m=19456,t=2,p=17$${SALT}$${DIGEST}`, 'cost too much'],
    [`$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$${DIGEST}`, 'the salt'],
    [`$argon2id$v=19$m=19456,t=2,p=1$${SALT}$AAAA`, 'the digest'],
    [`$argon2id$v=19$m=19456,t=2,p=1$${SALT}$`, 'is not a valid hash'],
    [`$scrypt$ln=14,r=8,p=1$${SALT}$${DIGEST}`, 'too weak'],
    [`$scrypt$ln=18,r=1,p=1$${SALT}$${DIGEST}`, 'too weak'],
    [`$scrypt$ln=15,r=8,p=0$${SALT}$${DIGEST}`, 'too weak'],
    [`$scrypt$ln=19,r=8,p=1$${SALT}$${DIGEST}`, 'cost too much'],
    [`$scrypt$ln=99,r=8,p=1$${SALT}$${DIGEST}`, 'cost too much'],
    [`$scrypt$ln=17,r=8,p=17$${SALT}$${DIGEST}`, 'cost too much'],
    [`$scrypt$ln=15,r=8$${SALT}$${DIGEST}`, 'is not a valid hash'],
  ])('%s', (text, reason) => {
    const problem = parsePasswordHash(text);
    expect(problem).toContain(reason);
    for (const part of text.split(/[$,]/).filter((piece) => piece.length > 8)) expect(problem).not.toContain(part);
  });
});
