/** The tenants of a lab: their tokens, which the lab signs, and the JWKS by which gateways verify them. */
import { generateKeyPairSync } from 'node:crypto';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SignJWT } from 'jose';
import { copyConfig } from '../stack/config-copy.ts';
import { GUEST, tenantNames } from './names.ts';
import { tenantSections } from './sections.ts';

const ISSUER = 'https://causeway.lab/';
const AUDIENCE = 'causeway';
const ALGORITHM = 'ES256';
const KEY_ID = 'lab';
/** Longer than a lab runs. */
const TOKEN_LIFETIME = '30d';
/** Only the user of the lab reads tokens. */
const SECRET_DIRECTORY_MODE = 0o700;
const SECRET_MODE = 0o600;

/** A client of the system that the lab knows by name. */
export interface Tenant {
  readonly name: string;
  /** For the header `Authorization`. */
  readonly token: string;
  readonly tokenFile: string;
}

export interface TenantsOptions {
  /** For their tokens and the YAML. */
  directory: string;
  count: number;
  /** The YAML without tenants. It stays as it is. */
  configDirectory: string;
}

/** Written at the start of a lab, for this lab alone. */
export class Tenants {
  readonly all: readonly Tenant[];
  /** Has a token like the others, and hardly any rights. */
  readonly guest: Tenant;
  /** The YAML of gateways and bridges, with the tenants' rules. */
  readonly configDirectory: string;

  private constructor(all: readonly Tenant[], guest: Tenant, configDirectory: string) {
    this.all = all;
    this.guest = guest;
    this.configDirectory = configDirectory;
  }

  /** Replaces those of the lab before. */
  static async create({ directory, count, configDirectory }: TenantsOptions): Promise<Tenants> {
    rmSync(directory, { recursive: true, force: true });
    mkdirSync(directory, { recursive: true, mode: SECRET_DIRECTORY_MODE });
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const jwksFile = join(directory, 'jwks.json');
    const jwk = { ...publicKey.export({ format: 'jwk' }), kid: KEY_ID, alg: ALGORITHM, use: 'sig' };
    writeFileSync(jwksFile, `${JSON.stringify({ keys: [jwk] }, undefined, 2)}\n`);
    const names = tenantNames(count);
    const clients = [...names, GUEST].map(async (name): Promise<Tenant> => {
      const token = await new SignJWT()
        .setProtectedHeader({ alg: ALGORITHM, kid: KEY_ID, typ: 'at+jwt' })
        .setIssuer(ISSUER)
        .setAudience(AUDIENCE)
        .setSubject(name)
        .setIssuedAt()
        .setExpirationTime(TOKEN_LIFETIME)
        .sign(privateKey);
      const tokenFile = join(directory, `${name}.token`);
      writeFileSync(tokenFile, `${token}\n`, { mode: SECRET_MODE });
      return { name, token, tokenFile };
    });
    const all = await Promise.all(clients);
    const guest = all.pop();
    if (guest === undefined) throw new TypeError('no guest');
    const written = join(directory, 'config');
    const sections = tenantSections({ names, issuer: ISSUER, audience: AUDIENCE, jwksFile });
    copyConfig({ from: configDirectory, to: written, sections });
    return new Tenants(all, guest, written);
  }

  /** The tenants, and the guest. */
  get clients(): readonly Tenant[] {
    return [...this.all, this.guest];
  }
}
