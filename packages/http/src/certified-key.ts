/** A certificate with its key, as files: read, checked and described. */
import type { X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import type { CertificateFiles } from '@causeway/config/listen-tls.ts';
import { readCertificates, readPassphrase, readPrivateKey } from '@causeway/config/pem.ts';
import { type AltNames, altNamesOf } from './alt-names.ts';

export interface CertifiedKey {
  /** PEM, with the intermediate authorities. */
  readonly cert: string;
  /** PEM, without passphrase; never logged. */
  readonly key: string;
  readonly names: AltNames;
  /** For operators: its names, or its subject without any. */
  readonly title: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

/** What was read, or the key of the file that cannot be used and why. */
export type ReadResult<Value, Key extends string> = { value: Value } | { key: Key; reason: string };

/** Reads and checks the files. The reasons contain neither keys nor passphrases. */
export function readCertifiedKey(files: CertificateFiles): ReadResult<CertifiedKey, keyof CertificateFiles> {
  const { certFile, keyFile } = files;
  let current: keyof CertificateFiles = 'certFile';
  try {
    const { pem: cert, certificates } = readCertificates(certFile);
    const certificate = certificates[0] as X509Certificate;
    current = 'keyPassphraseFile';
    const passphrase = readPassphrase(files);
    current = 'keyFile';
    const { key } = readPrivateKey({ file: keyFile, passphrase });
    if (!certificate.checkPrivateKey(key)) {
      throw new Error(`${keyFile} is not the key of the first certificate in ${certFile}`);
    }
    const pem = key.export({ type: 'pkcs8', format: 'pem' }).toString();
    current = 'certFile';
    // Also what OpenSSL's security level forbids, such as a short key. With authorities, since Node would load its own otherwise.
    createSecureContext({ cert, key: pem, ca: cert });
    return { value: describe(certificate, cert, pem) };
  } catch (error) {
    return { key: current, reason: error instanceof Error ? error.message : String(error) };
  }
}

/** Reads a file with certificates of authorities. */
export function readAuthorities(file: string): ReadResult<{ ca: string; notAfterMs: number }, 'clientCaFile'> {
  try {
    const { pem, certificates } = readCertificates(file);
    const notAfterMs = Math.max(...certificates.map(({ validToDate }) => validToDate.getTime()));
    return { value: { ca: pem, notAfterMs } };
  } catch (error) {
    return { key: 'clientCaFile', reason: error instanceof Error ? error.message : String(error) };
  }
}

function describe(certificate: X509Certificate, cert: string, key: string): CertifiedKey {
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
