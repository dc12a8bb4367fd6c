/** HTTP Basic (RFC 7617): names and passwords, checked by the credentials file. */
import { hash, randomBytes } from 'node:crypto';
import type { NameAndPassword } from '@causeway/protocol/basic-credentials.ts';
import type { Principal } from '../exchange/admission.ts';
import { isBasic, parseBasic } from './basic-header.ts';
import { TextCache } from './cache.ts';
import { type Credentials, type CredentialsFile, canonicalName } from './credentials-file.ts';
import type { Authenticated, Authentication, AuthenticationMethod, CredentialedRequest } from './method.ts';
import type { PasswordChecks } from './password-checks.ts';
import { NO_PASSWORD, type PasswordHash } from './password-hash.ts';

export interface BasicOptions {
  /** The file in use. */
  file: () => CredentialsFile;
  checks: PasswordChecks;
  realm: string;
  /** Milliseconds, never going back. */
  now: () => number;
}

/** Pairs that were right are known for this long after their last use. */
const KNOWN_MS = 600_000;
/** Digests of pairs; the secret makes them useless outside this process. */
const KNOWN_LIMITS = { maxEntries: 20_000, maxChars: 1_000_000 };
const SECRET_BYTES = 32;
const HEX = 16;
/** Of a digest, enough to choose an entry. */
const PLACE_DIGITS = 8;

const MALFORMED: Authentication = { kind: 'failed', message: 'The credentials of HTTP Basic are malformed.' };
/** The same for an unknown name and for a wrong password. */
const WRONG: Authentication = { kind: 'failed', message: 'The name or the password is wrong.' };
const BUSY: Authentication = { kind: 'unavailable', message: 'Too many passwords are being checked; try again.' };

interface Known {
  readonly credentials: Credentials;
  readonly authenticated: Authenticated;
  usedAtMs: number;
}

export class Basic implements AuthenticationMethod {
  readonly name = 'basic';
  readonly challenge: string;
  readonly credentialHeaders = ['authorization'];
  readonly #options: BasicOptions;
  readonly #secret = randomBytes(SECRET_BYTES).toString('latin1');
  /** By the digest of the header. */
  readonly #known = new TextCache<Known>(KNOWN_LIMITS);
  /** A client's connections show the same pair at the same time: one check is enough. */
  readonly #pending = new Map<string, Promise<Authentication>>();

  constructor(options: BasicOptions) {
    this.#options = options;
    this.challenge = `Basic realm="${options.realm}", charset="UTF-8"`;
  }

  applies({ message }: CredentialedRequest): boolean {
    const { authorization } = message.headers;
    return authorization !== undefined && isBasic(authorization);
  }

  recall({ message }: CredentialedRequest): Authenticated | undefined {
    const digest = this.#digestOf(message.headers.authorization);
    const known = this.#known.get(digest);
    if (known === undefined) return undefined;
    const nowMs = this.#options.now();
    if (nowMs - known.usedAtMs > KNOWN_MS || !this.#isInForce(known.credentials)) {
      this.#known.delete(digest);
      return undefined;
    }
    known.usedAtMs = nowMs;
    return known.authenticated;
  }

  authenticate(request: CredentialedRequest): Authentication | Promise<Authentication> {
    const { authorization = '' } = request.message.headers;
    const pair = parseBasic(authorization);
    if (pair === undefined) return MALFORMED;
    const digest = this.#digestOf(authorization);
    let pending = this.#pending.get(digest);
    if (pending === undefined) {
      pending = this.#check(pair, { digest, address: request.clientAddress }).finally(() =>
        this.#pending.delete(digest),
      );
      this.#pending.set(digest, pending);
    }
    return pending;
  }

  #digestOf(header = ''): string {
    return hash('sha256', this.#secret + header, 'base64');
  }

  /** Whether the file still has the entry, with the same passwords and roles; changes of others do not matter. */
  #isInForce(credentials: Credentials): boolean {
    const current = this.#options.file().byName.get(credentials.name);
    return current === credentials || current?.text === credentials.text;
  }

  async #check(
    { name, password }: NameAndPassword,
    { digest, address }: { digest: string; address: string },
  ): Promise<Authentication> {
    const credentials = this.#options.file().byName.get(canonicalName(name));
    const hashes = credentials?.passwords ?? this.#decoyFor(name);
    const result = await this.#options.checks.check({ hashes, password, address });
    if (result === 'full' || result === 'failed') return BUSY;
    // The file may have changed meanwhile.
    if (result === 'wrong' || credentials === undefined || !this.#isInForce(credentials)) return WRONG;
    const principal: Principal = { name: credentials.name, roles: credentials.roles, method: 'basic' };
    const authenticated: Authenticated = { kind: 'authenticated', principal };
    this.#known.set(digest, { credentials, authenticated, usedAtMs: this.#options.now() });
    return authenticated;
  }

  /** The hashes of another entry, the same for each request with the name: an unknown name costs the time of a known one. */
  #decoyFor(name: string): readonly PasswordHash[] {
    const entries = [...this.#options.file().byName.values()];
    const place = Number.parseInt(hash('sha256', this.#secret + name, 'hex').slice(0, PLACE_DIGITS), HEX);
    return entries[place % entries.length]?.passwords ?? [NO_PASSWORD];
  }
}
