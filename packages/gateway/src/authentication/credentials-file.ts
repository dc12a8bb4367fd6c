/** The file of names and hashes for HTTP Basic and API keys: read and checked. No problem quotes a part of it, except names. */
import { statSync } from 'node:fs';
import { loadConfig } from '@causeway/config/load.ts';
import { Entry, type Static, Type } from '@causeway/config/schema.ts';
import { type PasswordHash, parsePasswordHash } from './password-hash.ts';
import { nameProblem } from './principal-name.ts';

/** A principal with what it may show. */
export interface Credentials {
  readonly name: string;
  readonly roles: readonly string[];
  readonly passwords: readonly PasswordHash[];
  /** Differs whenever any of it does. */
  readonly text: string;
}

/** A file that has been read. */
export interface CredentialsFile {
  /** By name: those with a password. */
  readonly byName: ReadonlyMap<string, Credentials>;
  /** By the SHA-256 of an API key, in hexadecimal. */
  readonly byKeyHash: ReadonlyMap<string, Credentials>;
  readonly names: ReadonlySet<string>;
  /** Why its permissions are dangerous. */
  readonly warning: string | undefined;
}

/** No principal is known. */
export const NO_CREDENTIALS: CredentialsFile = {
  byName: new Map(),
  byKeyHash: new Map(),
  names: new Set(),
  warning: undefined,
};

/** Each wrong password costs as many checks. */
const MAX_PASSWORDS = 4;
const MAX_KEYS = 100;
const KEY_TEXT = /^sha256\$[0-9a-fA-F]{64}$/;
const WRITABLE_BY_OTHERS = 0o022;
const READABLE_BY_OTHERS = 0o004;
const PERMISSIONS = 0o777;
const OCTAL = 8;

const PASSWORD = 'Hash of a password in the PHC format: $argon2id$… or $scrypt$….';
const KEY = 'sha256$ and the SHA-256 of an API key in hexadecimal.';

const CredentialsList = Type.Array(
  Entry(
    {
      name: Type.String({ description: 'The principal; unique in the file.', minLength: 1 }),
      password: Type.Optional(Type.String({ description: PASSWORD, writeOnly: true })),
      passwords: Type.Optional(
        Type.Array(Type.String(), { description: 'Several, while clients change over.', maxItems: MAX_PASSWORDS }),
      ),
      key: Type.Optional(Type.String({ description: KEY, writeOnly: true })),
      keys: Type.Optional(
        Type.Array(Type.String(), { description: 'Several, while clients change over.', maxItems: MAX_KEYS }),
      ),
      roles: Type.Array(Type.String({ minLength: 1 }), { description: 'For rules.', default: [] }),
    },
    { description: 'A principal and its credentials.' },
  ),
);
type CredentialsList = Static<typeof CredentialsList>;

type Finding = { path: (string | number)[]; reason: string };

/** Errors: `ConfigError`, with line and reason. */
export function readCredentialsFile(file: string): CredentialsFile {
  const reading = new Reading();
  loadConfig(file, { schema: CredentialsList, env: undefined, isSecret: true, check: (list) => reading.take(list) });
  const { byName, byKeyHash, names } = reading;
  return { byName, byKeyHash, names, warning: permissionsWarning(file) };
}

/** The form in which names are compared (RFC 8265 §3.4.2: without a change of case). */
export function canonicalName(name: string): string {
  return name.normalize('NFC');
}

/** Takes in the entries of one file. */
class Reading {
  readonly byName = new Map<string, Credentials>();
  readonly byKeyHash = new Map<string, Credentials>();
  readonly names = new Set<string>();

  take(list: CredentialsList): Finding[] {
    return list.flatMap((entry, index) => this.#takeEntry(entry, [index]));
  }

  #takeEntry(entry: CredentialsList[number], path: (string | number)[]): Finding[] {
    const name = canonicalName(entry.name);
    const findings = this.#checkName(name, [...path, 'name']);
    const passwords: PasswordHash[] = [];
    for (const { value, place } of valuesOf(entry, 'password')) {
      const hash = parsePasswordHash(value);
      if (typeof hash === 'string') findings.push({ path: [...path, ...place], reason: hash });
      else passwords.push(hash);
    }
    const keys = valuesOf(entry, 'key');
    if (passwords.length + keys.length === 0 && findings.length === 0) {
      findings.push({ path, reason: `${name} has neither a password nor a key` });
    }
    if (passwords.length > 0 && name.includes(':')) {
      findings.push({ path: [...path, 'name'], reason: 'a name with a password must not have a colon (RFC 7617)' });
    }
    const text = JSON.stringify([name, entry.roles, passwords.map((password) => password.text)]);
    const credentials = { name, roles: entry.roles, passwords, text };
    if (passwords.length > 0) this.byName.set(name, credentials);
    for (const { value, place } of keys) {
      const reason = this.#takeKey(value, credentials);
      if (reason !== undefined) findings.push({ path: [...path, ...place], reason });
    }
    return findings;
  }

  #checkName(name: string, path: (string | number)[]): Finding[] {
    const reason = this.names.has(name) ? `duplicate name ${name}` : nameProblem(name);
    this.names.add(name);
    return reason === undefined ? [] : [{ path, reason }];
  }

  /** Returns why it cannot be used. */
  #takeKey(value: string, credentials: Credentials): string | undefined {
    if (!KEY_TEXT.test(value)) {
      return 'is not sha256$ and 64 hexadecimal digits, but perhaps the key itself: make an entry with npm run gateway -- --hash --key';
    }
    const digest = value.slice('sha256$'.length).toLowerCase();
    const owner = this.byKeyHash.get(digest);
    if (owner !== undefined) return `is also the key of ${owner.name}: each principal needs its own`;
    this.byKeyHash.set(digest, credentials);
    return undefined;
  }
}

interface Value {
  value: string;
  /** In the entry. */
  place: (string | number)[];
}

function valuesOf(entry: CredentialsList[number], kind: 'password' | 'key'): Value[] {
  const one = entry[kind];
  const several = entry[`${kind}s`] ?? [];
  return [
    ...(one === undefined ? [] : [{ value: one, place: [kind] }]),
    ...several.map((value, index) => ({ value, place: [`${kind}s`, index] })),
  ];
}

function permissionsWarning(file: string): string | undefined {
  const mode = statSync(file).mode & PERMISSIONS;
  const octal = mode.toString(OCTAL).padStart(3, '0');
  if ((mode & WRITABLE_BY_OTHERS) !== 0) return `other users may change ${file} (mode ${octal}): chmod 640`;
  if ((mode & READABLE_BY_OTHERS) !== 0) return `all users may read ${file} (mode ${octal}): chmod 640`;
  return undefined;
}
