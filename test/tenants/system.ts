/** The whole system with two tenants, whom its gateways know by tokens, by API keys and by client certificates. */
import { randomBytes } from 'node:crypto';
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findFreePorts } from '@causeway/lab/stack/ports.ts';
import type { Consumer, ConsumerPage } from '@causeway/protocol/admin/model.ts';
import { Agent } from 'undici';
import { stringify } from 'yaml';
import { startTestStack, type TestStack } from '../harness/stack.ts';
import { type Method, TENANTS, type Tenant, TenantCredentials } from './credentials.ts';
import type { MatrixRequest } from './operations.ts';

export interface MatrixResponse {
  status: number;
  text: string;
  challenge: string | undefined;
}

const GATEWAYS = ['tier1', 'east-gateway', 'west-gateway'];

export class TenantSystem {
  readonly system: TestStack;
  readonly credentials: TenantCredentials;
  /** Of the names of everything in this run. */
  readonly run: string;
  readonly #directory: string;
  readonly #tlsUrl: string;
  readonly #plain = new Agent();

  private constructor(parts: {
    system: TestStack;
    credentials: TenantCredentials;
    run: string;
    directory: string;
    tlsUrl: string;
  }) {
    this.system = parts.system;
    this.credentials = parts.credentials;
    this.run = parts.run;
    this.#directory = parts.directory;
    this.#tlsUrl = parts.tlsUrl;
  }

  static async start(bootstrap: string): Promise<TenantSystem> {
    const directory = mkdtempSync(join(tmpdir(), 'causeway-tenants-'));
    const run = randomBytes(4).toString('hex');
    const credentials = await TenantCredentials.create(directory);
    const { certFile, keyFile } = await credentials.authority.certify('tier1', { ip: ['127.0.0.1'] });
    const tls = { certFile, keyFile, clientCaFile: credentials.authority.certFile, clientCertificates: 'request' };
    const [tlsPort = 0] = await findFreePorts(1);
    const listeners = [
      { name: 'plain', host: '127.0.0.1', port: '${TIER1_PORT}' },
      { name: 'tls', host: '127.0.0.1', port: tlsPort, tls },
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
          const sections = identitySections(run, credentials, { verifiesCertificates: name === 'tier1' });
          appendFileSync(join(config, `${name}.yaml`), stringify(sections));
        }
      },
    });
    await system.untilWell();
    return new TenantSystem({ system, credentials, run, directory, tlsUrl: `https://127.0.0.1:${tlsPort}` });
  }

  /** To the tier-1 gateway. */
  async send(tenant: Tenant, method: Method, request: MatrixRequest): Promise<MatrixResponse> {
    const headers = this.credentials.headers(tenant, method);
    if (method !== 'certificate') return await this.ask(request, headers);
    return await ask(request, { origin: this.#tlsUrl, dispatcher: this.credentials.agent(tenant), headers });
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
    await this.#plain.destroy();
    await this.system.close();
    await this.credentials.close();
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

/** Each tenant may use what begins with its name, and groups that both share. */
function identitySections(
  run: string,
  { provider, keysFile }: TenantCredentials,
  { verifiesCertificates }: { verifiesCertificates: boolean },
): object {
  const methods = { jwt: { issuers: [provider.issuerYaml] }, apiKeys: { file: keysFile } };
  return {
    auth: verifiesCertificates ? { ...methods, clientCertificates: { principal: ['commonName'] } } : methods,
    access: {
      rules: TENANTS.map((name) => ({
        principals: [name],
        operations: ['all'],
        topics: [`${name}-${run}.*`],
        groups: [`${name}-${run}.*`, `shared-${run}.*`],
      })),
    },
    // A machine that is busy with other tests stalls; a region that dies refuses connections at once.
    healthCheck: { timeoutMs: 10_000 },
    // The matrix fails to authenticate more often than any client may.
    quotas: { failedAuthentications: { perMinute: 100_000, burst: 100_000 } },
  };
}
