/** The whole system with two tenants, whom its gateways know by tokens, by API keys and by client certificates. */
import { createHash, randomBytes } from 'node:crypto';
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findFreePorts } from '@causeway/lab/stack/ports.ts';
import type { Consumer, ConsumerPage } from '@causeway/protocol/admin/model.ts';
import { Agent } from 'undici';
import { stringify } from 'yaml';
import { TestAuthority } from '../harness/certificates.ts';
import { OpenIdProvider } from '../harness/openid-provider.ts';
import { startTestStack, type TestStack } from '../harness/stack.ts';
import type { MatrixRequest } from './operations.ts';

export const METHODS = ['jwt', 'apiKey', 'certificate'] as const;
/** How gateways know a client. */
export type Method = (typeof METHODS)[number];

export const TENANTS = ['alice', 'bob'] as const;
export type Tenant = (typeof TENANTS)[number];

export interface MatrixResponse {
  status: number;
  text: string;
  challenge: string | undefined;
}

const GATEWAYS = ['tier1', 'east-gateway', 'west-gateway'];

export class TenantSystem {
  readonly system: TestStack;
  readonly provider: OpenIdProvider;
  /** Of the names of everything in this run. */
  readonly run: string;
  readonly #directory: string;
  readonly #tlsUrl: string;
  readonly #tokens: Readonly<Record<Tenant, string>>;
  readonly #keys: Readonly<Record<Tenant, string>>;
  readonly #plain = new Agent();
  readonly #agents: Readonly<Record<Tenant, Agent>>;

  private constructor(parts: {
    system: TestStack;
    provider: OpenIdProvider;
    run: string;
    directory: string;
    tlsUrl: string;
    tokens: Readonly<Record<Tenant, string>>;
    keys: Readonly<Record<Tenant, string>>;
    agents: Readonly<Record<Tenant, Agent>>;
  }) {
    this.system = parts.system;
    this.provider = parts.provider;
    this.run = parts.run;
    this.#directory = parts.directory;
    this.#tlsUrl = parts.tlsUrl;
    this.#tokens = parts.tokens;
    this.#keys = parts.keys;
    this.#agents = parts.agents;
  }

  static async start(bootstrap: string): Promise<TenantSystem> {
    const directory = mkdtempSync(join(tmpdir(), 'causeway-tenants-'));
    const run = randomBytes(4).toString('hex');
    const provider = await OpenIdProvider.start({ clients: TENANTS.map((id) => ({ id })) });
    const authority = await TestAuthority.create(directory);
    const server = await authority.certify('tier1', { dns: ['localhost'], ip: ['127.0.0.1'] });
    const keys = byTenant(() => randomBytes(32).toString('base64url'));
    const keysFile = writeKeys(directory, keys);
    const [tlsPort = 0] = await findFreePorts(1);
    const tls = { certFile: server.certFile, keyFile: server.keyFile, clientCaFile: authority.certFile };
    const listeners = [
      { name: 'plain', host: '127.0.0.1', port: '${TIER1_PORT}' },
      { name: 'tls', host: '127.0.0.1', port: tlsPort, tls: { ...tls, clientCertificates: 'request' } },
    ];
    const system = await startTestStack(bootstrap, {
      prepare(config) {
        const tier1 = join(config, 'tier1.yaml');
        const yaml = readFileSync(tier1, 'utf8')
          .replace(/^listen:\n(?: .*\n)+/m, stringify({ listeners }))
          // All work is in east until it dies.
          .replace('name: west\n    weight: 50', 'name: west\n    priority: 1');
        writeFileSync(tier1, yaml);
        for (const name of GATEWAYS) {
          // Only tier-1 has a listener that verifies certificates of clients.
          const certificates = name === 'tier1' ? { clientCertificates: { principal: ['commonName'] } } : {};
          const sections = identitySections({ run, keysFile, issuer: provider.issuerYaml, certificates });
          appendFileSync(join(config, `${name}.yaml`), stringify(sections));
        }
      },
    });
    await system.untilWell();
    const agents = byTenant(async (name) => {
      const { cert, key } = await authority.certify(name);
      return new Agent({ connect: { ca: authority.cert, cert, key } });
    });
    return new TenantSystem({
      system,
      provider,
      run,
      directory,
      keys,
      tlsUrl: `https://127.0.0.1:${tlsPort}`,
      tokens: { alice: await provider.token('alice'), bob: await provider.token('bob') },
      agents: { alice: await agents.alice, bob: await agents.bob },
    });
  }

  /** To the tier-1 gateway. */
  async send(tenant: Tenant, method: Method, request: MatrixRequest): Promise<MatrixResponse> {
    switch (method) {
      case 'jwt':
        return await this.ask(request, this.tokenHeader(tenant));
      case 'apiKey':
        return await this.ask(request, { 'x-api-key': this.#keys[tenant] });
      case 'certificate':
        return await ask(request, { origin: this.#tlsUrl, dispatcher: this.#agents[tenant], headers: {} });
    }
  }

  tokenHeader(tenant: Tenant): { authorization: string } {
    return { authorization: `Bearer ${this.#tokens[tenant]}` };
  }

  /** With other headers, or to another gateway than tier-1. */
  async ask(
    request: MatrixRequest,
    headers: Readonly<Record<string, string>>,
    origin: string = this.system.url,
  ): Promise<MatrixResponse> {
    return await ask(request, { origin, dispatcher: this.#plain, headers });
  }

  /** The consumers of a group of the tenants', as tier-1's admin API lists them. */
  async operatorsView(group: string): Promise<Consumer[]> {
    const request = { method: 'GET', path: `/api/consumers?filter=${encodeURIComponent(group)}` } as const;
    const { stack } = this.system;
    const { text } = await this.ask(request, { authorization: `Bearer ${stack.adminToken}` }, stack.tier1.admin);
    return (JSON.parse(text) as ConsumerPage).consumers;
  }

  async close(): Promise<void> {
    await Promise.all([this.#plain, ...Object.values(this.#agents)].map((agent) => agent.destroy()));
    await this.system.close();
    await this.provider.close();
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

async function ask(
  { method, path, type, body }: MatrixRequest,
  { origin, dispatcher, headers }: { origin: string; dispatcher: Agent; headers: Readonly<Record<string, string>> },
): Promise<MatrixResponse> {
  const response = await dispatcher.request({
    origin,
    method,
    path,
    headers: { ...headers, ...(type === undefined ? {} : { 'content-type': type }) },
    body: body ?? null,
  });
  const challenge = response.headers['www-authenticate'];
  return {
    status: response.statusCode,
    text: await response.body.text(),
    challenge: Array.isArray(challenge) ? challenge.join(', ') : challenge,
  };
}

function byTenant<T>(make: (tenant: Tenant) => T): Record<Tenant, T> {
  return { alice: make('alice'), bob: make('bob') };
}

/** The file of names and hashes that gateways read. */
function writeKeys(directory: string, keys: Readonly<Record<Tenant, string>>): string {
  const file = join(directory, 'keys.yaml');
  const entries = TENANTS.map((name) => ({
    name,
    key: `sha256$${createHash('sha256').update(keys[name]).digest('hex')}`,
  }));
  writeFileSync(file, stringify(entries), { mode: 0o600 });
  return file;
}

interface SectionsOptions {
  run: string;
  keysFile: string;
  issuer: object;
  /** More keys of `auth`. */
  certificates: object;
}

/** Each tenant may use what begins with its name, and groups that both share. */
function identitySections({ run, keysFile, issuer, certificates }: SectionsOptions): object {
  return {
    auth: {
      jwt: { issuers: [issuer] },
      apiKeys: { file: keysFile },
      ...certificates,
    },
    access: {
      rules: TENANTS.map((name) => ({
        principals: [name],
        operations: ['all'],
        topics: [`${name}-${run}.*`],
        groups: [`${name}-${run}.*`, `shared-${run}.*`],
      })),
    },
    // The matrix fails to authenticate more often than any client may.
    quotas: { failedAuthentications: { perMinute: 100_000, burst: 100_000 } },
  };
}
