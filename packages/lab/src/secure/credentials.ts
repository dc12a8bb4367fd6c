/** The files of a secure lab: its authority's certificate, each program's key and certificate, passwords of Kafka's users, admin tokens. */
import { randomBytes } from 'node:crypto';
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Authority } from './authority.ts';
import type { CertifiedKey, Subject } from './certificate.ts';
import type { ClientTls } from './client-tls.ts';
import { BRIDGE_USERS, BROKER_NAME, CLIENT_IDS, KAFKA_ADMIN, LAB_CLIENT, SERVERS } from './names.ts';

const SECRET_BYTES = 24;
/** Only the user of the lab reads keys and passwords. */
const SECRET_DIRECTORY_MODE = 0o700;
const SECRET_MODE = 0o600;
const PUBLIC_MODE = 0o644;

export interface CredentialsOptions {
  /** For `ca.pem` and the directory of the rest. */
  directory: string;
  /** Where programs are reached besides loopback. */
  addresses: readonly string[];
  brokerCount: number;
}

/** Written at the start of a lab, for this lab alone. */
export class Credentials {
  /** The authority's certificate; anyone may read it. */
  readonly caFile: string;
  /** Of everything else; only the user of the lab may read it. */
  readonly directory: string;
  /** How the lab's own programs speak to the others. */
  readonly lab: ClientTls;
  /** The passwords of Kafka's users, by name. */
  readonly kafkaPasswords: Readonly<Record<string, string>>;
  /** Of every gateway's admin API. */
  readonly adminTokens = { operator: newSecret(), viewer: newSecret() } as const;
  readonly #authority: Authority;
  readonly #addresses: readonly string[];

  private constructor(parts: {
    authority: Authority;
    options: CredentialsOptions;
    lab: CertifiedKey;
    kafkaPasswords: Readonly<Record<string, string>>;
  }) {
    const { authority, options, lab } = parts;
    this.caFile = join(options.directory, 'ca.pem');
    this.directory = secretDirectory(options.directory);
    this.lab = { ca: authority.cert, cert: lab.cert, key: lab.key };
    this.kafkaPasswords = parts.kafkaPasswords;
    this.#authority = authority;
    this.#addresses = options.addresses;
  }

  /** Replaces those of the lab before. */
  static async create(options: CredentialsOptions): Promise<Credentials> {
    const authority = await Authority.create('Causeway lab');
    const users = [KAFKA_ADMIN, ...BRIDGE_USERS];
    const passwords = Object.fromEntries(users.map((user) => [user, newSecret()]));
    const lab = await authority.certify(clientSubject(LAB_CLIENT), 'client');
    const credentials = new Credentials({ authority, options, lab, kafkaPasswords: passwords });
    rmSync(credentials.directory, { recursive: true, force: true });
    mkdirSync(credentials.directory, { recursive: true, mode: SECRET_DIRECTORY_MODE });
    writeFileSync(credentials.caFile, authority.cert, { mode: PUBLIC_MODE });
    credentials.#writeKey(`${LAB_CLIENT}-client`, lab);
    for (const [user, password] of Object.entries(passwords)) credentials.#write(`${user}.password`, `${password}\n`);
    for (const [role, token] of Object.entries(credentials.adminTokens))
      credentials.#write(`${role}.token`, `${token}\n`);
    await Promise.all([
      credentials.renew(),
      ...Array.from({ length: options.brokerCount }, (_, index) => credentials.#certifyBroker(index + 1)),
    ]);
    return credentials;
  }

  /** New keys and certificates for gateways and bridges, which replace those before while the programs run. */
  async renew(): Promise<void> {
    await Promise.all([
      ...SERVERS.map(async (name) => {
        this.#writeKey(name, await this.#authority.certify(this.#serverSubject(name), 'server'));
      }),
      ...Object.keys(CLIENT_IDS)
        .filter((name) => name !== LAB_CLIENT)
        .map(async (name) => {
          this.#writeKey(`${name}-client`, await this.#authority.certify(clientSubject(name), 'client'));
        }),
    ]);
  }

  /** Of the lab's own programs. */
  get labFiles(): { certFile: string; keyFile: string } {
    return { certFile: this.#file(`${LAB_CLIENT}-client.crt`), keyFile: this.#file(`${LAB_CLIENT}-client.key`) };
  }

  /** Key and certificate of a broker in one file, as Kafka reads them. */
  brokerFile(id: number): string {
    return this.#file(`${BROKER_NAME}-${id}.pem`);
  }

  async #certifyBroker(id: number): Promise<void> {
    // Brokers are clients of each other, too.
    const { cert, key } = await this.#authority.certify(this.#serverSubject(BROKER_NAME), 'both');
    this.#write(`${BROKER_NAME}-${id}.pem`, `${key}${cert}`);
  }

  #serverSubject(name: string): Subject {
    return {
      name,
      dns: ['localhost', `${name}.causeway.test`],
      ip: ['127.0.0.1', '::1', ...this.#addresses],
    };
  }

  /** The certificate first: a program that reads between the two keeps what it had, and reads again. */
  #writeKey(name: string, { cert, key }: CertifiedKey): void {
    this.#write(`${name}.crt`, cert);
    this.#write(`${name}.key`, key);
  }

  /** At once: a reader sees the file before or after. */
  #write(name: string, text: string): void {
    const file = this.#file(name);
    const part = `${file}.part`;
    writeFileSync(part, text, { mode: SECRET_MODE });
    renameSync(part, file);
  }

  #file(name: string): string {
    return join(this.directory, name);
  }
}

function newSecret(): string {
  return randomBytes(SECRET_BYTES).toString('base64url');
}

function secretDirectory(directory: string): string {
  return join(directory, 'tls');
}

function clientSubject(name: string): Subject {
  return { name, uri: [CLIENT_IDS[name] ?? name] };
}
