/** Certificates for a test, as PEM files: an authority and the certificates that it signs. */

// The next import needs it.
import 'reflect-metadata';
import { createPrivateKey, webcrypto } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  BasicConstraintsExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} from '@peculiar/x509';

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const LIFETIME_MS = 24 * 60 * 60 * 1000;

/** Subject alternative names, and when the certificate is valid. Default: from now, for a day. */
export interface CertificateContent {
  dns?: readonly string[];
  ip?: readonly string[];
  uri?: readonly string[];
  notBefore?: Date;
  notAfter?: Date;
}

/** A certificate and its key. */
export interface CertifiedKey {
  certFile: string;
  keyFile: string;
  /** PEM, as in the files. */
  cert: string;
  /** PEM (PKCS #8), as in the files. */
  key: string;
}

/** Signs certificates and writes them into a directory of the test. */
export class TestAuthority {
  /** Its own certificate. */
  readonly certFile: string;
  /** PEM, as in the file. */
  readonly cert: string;
  readonly #name: string;
  readonly #keys: webcrypto.CryptoKeyPair;
  readonly #directory: string;

  private constructor(name: string, cert: string, keys: webcrypto.CryptoKeyPair, directory: string) {
    this.#name = name;
    this.#keys = keys;
    this.#directory = directory;
    this.cert = cert;
    this.certFile = writeTo(directory, `${name}.crt`, cert);
  }

  /** `name` is also the name of its file. */
  static async create(directory: string, name = 'test-authority'): Promise<TestAuthority> {
    const keys = await generateKeys();
    const certificate = await X509CertificateGenerator.createSelfSigned({
      name: `CN=${name}`,
      keys,
      signingAlgorithm: ALGORITHM,
      ...lifetime(),
      extensions: [
        new BasicConstraintsExtension(true, undefined, true),
        new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      ],
    });
    return new TestAuthority(name, certificate.toString('pem'), keys, directory);
  }

  /** Like {@link certify}, signed by its own key. */
  async selfSign(name: string, content: CertificateContent = {}): Promise<CertifiedKey> {
    return await this.#sign(name, content, { isSelfSigned: true });
  }

  /** Creates a key with its certificate, in `NAME.crt` and `NAME.key`; replaces earlier ones of that name. */
  async certify(name: string, content: CertificateContent = {}): Promise<CertifiedKey> {
    return await this.#sign(name, content, { isSelfSigned: false });
  }

  async #sign(
    name: string,
    { dns = [], ip = [], uri = [], notBefore, notAfter }: CertificateContent,
    { isSelfSigned }: { isSelfSigned: boolean },
  ): Promise<CertifiedKey> {
    const keys = await generateKeys();
    const names = [
      ...dns.map((value) => ({ type: 'dns', value }) as const),
      ...ip.map((value) => ({ type: 'ip', value }) as const),
      ...uri.map((value) => ({ type: 'url', value }) as const),
    ];
    const certificate = await X509CertificateGenerator.create({
      subject: `CN=${name}`,
      issuer: `CN=${isSelfSigned ? name : this.#name}`,
      ...lifetime({ notBefore, notAfter }),
      publicKey: keys.publicKey,
      signingKey: isSelfSigned ? keys.privateKey : this.#keys.privateKey,
      signingAlgorithm: ALGORITHM,
      extensions: [
        new BasicConstraintsExtension(false),
        ...(names.length === 0 ? [] : [new SubjectAlternativeNameExtension(names)]),
      ],
    });
    const cert = certificate.toString('pem');
    const key = pem(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey));
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

function generateKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
}

/** Valid from a little before now, since the clocks of processes may differ. */
function lifetime({
  notBefore = new Date(Date.now() - 60_000),
  notAfter = new Date(Date.now() + LIFETIME_MS),
}: {
  notBefore?: Date | undefined;
  notAfter?: Date | undefined;
} = {}): { notBefore: Date; notAfter: Date } {
  return { notBefore, notAfter };
}

function pem(bytes: ArrayBuffer): string {
  const lines =
    Buffer.from(bytes)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN PRIVATE KEY-----\n${lines.join('\n')}\n-----END PRIVATE KEY-----\n`;
}

function writeTo(directory: string, name: string, text: string): string {
  const file = join(directory, name);
  writeFileSync(file, text);
  return file;
}
