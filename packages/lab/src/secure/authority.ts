/** The lab's own certificate authority. Its private key stays in memory: it signs only what this lab needs. */
import {
  type CertifiedKey,
  certifyNewKey,
  createIssuer,
  type Issuer,
  type Subject,
  type Usage,
} from './certificate.ts';

export class Authority {
  /** Its certificate, as PEM. */
  readonly cert: string;
  readonly #issuer: Issuer;

  private constructor(cert: string, issuer: Issuer) {
    this.cert = cert;
    this.#issuer = issuer;
  }

  static async create(name: string): Promise<Authority> {
    const { issuer, cert } = await createIssuer(name);
    return new Authority(cert, issuer);
  }

  /** A new key with its certificate, for a server or a client. */
  certify(subject: Subject, usage: Usage): Promise<CertifiedKey> {
    return certifyNewKey(subject, { issuer: this.#issuer, usage });
  }
}
