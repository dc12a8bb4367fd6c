/** The section `upstream.tls`: whom a gateway trusts among its targets, and the certificate that it shows them. */
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import { SERVER_NAME } from './form.ts';
import { readCertificates, readPassphrase, readPrivateKey } from './pem.ts';
import { Section, type Static, Type } from './schema.ts';
import { hasTwoPassphrases, minVersion, passphraseKeys, TWO_PASSPHRASES } from './tls-keys.ts';

/** The name in the certificate of a target, and in the handshake (RFC 6066 §3). */
export function ServerName(description: string) {
  return Type.Optional(Type.String({ description, examples: ['bridge.east.example'], format: SERVER_NAME }));
}

export const UpstreamTls = Section(
  {
    caFile: Type.Optional(
      Type.String({
        description: 'PEM: the authorities that may sign the certificates of targets. Default: those of Node.',
        examples: ['/etc/causeway/ca.crt'],
      }),
    ),
    certFile: Type.Optional(
      Type.String({
        description:
          "PEM: the gateway's own certificate, for targets that demand one, followed by those of intermediate authorities.",
        examples: ['/etc/causeway/tls.crt'],
      }),
    ),
    keyFile: Type.Optional(Type.String({ description: 'PEM: its private key.', examples: ['/etc/causeway/tls.key'] })),
    ...passphraseKeys(),
    serverName: ServerName(
      'The name that the certificates of all targets must have, in place of the host in their URLs, where a target has no serverName of its own.',
    ),
    minVersion: minVersion(),
  },
  {
    description:
      'TLS to targets, wherever url, healthUrl or adminUrl is https. Every certificate is verified. Changed files are read again, for new connections; files that cannot be used change nothing.',
  },
);

export type UpstreamTls = Static<typeof UpstreamTls>;

/** What the files contain. */
export interface UpstreamTlsFiles {
  readonly context: SecureContextOptions;
  /** When the gateway's own certificate ends; `undefined` without one. */
  readonly expiresAt: Date | undefined;
  /** When it began. */
  readonly validFrom: Date | undefined;
}

type Key = keyof UpstreamTls;
/** A problem of one key. */
export interface UpstreamTlsProblem {
  readonly key: Key;
  readonly reason: string;
}

/** Reads the files. Returns the problems of the first kind found: of single files, or of certificate and key together. */
export function readUpstreamTls(tls: UpstreamTls): UpstreamTlsFiles | readonly UpstreamTlsProblem[] {
  const problems: UpstreamTlsProblem[] = [...keyProblems(tls)];
  function attempt<Value>(key: Key, read: () => Value): Value | undefined {
    try {
      return read();
    } catch (error) {
      problems.push({ key, reason: error instanceof Error ? error.message : String(error) });
      return undefined;
    }
  }
  const { caFile, certFile, keyFile, minVersion } = tls;
  const ca = caFile === undefined ? undefined : attempt('caFile', () => readCertificates(caFile));
  const cert = certFile === undefined ? undefined : attempt('certFile', () => readCertificates(certFile));
  const passphrase = attempt('keyPassphraseFile', () => readPassphrase(tls));
  if (problems.length > 0) return problems;
  const key =
    keyFile === undefined ? undefined : attempt('keyFile', () => readPrivateKey({ file: keyFile, passphrase }));
  const own = cert?.certificates[0];
  if (own !== undefined && key !== undefined && !own.checkPrivateKey(key.key)) {
    problems.push({ key: 'keyFile', reason: `${keyFile} is not the key of the certificate in ${certFile}` });
  }
  if (problems.length > 0) return problems;
  const context: SecureContextOptions = { minVersion };
  if (ca !== undefined) context.ca = ca.pem;
  if (cert !== undefined) context.cert = cert.pem;
  if (key !== undefined) context.key = key.pem;
  if (passphrase !== undefined) context.passphrase = passphrase;
  if (cert !== undefined) attempt('certFile', () => assertUsable(context, certFile));
  if (problems.length > 0) return problems;
  return { context, expiresAt: own?.validToDate, validFrom: own?.validFromDate };
}

/** Errors: for what OpenSSL's security level forbids, such as a short key. */
function assertUsable({ cert, key, passphrase }: SecureContextOptions, certFile: string | undefined): void {
  try {
    // With authorities, since Node would load its own otherwise.
    createSecureContext({ cert, key, passphrase, ca: cert });
  } catch (cause) {
    throw new Error(`${certFile} cannot be used: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

/** Keys that need or exclude each other. */
function* keyProblems(tls: UpstreamTls): Generator<UpstreamTlsProblem> {
  const { certFile, keyFile } = tls;
  if (certFile !== undefined && keyFile === undefined) {
    yield { key: 'certFile', reason: 'needs keyFile, the private key of the certificate' };
  }
  if (keyFile !== undefined && certFile === undefined) {
    yield { key: 'keyFile', reason: 'needs certFile, the certificate of the key' };
  }
  if (hasTwoPassphrases(tls)) yield { key: 'keyPassphraseFile', reason: TWO_PASSPHRASES };
}
