/** Makes the entries of a credentials file: `npm run gateway -- --hash`. */
import { randomBytes } from 'node:crypto';
import { digestOfKey } from './api-keys.ts';
import { hashPassword } from './password-hash.ts';

export interface EntryOptions {
  name: string;
  roles: readonly string[];
}

/** Scanners for leaked secrets recognize keys by it. */
const KEY_PREFIX = 'causeway_';
const KEY_BYTES = 32;
/** NIST SP 800-63B, section 3.1.1.2. */
const MIN_PASSWORD_CHARACTERS = 8;

/** An API key: 256 random bits. */
export function makeKey(): string {
  return `${KEY_PREFIX}${randomBytes(KEY_BYTES).toString('base64url')}`;
}

export function keyEntry(options: EntryOptions, key: string): string {
  return entry(options, `key: sha256$${digestOfKey(key)}`);
}

export async function passwordEntry(options: EntryOptions, password: string): Promise<string> {
  return entry(options, `password: '${await hashPassword(password)}'`);
}

/** Why a text cannot be the password; `undefined` if it can. */
export function passwordProblem(password: string): string | undefined {
  // RFC 7617, section 2.
  if (/\p{Cc}/u.test(password)) return 'A password must be one line without control characters.';
  const count = [...password].length;
  return count < MIN_PASSWORD_CHARACTERS ? `A password has at least ${MIN_PASSWORD_CHARACTERS} characters.` : undefined;
}

/** YAML, as an element of a list. */
function entry({ name, roles }: EntryOptions, credentials: string): string {
  const text = `- name: ${quoted(name)}\n  ${credentials}\n`;
  return roles.length === 0 ? text : `${text}  roles: [${roles.map(quoted).join(', ')}]\n`;
}

/** A text of JSON is one of YAML. */
function quoted(text: string): string {
  return JSON.stringify(text);
}
