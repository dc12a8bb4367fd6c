/** Certificates for a test, as PEM files: an authority and the certificates that it signs. */
import { createPrivateKey } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  certifyNewKey,
  createIssuer,
  type Issuer,
  type CertifiedKey as Pair,
  type Subject,
  type Validity,
} from '@causeway/lab/secure/certificate.ts';

/** Subject alternative names, and when the certificate is valid. */
export type CertificateContent = Omit<Subject, 'name'> & Validity;

/** A certificate and its key, as PEM (PKCS #8) and in files. */
export interface CertifiedKey extends Pair {
  certFile: string;
  keyFile: string;
}

/** Signs certificates and writes them into a directory of the test. */
export class TestAuthority {
  /** Its own certificate. */
  readonly certFile: string;
  /** PEM, as in the file. */
  readonly cert: string;
  readonly #issuer: Issuer;
  readonly #directory: string;

  private constructor(cert: string, issuer: Issuer, directory: string) {
    this.#issuer = issuer;
    this.#directory = directory;
    this.cert = cert;
    this.certFile = writeTo(directory, `${issuer.name}.crt`, cert);
  }

  /** `name` is also the name of its file. */
  static async create(directory: string, name = 'test-authority'): Promise<TestAuthority> {
    const { issuer, cert } = await createIssuer(name);
    return new TestAuthority(cert, issuer, directory);
  }

  /** Like {@link certify}, signed by its own key. */
  async selfSign(name: string, content: CertificateContent = {}): Promise<CertifiedKey> {
    return await this.#sign(name, content, undefined);
  }

  /** Creates a key with its certificate, in `NAME.crt` and `NAME.key`; replaces earlier ones of that name. */
  async certify(name: string, content: CertificateContent = {}): Promise<CertifiedKey> {
    return await this.#sign(name, content, this.#issuer);
  }

  async #sign(
    name: string,
    { notBefore, notAfter, ...names }: CertificateContent,
    issuer: Issuer | undefined,
  ): Promise<CertifiedKey> {
    const validity = { notBefore, notAfter };
    const { cert, key } = await certifyNewKey({ name, ...names }, { issuer, usage: 'both', validity });
    return {
      cert,
      key,
      certFile: writeTo(this.#directory, `${name}.crt`, cert),
      keyFile: writeTo(this.#directory, `${name}.key`, key),
    };
  }

  /** The key of {@link certify} under a passphrase, in `NAME.encrypted.key`. */
  encryptKey(name: string, passphrase: string): string {
    const key = createPrivateKey(readFileSync(join(this.#directory, `${name}.key`)));
    const text = key.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase });
    return writeTo(this.#directory, `${name}.encrypted.key`, text.toString());
  }
}

function writeTo(directory: string, name: string, text: string): string {
  const file = join(directory, name);
  writeFileSync(file, text);
  return file;
}
