/** Credentials for a benchmark: a token of an issuer whose keys are in a file, an API key, and what a gateway must know of them. */
import { createHash, generateKeyPairSync, randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SignJWT } from 'jose';

/** `jwt`, `apiKey`: `auth` alone. `all`: tokens, rules and quotas, as many as a tenant's. */
export type IdentityKind = 'jwt' | 'apiKey' | 'all';

export interface BenchIdentity {
  /** Sections of the gateway's configuration. */
  sections: Record<IdentityKind, object>;
  /** Of each request. */
  headers: Record<IdentityKind, Readonly<Record<string, string>>>;
}

const ISSUER = 'https://id.example/';
const AUDIENCE = 'causeway';
const KEY = 'bench';
const PRINCIPAL = 'tenant-1';
const KEY_BYTES = 32;

/** The token has the claims of an OpenID provider's, and about 800 characters. */
export async function createIdentity(directory: string): Promise<BenchIdentity> {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 });
  const jwksFile = join(directory, 'jwks.json');
  writeFileSync(jwksFile, JSON.stringify({ keys: [{ ...publicKey.export({ format: 'jwk' }), kid: KEY, use: 'sig' }] }));
  const claims = { client_id: PRINCIPAL, scope: 'produce consume', roles: ['writer', 'reader'], jti: 'x'.repeat(100) };
  const token = await new SignJWT(claims)
    .setProtectedHeader({ alg: 'RS256', kid: KEY, typ: 'at+jwt' })
    .setIssuer(ISSUER)
    .setAudience(AUDIENCE)
    .setSubject(PRINCIPAL)
    .setIssuedAt()
    .setExpirationTime('1h')
    .sign(privateKey);
  const key = randomBytes(KEY_BYTES).toString('base64url');
  const file = join(directory, 'credentials.json');
  const digest = createHash('sha256').update(key).digest('hex');
  writeFileSync(file, JSON.stringify([{ name: PRINCIPAL, key: `sha256$${digest}` }]));
  const auth = { jwt: { issuers: [{ issuer: ISSUER, audience: [AUDIENCE], jwksFile }] } };
  const rules = [
    {
      principals: [PRINCIPAL],
      operations: ['produce', 'consume'],
      topics: ['bench', 'tenant-1.*'],
      groups: ['tenant-1.*'],
    },
    { principals: ['*'], operations: ['all'], topics: ['secret.*'], effect: 'deny' },
  ];
  const bearer = { authorization: `Bearer ${token}` };
  const generous = 1_000_000_000;
  const quotas = { default: { requestsPerSecond: generous, bytesPerSecond: generous, maxInFlight: 100_000 } };
  return {
    sections: { jwt: { auth }, apiKey: { auth: { apiKeys: { file } } }, all: { auth, access: { rules }, quotas } },
    headers: { jwt: bearer, all: bearer, apiKey: { 'x-api-key': key } },
  };
}
