/** Credentials for a benchmark: a token of an issuer whose keys are in a file, and what a gateway must know of both. */
import { generateKeyPairSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SignJWT } from 'jose';

/** `jwt`: `auth` alone. `all`: rules and quotas, too, as large as a tenant's. */
export type IdentityKind = 'jwt' | 'all';

export interface BenchIdentity {
  /** Sections of the gateway's configuration. */
  sections: Record<IdentityKind, object>;
  /** Of each request. */
  headers: Readonly<Record<string, string>>;
}

const ISSUER = 'https://id.example/';
const AUDIENCE = 'causeway';
const KEY = 'bench';
const PRINCIPAL = 'tenant-1';

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
  const generous = 1_000_000_000;
  const quotas = { default: { requestsPerSecond: generous, bytesPerSecond: generous, maxInFlight: 100_000 } };
  return {
    sections: { jwt: { auth }, all: { auth, access: { rules }, quotas } },
    headers: { authorization: `Bearer ${token}` },
  };
}
