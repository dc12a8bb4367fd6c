/** The keys of one issuer (JWKS, RFC 7517): which of them verifies a token, and whether it still may. */
import { readText } from '@causeway/config/secret.ts';
import { type CryptoKey, createLocalJWKSet, type JSONWebKeySet, type JWK, type JWSHeaderParameters } from 'jose';

/** One key. It stays the same object as long as the issuer publishes it unchanged. */
export interface IssuerKey {
  readonly id: string | undefined;
  /** False from the moment the issuer no longer publishes it: tokens that it has verified must be verified again. */
  isCurrent: boolean;
}

export interface FoundKey {
  readonly kind: 'found';
  readonly key: IssuerKey;
  readonly cryptoKey: CryptoKey;
}

/** `ambiguous`: the token names none, and several fit. */
export type KeySearch = FoundKey | { readonly kind: 'unknown' } | { readonly kind: 'ambiguous' };

interface Entry {
  readonly text: string;
  readonly key: IssuerKey;
  /** Rejects where algorithm or use do not fit. */
  readonly resolve: (header: JWSHeaderParameters) => Promise<CryptoKey>;
}

/** An issuer has a few. Each could be tried for a token that names none. */
const MAX_KEYS = 100;

export class KeyRing {
  #entries: readonly Entry[] = [];

  get isEmpty(): boolean {
    return this.#entries.length === 0;
  }

  /** Takes over what the issuer publishes now. Errors: `Error` for what is no JWKS with a usable key; the keys before stay. */
  update(jwks: unknown): void {
    const before = new Map(this.#entries.map((entry) => [entry.text, entry]));
    const entries = jwksOf(jwks).flatMap((jwk) => before.get(JSON.stringify(jwk)) ?? entryOf(jwk) ?? []);
    if (entries.length === 0) throw new Error('has no public key for signatures');
    if (entries.length > MAX_KEYS) throw new Error(`has more than ${MAX_KEYS} keys`);
    const kept = new Set(entries);
    for (const entry of this.#entries) if (!kept.has(entry)) entry.key.isCurrent = false;
    this.#entries = entries;
  }

  /** Forgets all keys. */
  drop(): void {
    for (const { key } of this.#entries) key.isCurrent = false;
    this.#entries = [];
  }

  async find(header: JWSHeaderParameters): Promise<KeySearch> {
    const found: FoundKey[] = [];
    for (const { key, resolve } of this.#entries) {
      if (header.kid !== undefined && header.kid !== key.id) continue;
      try {
        found.push({ kind: 'found', key, cryptoKey: await resolve(header) });
      } catch {
        // It does not fit the algorithm, or is no valid key.
      }
    }
    const [first] = found;
    if (first === undefined) return { kind: 'unknown' };
    return found.length === 1 ? first : { kind: 'ambiguous' };
  }
}

/** Reads a file of keys, which {@link KeyRing} may still refuse. Errors: `Error` with the file and the reason. */
export function readJwks(file: string): unknown {
  const text = readText(file);
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    throw new Error(`${file} is not JSON`, { cause });
  }
}

function jwksOf(jwks: unknown): JWK[] {
  const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;
  if (!isObject(jwks) || !('keys' in jwks) || !Array.isArray(jwks.keys))
    throw new Error('is not a JWKS: it has no keys');
  return jwks.keys.filter((key) => isObject(key) && 'kty' in key && typeof key.kty === 'string') as JWK[];
}

/** `undefined` for keys that verify no signatures: shared ones, private ones, those for encryption. */
function entryOf(jwk: JWK): Entry | undefined {
  if (jwk.kty === 'oct' || jwk['d'] !== undefined || (jwk.use !== undefined && jwk.use !== 'sig')) return undefined;
  const set: JSONWebKeySet = { keys: [jwk] };
  const resolve = createLocalJWKSet(set);
  return {
    text: JSON.stringify(jwk),
    key: { id: typeof jwk.kid === 'string' ? jwk.kid : undefined, isCurrent: true },
    resolve: (header) => resolve(header, { payload: '', signature: '' }),
  };
}
