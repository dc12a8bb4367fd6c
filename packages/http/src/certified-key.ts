/** A certificate with its key, as files: read, checked and described. */
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import { readRegularFile } from '@causeway/config/file.ts';
import type { CertificateFiles } from '@causeway/config/listen-tls.ts';
import { type AltNames, altNamesOf } from './alt-names.ts';

export interface CertifiedKey {
  /** PEM, with the intermediate authorities. */
  readonly cert: Buffer;
  /** PEM, without passphrase; never logged. */
  readonly key: string;
  readonly names: AltNames;
  /** For operators: its names, or its subject without any. */
  readonly title: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

/** The certificate, or the key of the file that cannot be used and why. */
export type ReadResult<Value, Key extends string> = { value: Value } | { key: Key; reason: string };

/** Reads and checks the files. The reasons contain neither keys nor passphrases. */
export function readCertifiedKey(files: CertificateFiles): ReadResult<CertifiedKey, keyof CertificateFiles> {
  let current: keyof CertificateFiles = 'certFile';
  try {
    const cert = readRegularFile(files.certFile);
    const certificate = parseCertificate(files.certFile, cert);
    current = files.keyPassphraseFile === undefined ? 'keyPassphrase' : 'keyPassphraseFile';
    const passphrase = readPassphrase(files);
    current = 'keyFile';
    const key = readKey(files.keyFile, passphrase);
    if (!certificate.checkPrivateKey(key)) {
      throw new Error(`${files.keyFile} is not the key of the first certificate in ${files.certFile} (key mismatch)`);
    }
    const pem = key.export({ type: 'pkcs8', format: 'pem' }).toString();
    current = 'certFile';
    // What OpenSSL's security level forbids, such as a short key.
    createSecureContext({ cert, key: pem });
    return { value: describe(certificate, cert, pem) };
  } catch (error) {
    return { key: current, reason: error instanceof Error ? error.message : String(error) };
  }
}

/** Reads a file with certificates of authorities. */
export function readAuthorities(file: string): ReadResult<{ ca: Buffer; notAfterMs: number }, 'clientCaFile'> {
  try {
    const ca = readRegularFile(file);
    const blocks = ca.toString('latin1').match(CERTIFICATE) ?? [];
    if (blocks.length === 0) throw new Error(`${file} contains no certificate (PEM)`);
    const notAfterMs = Math.max(...blocks.map((block) => parseCertificate(file, block).validToDate.getTime()));
    return { value: { ca, notAfterMs } };
  } catch (error) {
    return { key: 'clientCaFile', reason: error instanceof Error ? error.message : String(error) };
  }
}

const CERTIFICATE =
  /-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----[\s\S]*?-----END (?:X509 |TRUSTED )?CERTIFICATE-----/g;

function describe(certificate: X509Certificate, cert: Buffer, key: string): CertifiedKey {
  const names = altNamesOf(certificate);
  const shown = [...names.dnsNames, ...names.addresses, ...names.uris];
  return {
    cert,
    key,
    names,
    title: shown.length > 0 ? shown.join(', ') : certificate.subject.replaceAll('\n', ', '),
    notBeforeMs: certificate.validFromDate.getTime(),
    notAfterMs: certificate.validToDate.getTime(),
  };
}

function parseCertificate(file: string, pem: Buffer | string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch (cause) {
    throw new Error(`${file} contains no valid certificate (PEM)`, { cause });
  }
}

function readPassphrase({ keyPassphrase, keyPassphraseFile }: CertificateFiles): string | undefined {
  if (keyPassphraseFile === undefined) return keyPassphrase;
  return readRegularFile(keyPassphraseFile).toString().split(/\r?\n/)[0];
}

function readKey(file: string, passphrase: string | undefined): KeyObject {
  const key = readRegularFile(file);
  try {
    return createPrivateKey(passphrase === undefined ? { key } : { key, passphrase });
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const isEncrypted = /ENCRYPTED/.test(key.toString('latin1'));
    if (code === 'ERR_MISSING_PASSPHRASE' || (isEncrypted && passphrase === undefined)) {
      throw new Error(`${file} is encrypted, and there is no keyPassphrase or keyPassphraseFile`, { cause });
    }
    if (isEncrypted) throw new Error(`${file} cannot be decrypted: the passphrase is wrong`, { cause });
    throw new Error(`${file} contains no valid private key (PEM)`, { cause });
  }
}
