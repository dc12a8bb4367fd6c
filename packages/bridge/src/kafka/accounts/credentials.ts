/** The credentials of a request that Kafka is to verify: RFC 7617 (Basic) and RFC 6750 (Bearer). Pure. */
import { decodeBasic } from '@causeway/protocol/basic-credentials.ts';
import { MAX_PRINCIPAL_BYTES } from '@causeway/protocol/principal.ts';

interface PasswordCredentials {
  readonly kind: 'password';
  /** The name of the user in Kafka. */
  readonly principal: string;
  readonly password: string;
}

interface TokenCredentials {
  readonly kind: 'token';
  /** As the token says, which only Kafka verifies. */
  readonly principal: string;
  readonly token: string;
  /** By the clock of the issuer, in milliseconds since 1970. */
  readonly expiresAtMs: number;
  /** The token's claims without those of this one token: its successor has the same. */
  readonly lastingClaims: string;
}

export type Credentials = PasswordCredentials | TokenCredentials;

export type CredentialsKind = Credentials['kind'];

/** `undefined` for a header that has no credentials, or such as Kafka cannot verify. `principalClaim`: names the client. */
export function parseCredentials(authorization: string, principalClaim: string): Credentials | undefined {
  const [, scheme = '', content = ''] = /^([A-Za-z]+) +([^ ]+) *$/.exec(authorization) ?? [];
  switch (scheme.toLowerCase()) {
    case 'basic':
      return passwordOf(content);
    case 'bearer':
      return tokenOf(content, principalClaim);
    default:
      return undefined;
  }
}

/** Whose connections the credentials may use: equal for the credentials of one account before and after a renewal. */
export function accountText(credentials: Credentials): string {
  const { kind, principal } = credentials;
  return JSON.stringify([kind, principal, kind === 'token' ? credentials.lastingClaims : '']);
}

/** Whether they show the same secret, in whatever writing. */
export function isSame(a: Credentials, b: Credentials): boolean {
  if (a.kind === 'token') return b.kind === 'token' && a.token === b.token;
  return b.kind === 'password' && a.principal === b.principal && a.password === b.password;
}

const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;

function passwordOf(content: string): Credentials | undefined {
  const pair = BASE64.test(content) ? decodeBasic(content) : undefined;
  if (pair === undefined || isTooLong(pair.name)) return undefined;
  return { kind: 'password', principal: pair.name, password: pair.password };
}

/** Brokers break the connection, as if Kafka had failed, at a name of 5,000 characters; and the session log has it. */
function isTooLong(principal: string): boolean {
  return Buffer.byteLength(principal) > MAX_PRINCIPAL_BYTES;
}

/** A JWT (RFC 7519 §3), signed or not. */
const JWT = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*$/;
/** Claims that two tokens of one client never share: RFC 7519 §4.1, OpenID Connect Core §2, and those of Entra ID. */
const PASSING_CLAIMS: ReadonlySet<string> = new Set([
  'exp',
  'nbf',
  'iat',
  'jti',
  'auth_time',
  'nonce',
  'at_hash',
  'c_hash',
  'sid',
  'aio',
  'rh',
  'uti',
]);
const MILLISECONDS_PER_SECOND = 1000;

function tokenOf(token: string, principalClaim: string): Credentials | undefined {
  if (!JWT.test(token)) return undefined;
  const claims = claimsOf(token);
  if (claims === undefined) return undefined;
  const { exp } = claims;
  const principal = claims[principalClaim];
  if (typeof principal !== 'string' || principal === '' || isTooLong(principal)) return undefined;
  if (typeof exp !== 'number') return undefined;
  const lasting = Object.entries(claims)
    .filter(([name]) => !PASSING_CLAIMS.has(name))
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return {
    kind: 'token',
    principal,
    token,
    expiresAtMs: exp * MILLISECONDS_PER_SECOND,
    lastingClaims: JSON.stringify(lasting),
  };
}

function claimsOf(token: string): Record<string, unknown> | undefined {
  const text = decodeUtf8(Buffer.from(token.split('.')[1] ?? '', 'base64url'));
  try {
    const claims: unknown = JSON.parse(text ?? '');
    return typeof claims === 'object' && claims !== null && !Array.isArray(claims)
      ? (claims as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

function decodeUtf8(bytes: Buffer): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
