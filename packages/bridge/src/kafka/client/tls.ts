/** TLS options of new connections: certificates from files, read again when they change. */
import { statSync } from 'node:fs';
import { isIP } from 'node:net';
import { type ConnectionOptions, createSecureContext, type SecureContext } from 'node:tls';
import { readSecret, readText } from '@causeway/config/secret.ts';
import type { ConfigFinding, KafkaTlsConfig } from '../../kafka-config.ts';

/** The outcome of a reload of changed files. */
export type TlsFileChange = { kind: 'reloaded' } | { kind: 'refused'; reason: string };

export class BrokerTls {
  readonly #config: KafkaTlsConfig;
  readonly #onFileChange: (change: TlsFileChange) => void;
  #context: SecureContext;
  #fileState: string;

  /** Errors: `Error` when a file cannot be used; see {@link findTlsProblems}. */
  constructor(config: KafkaTlsConfig, onFileChange: (change: TlsFileChange) => void) {
    this.#config = config;
    this.#onFileChange = onFileChange;
    this.#fileState = fileState(config);
    this.#context = createContext(config);
  }

  /** The options for a connection to `host`. Changed files that cannot be used change nothing. */
  options(host: string): ConnectionOptions {
    this.#reloadIfChanged();
    const { serverName, isBrokerVerified } = this.#config;
    // An address is not a server name (RFC 6066, section 3), and Node.js would throw; it is verified as an address nevertheless.
    const servername = serverName ?? (isIP(host) === 0 ? host : undefined);
    return {
      secureContext: this.#context,
      rejectUnauthorized: isBrokerVerified,
      ...(servername === undefined ? {} : { servername }),
    };
  }

  #reloadIfChanged(): void {
    const state = fileState(this.#config);
    if (state === this.#fileState) return;
    // The same files are not tried again, whatever the outcome.
    this.#fileState = state;
    try {
      this.#context = createContext(this.#config);
      this.#onFileChange({ kind: 'reloaded' });
    } catch (error) {
      this.#onFileChange({ kind: 'refused', reason: error instanceof Error ? error.message : String(error) });
    }
  }
}

/** The files of the section at `place` that cannot be read or used, with the reasons. */
export function findTlsProblems(config: KafkaTlsConfig, place: readonly string[] = ['kafka']): ConfigFinding[] {
  if (!config.isEnabled) return [];
  const problems: ConfigFinding[] = [];
  const attempt = (key: keyof KafkaTlsConfig, use: () => unknown): void => {
    try {
      use();
    } catch (error) {
      problems.push({ path: [...place, 'tls', key], reason: error instanceof Error ? error.message : String(error) });
    }
  };
  const { caFile, certFile, keyFile, keyPassphraseFile } = config;
  if (caFile !== undefined) attempt('caFile', () => readCertificates(caFile));
  if (certFile !== undefined) attempt('certFile', () => readCertificates(certFile));
  if (keyPassphraseFile !== undefined) attempt('keyPassphraseFile', () => passphraseOf(config));
  if (keyFile !== undefined) attempt('keyFile', () => readText(keyFile));
  // Each can be read: check that they match.
  if (problems.length === 0 && keyFile !== undefined) attempt('keyFile', () => createContext(config));
  return problems;
}

function createContext(config: KafkaTlsConfig): SecureContext {
  const { caFile, certFile, keyFile } = config;
  const passphrase = passphraseOf(config);
  const ca = caFile === undefined ? undefined : readCertificates(caFile);
  const cert = certFile === undefined ? undefined : readCertificates(certFile);
  const key = keyFile === undefined ? undefined : readText(keyFile);
  try {
    return createSecureContext({
      ...(ca === undefined ? {} : { ca }),
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
      ...(passphrase === undefined ? {} : { passphrase }),
    });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`${keyFile ?? certFile ?? caFile} cannot be used: ${reason}`, { cause });
  }
}

/** A file of authorities without a certificate would silently trust no broker. */
function readCertificates(file: string): string {
  const text = readText(file);
  if (!text.includes('-----BEGIN CERTIFICATE-----')) throw new Error(`${file} has no certificate in PEM format`);
  try {
    createSecureContext({ ca: text });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`${file} cannot be used: ${reason}`, { cause });
  }
  return text;
}

function passphraseOf({ keyPassphrase, keyPassphraseFile }: KafkaTlsConfig): string | undefined {
  return readSecret({ value: keyPassphrase, file: keyPassphraseFile });
}

/** Changes when a file is written or replaced, or its symbolic link is changed. */
function fileState({ caFile, certFile, keyFile, keyPassphraseFile }: KafkaTlsConfig): string {
  return [caFile, certFile, keyFile, keyPassphraseFile]
    .map((file) => {
      const stat = file === undefined ? undefined : statSync(file, { throwIfNoEntry: false });
      return stat === undefined ? '' : `${stat.ino}:${stat.mtimeMs}:${stat.size}`;
    })
    .join(' ');
}
