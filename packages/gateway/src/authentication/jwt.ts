/** JSON Web Tokens as bearer tokens (RFC 6750, RFC 9068): verified once, then remembered until they expire or their key is gone. */
import { type CryptoKey, errors, type JWTPayload, jwtVerify } from 'jose';
import type { IssuerConfig } from '../config/auth.ts';
import { TextCache } from './cache.ts';
import type { IssuerKey } from './jwks.ts';
import type { KeyLookup } from './jwks-source.ts';
import { principalOf } from './jwt-claims.ts';
import { type ReadToken, readToken } from './jwt-form.ts';
import type {
  Authenticated,
  Authentication,
  AuthenticationFailure,
  AuthenticationMethod,
  CredentialedRequest,
} from './method.ts';
import { Verifications } from './verifications.ts';

/** An issuer, and where its keys are. */
export interface TrustedIssuer {
  readonly config: IssuerConfig;
  readonly keys: { find(header: ReadToken['header']): Promise<KeyLookup> };
}

export interface JwtOptions {
  issuers: readonly TrustedIssuer[];
  /** Milliseconds since 1970. */
  wallClock: () => number;
}

interface Remembered {
  readonly authenticated: Authenticated;
  readonly key: IssuerKey;
  readonly expiresAtMs: number;
}

const MS_PER_SECOND = 1_000;
const CHALLENGE = 'Bearer realm="causeway"';
/** Up to the end of the name (RFC 9110 §5.6.2): a malformed header is not one of another scheme. */
const SCHEME = /^bearer(?![!#$%&'*+.^_`|~\w-]) */i;
/** Tokens have about 1,000 characters. */
const REMEMBERED = { maxEntries: 50_000, maxChars: 67_108_864 };

export class JwtMethod implements AuthenticationMethod {
  readonly name = 'jwt';
  readonly challenge = CHALLENGE;
  readonly credentialHeaders = ['authorization'];
  readonly #issuers: ReadonlyMap<string, TrustedIssuer>;
  readonly #wallClock: () => number;
  /** By the whole header. */
  readonly #remembered = new TextCache<Remembered>(REMEMBERED);
  readonly #pending = new Map<string, Promise<Authentication>>();
  readonly #verifications = new Verifications();

  constructor({ issuers, wallClock }: JwtOptions) {
    this.#issuers = new Map(issuers.map((issuer) => [issuer.config.issuer, issuer]));
    this.#wallClock = wallClock;
  }

  applies({ message }: CredentialedRequest): boolean {
    const { authorization } = message.headers;
    return authorization !== undefined && SCHEME.test(authorization);
  }

  recall({ message }: CredentialedRequest): Authenticated | undefined {
    const { authorization = '' } = message.headers;
    const remembered = this.#remembered.get(authorization);
    if (remembered === undefined) return undefined;
    if (remembered.key.isCurrent && this.#wallClock() < remembered.expiresAtMs) return remembered.authenticated;
    this.#remembered.delete(authorization);
    return undefined;
  }

  authenticate({ message }: CredentialedRequest): Authentication | Promise<Authentication> {
    const { authorization = '' } = message.headers;
    const pending = this.#pending.get(authorization);
    if (pending !== undefined) return pending;
    const token = authorization.replace(SCHEME, '');
    const read = readToken(token);
    if (read.kind === 'refused') return invalid(read.reason);
    const issuer = this.#issuers.get(String(read.payload.iss));
    if (issuer === undefined) return invalid('The issuer of the token is not accepted.');
    const refusal = this.#refusalBefore(read, issuer.config);
    if (refusal !== undefined) return refusal;
    const verifying = this.#verify(authorization, { token, read, issuer }).finally(() =>
      this.#pending.delete(authorization),
    );
    this.#pending.set(authorization, verifying);
    return verifying;
  }

  /** What costs less than a signature, and is so for most tokens that are refused. */
  #refusalBefore({ header, payload }: ReadToken, config: IssuerConfig): Authentication | undefined {
    if (!config.algorithms.some((algorithm) => algorithm === header.alg)) {
      return invalid('The algorithm of the token is not accepted.');
    }
    if (typeof payload.exp !== 'number') return invalid('The token has no time in its claim exp.');
    // All devices behind one address may be late with new tokens at the same time.
    const isExpired = this.#expiresAtMs(payload.exp, config) <= this.#wallClock();
    return isExpired ? { ...invalid(EXPIRED), isExpired } : undefined;
  }

  #expiresAtMs(exp: number, { clockToleranceSeconds }: IssuerConfig): number {
    return (exp + clockToleranceSeconds) * MS_PER_SECOND;
  }

  async #verify(authorization: string, { token, read, issuer }: Verifying): Promise<Authentication> {
    const { config, keys } = issuer;
    const found = await keys.find(read.header);
    if (found.kind === 'unavailable') {
      return { kind: 'unavailable', message: 'The keys of the token cannot be read from its issuer now.' };
    }
    if (found.kind === 'unknown') return invalid('The key of the token is not among those of its issuer.');
    if (found.kind === 'ambiguous') return invalid('The token does not say which key of its issuer has signed it.');
    const { key, cryptoKey } = found;
    const verified = await this.#verifications.run(() => this.#verifySignature(token, cryptoKey, config));
    if (verified === undefined) {
      return { kind: 'unavailable', message: 'Too many new tokens arrive at a time.' };
    }
    if (verified.kind === 'refused') return invalid(verified.reason);
    const { payload } = verified;
    const principal = principalOf(payload, config);
    if (typeof principal === 'string') return invalid(principal);
    const authenticated: Authenticated = { kind: 'authenticated', principal };
    const expiresAtMs = this.#expiresAtMs(payload.exp ?? 0, config);
    this.#remembered.set(authorization, { authenticated, key, expiresAtMs });
    return authenticated;
  }

  async #verifySignature(token: string, key: CryptoKey, config: IssuerConfig): Promise<Verified> {
    const { issuer, audience, algorithms, clockToleranceSeconds } = config;
    try {
      const { payload } = await jwtVerify(token, key, {
        issuer,
        audience,
        algorithms,
        clockTolerance: clockToleranceSeconds,
        currentDate: new Date(this.#wallClock()),
        requiredClaims: ['exp'],
      });
      return { kind: 'verified', payload };
    } catch (error) {
      return { kind: 'refused', reason: reasonOf(error) };
    }
  }
}

interface Verifying {
  readonly token: string;
  readonly read: ReadToken;
  readonly issuer: TrustedIssuer;
}

type Verified =
  | { readonly kind: 'verified'; readonly payload: JWTPayload }
  | { readonly kind: 'refused'; readonly reason: string };

const EXPIRED = 'The token has expired.';

/** Own words: those of the library may repeat the token. */
function reasonOf(error: unknown): string {
  if (error instanceof errors.JWSSignatureVerificationFailed) return 'The signature of the token is wrong.';
  if (!(error instanceof errors.JOSEError)) return "The issuer's key of the token cannot be used.";
  if (error instanceof errors.JWTExpired) return EXPIRED;
  if (!(error instanceof errors.JWTClaimValidationFailed)) return 'The token is not a signed JWT.';
  switch (error.claim) {
    case 'aud':
      return 'The token is for another audience.';
    case 'nbf':
      return 'The token is not valid yet.';
    case 'iss':
      return 'The issuer of the token is not accepted.';
    default:
      return `The claim ${/^[a-z]+$/.test(error.claim) ? error.claim : 'of a time'} of the token is invalid.`;
  }
}

/** https://www.rfc-editor.org/rfc/rfc6750#section-3.1 */
function invalid(message: string): AuthenticationFailure {
  return {
    kind: 'failed',
    message,
    challenge: `${CHALLENGE}, error="invalid_token", error_description="${quotable(message)}"`,
  };
}

/** The characters of an error_description. */
function quotable(text: string): string {
  return text.replaceAll(/[^ !#-[\]-~]/g, '?');
}
