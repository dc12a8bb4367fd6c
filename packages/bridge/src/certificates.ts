/** The certificate of the listener: read from files, and read again when they change. */
import { X509Certificate } from 'node:crypto';
import type { Server } from 'node:http';
import { createSecureContext, type SecureContextOptions, Server as TlsServer } from 'node:tls';
import { readRegularFile } from '@causeway/config/file.ts';
import { type FileWatch, watchFiles } from '@causeway/config/watch.ts';
import type { Logger } from 'pino';
import type { TlsConfig } from './config.ts';
import type { ConfigFinding } from './kafka-config.ts';

interface Credentials {
  context: SecureContextOptions;
  expiresAtMs: number;
}

export class Certificates {
  /** Files that were read again, by what came of it. */
  readonly reloadCounts = { applied: 0, refused: 0 };
  readonly #config: TlsConfig;
  readonly #log: Logger;
  readonly #servers: TlsServer[] = [];
  #credentials: Credentials;
  #watch: FileWatch | undefined;

  /** Errors: of files that cannot be read, or of what they hold. */
  constructor(config: TlsConfig, log: Logger) {
    this.#config = config;
    this.#log = log;
    try {
      this.#credentials = read(config);
    } catch (cause) {
      throw new Error(`listen.tls cannot be used: ${reasonOf(cause)}`, { cause });
    }
  }

  /** What a server is made with. */
  get options(): SecureContextOptions & { requestCert: boolean; rejectUnauthorized: boolean } {
    const isForKnownClients = this.#config.clientCaFile !== undefined;
    return {
      ...this.#credentials.context,
      requestCert: isForKnownClients,
      rejectUnauthorized: isForKnownClients,
    };
  }

  get expiresAtMs(): number {
    return this.#credentials.expiresAtMs;
  }

  /** The server's new connections get every certificate that comes; those that are open go on. */
  serve(server: Server): void {
    if (server instanceof TlsServer) this.#servers.push(server);
  }

  start(): void {
    const { certFile, keyFile, keyPassphraseFile, clientCaFile } = this.#config;
    const files = [certFile, keyFile, keyPassphraseFile, clientCaFile].filter((file) => file !== undefined);
    this.#watch = watchFiles(files, () => this.#reload());
  }

  close(): void {
    this.#watch?.close();
  }

  #reload(): void {
    try {
      this.#credentials = read(this.#config);
      for (const server of this.#servers) server.setSecureContext(this.#credentials.context);
      this.reloadCounts.applied += 1;
      this.#log.info({ expiresAt: new Date(this.#credentials.expiresAtMs).toISOString() }, 'certificate replaced');
    } catch (error) {
      this.reloadCounts.refused += 1;
      this.#log.error({ reason: reasonOf(error) }, 'certificate cannot be used, the one before stays');
    }
  }
}

/** What keeps the listener from using its certificate, if anything. */
export function findCertificateProblems(config: TlsConfig | undefined): ConfigFinding[] {
  if (config === undefined) return [];
  try {
    read(config);
    return [];
  } catch (error) {
    return [{ path: ['listen', 'tls'], reason: `cannot be used: ${reasonOf(error)}` }];
  }
}

/** Errors: of reading; of a key that does not fit, a passphrase that is wrong, what is no certificate. */
function read({
  certFile,
  keyFile,
  keyPassphrase,
  keyPassphraseFile,
  clientCaFile,
  minVersion,
}: TlsConfig): Credentials {
  const cert = readRegularFile(certFile);
  const passphrase =
    keyPassphraseFile === undefined ? keyPassphrase : readRegularFile(keyPassphraseFile).toString().split(/\r?\n/)[0];
  const context: SecureContextOptions = {
    cert,
    key: readRegularFile(keyFile),
    minVersion,
    ...(passphrase === undefined ? {} : { passphrase }),
    ...(clientCaFile === undefined ? {} : { ca: readRegularFile(clientCaFile) }),
  };
  createSecureContext(context);
  return { context, expiresAtMs: new X509Certificate(cert).validToDate.getTime() };
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
