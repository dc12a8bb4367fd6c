/** Reads what a token says about itself before its signature is verified, and refuses what no signature could mend. Pure. */
import { decodeJwt, decodeProtectedHeader, type JWTPayload, type ProtectedHeaderParameters } from 'jose';

export interface ReadToken {
  readonly kind: 'read';
  readonly header: ProtectedHeaderParameters & { readonly alg: string };
  /** Not verified: good for finding the issuer. */
  readonly payload: JWTPayload;
}

/** `refused`: why, for the client; nothing of the token is in it. */
export type TokenReading = ReadToken | { readonly kind: 'refused'; readonly reason: string };

/** Longer ones are not read: providers that list groups in tokens come to 8 KiB. */
const MAX_TOKEN_CHARS = 16_384;
const FORM = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*$/;
/** Access tokens (RFC 9068 §2.1), and what has no type of its own: others are signed by the same keys for other purposes (RFC 8725 §3.11). */
const TYPES: ReadonlySet<string> = new Set(['jwt', 'application/jwt', 'at+jwt', 'application/at+jwt']);

export function readToken(token: string): TokenReading {
  if (token.length > MAX_TOKEN_CHARS) return refused(`The token is longer than ${MAX_TOKEN_CHARS} characters.`);
  if (!FORM.test(token)) return refused('The token is not a signed JWT.');
  let header: ProtectedHeaderParameters;
  let payload: JWTPayload;
  try {
    header = decodeProtectedHeader(token);
    payload = decodeJwt(token);
  } catch {
    return refused('The token is not a signed JWT.');
  }
  const { alg, crit, b64, typ, kid } = header as Record<string, unknown>;
  if (typeof alg !== 'string') return refused('The token names no algorithm.');
  if (crit !== undefined || b64 !== undefined) return refused('The token has a critical header that is not supported.');
  if (typ !== undefined && !(typeof typ === 'string' && TYPES.has(typ.toLowerCase()))) {
    return refused('The token is of another type than access tokens.');
  }
  if (kid !== undefined && typeof kid !== 'string')
    return refused('The token names its key by something else than a text.');
  // Proofs of possession (RFC 9449, RFC 8705): without them a thief could use it.
  if (payload['cnf'] !== undefined) return refused('The token is bound to a key, and bearer tokens are not.');
  return { kind: 'read', header: { ...header, alg }, payload };
}

function refused(reason: string): TokenReading {
  return { kind: 'refused', reason };
}
