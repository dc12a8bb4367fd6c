/** Reads certificates and keys from PEM files, and says why a file cannot be used. */
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { readRegularFile } from './file.ts';
import { readSecret } from './secret.ts';

/** The certificates of one file, in its order, at least one. */
export interface CertificateFile {
  readonly pem: string;
  readonly certificates: readonly X509Certificate[];
}

const CERTIFICATE =
  /-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----[\s\S]*?-----END (?:TRUSTED |X509 )?CERTIFICATE-----/g;

/** A file without a certificate is an error: as a file of authorities it would silently mean that none is trusted. */
export function readCertificates(file: string): CertificateFile {
  const blocks = readRegularFile(file).toString().match(CERTIFICATE) ?? [];
  if (blocks.length === 0) throw new Error(`${file} has no certificate in PEM format`);
  const certificates = blocks.map((block, index) => {
    try {
      return new X509Certificate(block);
    } catch (cause) {
      throw new Error(`${file} cannot be used: certificate ${index + 1} of ${blocks.length} is invalid`, { cause });
    }
  });
  // OpenSSL would ignore a certificate that begins on the line where another one ends.
  return { pem: `${blocks.join('\n')}\n`, certificates };
}

export interface KeyFile {
  file: string;
  passphrase: string | undefined;
}

/** The text of the file is not part of any error. */
export function readPrivateKey({ file, passphrase }: KeyFile): { pem: string; key: KeyObject } {
  const pem = readRegularFile(file).toString();
  if (!/-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----/.test(pem)) throw new Error(`${file} has no private key in PEM format`);
  try {
    return { pem, key: createPrivateKey({ key: pem, ...(passphrase === undefined ? {} : { passphrase }) }) };
  } catch (cause) {
    throw new Error(`${file} cannot be used: ${keyProblem(pem, passphrase)}`, { cause });
  }
}

/** Why Node cannot read a key. OpenSSL's own texts name its decoders, not the cause. */
function keyProblem(pem: string, passphrase: string | undefined): string {
  if (!/ENCRYPTED/.test(pem)) return 'the key is invalid';
  return passphrase === undefined ? 'the key is encrypted, and no passphrase is set' : 'the passphrase does not fit';
}

export interface PassphraseSource {
  keyPassphrase?: string | undefined;
  keyPassphraseFile?: string | undefined;
}

export function readPassphrase({ keyPassphrase, keyPassphraseFile }: PassphraseSource): string | undefined {
  return readSecret({ value: keyPassphrase, file: keyPassphraseFile });
}
