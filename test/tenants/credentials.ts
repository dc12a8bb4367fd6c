/** The credentials of two tenants: tokens of an OpenID provider, API keys in a file, client certificates. All of them can be replaced. */
import { createHash, randomBytes } from 'node:crypto';
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Agent } from 'undici';
import { stringify } from 'yaml';
import { TestAuthority } from '../harness/certificates.ts';
import { OpenIdProvider } from '../harness/openid-provider.ts';
import { until } from '../harness/until.ts';

export const METHODS = ['jwt', 'apiKey', 'certificate'] as const;
/** How gateways know a client. */
export type Method = (typeof METHODS)[number];

export const TENANTS = ['alice', 'bob'] as const;
export type Tenant = (typeof TENANTS)[number];

type ByTenant<T> = Readonly<Record<Tenant, T>>;

const KEY_BYTES = 32;

export class TenantCredentials {
  readonly provider: OpenIdProvider;
  readonly authority: TestAuthority;
  /** Of names and hashes, which gateways read. */
  readonly keysFile: string;
  #tokens: ByTenant<string> = { alice: '', bob: '' };
  #keys: ByTenant<string> = newKeys();
  #agents: ByTenant<Agent> | undefined;

  private constructor(provider: OpenIdProvider, authority: TestAuthority, directory: string) {
    this.provider = provider;
    this.authority = authority;
    this.keysFile = join(directory, 'keys.yaml');
  }

  static async create(directory: string): Promise<TenantCredentials> {
    const provider = await OpenIdProvider.start({ clients: TENANTS.map((id) => ({ id })) });
    const credentials = new TenantCredentials(provider, await TestAuthority.create(directory), directory);
    credentials.#writeKeys([credentials.#keys]);
    await credentials.#renewTokens();
    await credentials.renewCertificates();
    return credentials;
  }

  /** What a tenant shows in a request; certificates are not shown there. */
  headers(tenant: Tenant, method: Method): Record<string, string> {
    switch (method) {
      case 'jwt':
        return { authorization: `Bearer ${this.#tokens[tenant]}` };
      case 'apiKey':
        return { 'x-api-key': this.#keys[tenant] };
      case 'certificate':
        return {};
    }
  }

  /** Shows the tenant's certificate. */
  agent(tenant: Tenant): Agent {
    if (this.#agents === undefined) throw new Error('no certificates');
    return this.#agents[tenant];
  }

  /** The provider signs by a new key, and tenants get new tokens. */
  async rotateTokens(): Promise<void> {
    this.provider.rotate();
    await this.#renewTokens();
    this.provider.forgetOldKeys();
  }

  /** New keys: first beside the old ones; alone when `isKnown` says that gateways know them. Returns the headers of an old one. */
  async replaceKeys(isKnown: (headers: Record<string, string>) => Promise<boolean>): Promise<Record<string, string>> {
    const [before, after] = [this.#keys, newKeys()];
    this.#writeKeys([before, after]);
    await until('gateways know the new keys', async () => {
      return (await isKnown({ 'x-api-key': after.alice })) && (await isKnown({ 'x-api-key': after.bob }));
    });
    this.#keys = after;
    this.#writeKeys([after]);
    return { 'x-api-key': before.alice };
  }

  /** Connections with the old ones stay until their requests are over. */
  async renewCertificates(): Promise<void> {
    const before = Object.values(this.#agents ?? {});
    const agents = TENANTS.map(async (name) => {
      const { cert, key } = await this.authority.certify(name);
      return [name, new Agent({ connect: { ca: this.authority.cert, cert, key } })];
    });
    this.#agents = Object.fromEntries(await Promise.all(agents)) as ByTenant<Agent>;
    await Promise.all(before.map((agent) => agent.close()));
  }

  async close(): Promise<void> {
    await Promise.all(Object.values(this.#agents ?? {}).map((agent) => agent.destroy()));
    await this.provider.close();
  }

  async #renewTokens(): Promise<void> {
    this.#tokens = { alice: await this.provider.token('alice'), bob: await this.provider.token('bob') };
  }

  #writeKeys(valid: readonly ByTenant<string>[]): void {
    const hashOf = (key: string): string => `sha256$${createHash('sha256').update(key).digest('hex')}`;
    const entries = TENANTS.map((name) => ({ name, keys: valid.map((keys) => hashOf(keys[name])) }));
    const part = `${this.keysFile}.part`;
    writeFileSync(part, stringify(entries), { mode: 0o600 });
    renameSync(part, this.keysFile);
  }
}

function newKeys(): ByTenant<string> {
  const newKey = (): string => randomBytes(KEY_BYTES).toString('base64url');
  return { alice: newKey(), bob: newKey() };
}
