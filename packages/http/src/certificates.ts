/** The certificate of a listener: read from files, and read again when they change. */
import { X509Certificate } from 'node:crypto';
import type { Server } from 'node:http';
import { createSecureContext, type SecureContextOptions, Server as TlsServer } from 'node:tls';
import { readRegularFile } from '@causeway/config/file.ts';
import type { ListenTls } from '@causeway/config/listen-tls.ts';
import { type FileWatch, watchFiles } from '@causeway/config/watch.ts';

export interface CertificatesOptions {
  /** New connections get a new certificate. */
  onReplaced: (expiresAt: Date) => void;
  /** Changed files cannot be used: the certificate before stays. */
  onRefused: (reason: string) => void;
}

interface Credentials {
  context: SecureContextOptions;
  expiresAt: Date;
}

export class Certificates {
  /** Reads after the first, by their outcome. */
  readonly reloadCounts = { applied: 0, refused: 0 };
  readonly #config: ListenTls;
  readonly #options: CertificatesOptions;
  readonly #servers: TlsServer[] = [];
  #credentials: Credentials;
  #watch: FileWatch | undefined;

  /** Errors: for files that cannot be read or used. */
  constructor(config: ListenTls, options: CertificatesOptions) {
    this.#config = config;
    this.#options = options;
    try {
      this.#credentials = read(config);
    } catch (cause) {
      throw new Error(`listen.tls cannot be used: ${reasonOf(cause)}`, { cause });
    }
  }

  /** For the constructor of a server. */
  get options(): SecureContextOptions & { requestCert: boolean; rejectUnauthorized: boolean } {
    const isForKnownClients = this.#config.clientCaFile !== undefined;
    return {
      ...this.#credentials.context,
      requestCert: isForKnownClients,
      rejectUnauthorized: isForKnownClients,
    };
  }

  get expiresAtMs(): number {
    return this.#credentials.expiresAt.getTime();
  }

  /** New connections of the server get every later certificate; open ones keep theirs. */
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
    } catch (error) {
      this.reloadCounts.refused += 1;
      this.#options.onRefused(reasonOf(error));
      return;
    }
    this.reloadCounts.applied += 1;
    this.#options.onReplaced(this.#credentials.expiresAt);
  }
}

/** Why a listener cannot use its certificate; `undefined` when it can. */
export function certificateProblem(config: ListenTls): string | undefined {
  try {
    read(config);
    return undefined;
  } catch (error) {
    return reasonOf(error);
  }
}

/** Errors: for files that cannot be read, a key that does not fit, a wrong passphrase, an invalid certificate. */
function read(config: ListenTls): Credentials {
  const { certFile, keyFile, keyPassphrase, keyPassphraseFile, clientCaFile, minVersion } = config;
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
  return { context, expiresAt: new X509Certificate(cert).validToDate };
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
