/** Makes keys and certificates (X.509): of authorities, and those that they sign. */

// The next import needs it.
import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509CertificateGenerator,
} from '@peculiar/x509';

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
/** Longer than a lab runs. */
const LIFETIME_MS = 30 * 24 * 60 * 60 * 1000;
/** Before now, since clocks differ. */
const LEEWAY_MS = 60_000;
const PEM_LINE_CHARACTERS = 64;

const USAGES = {
  server: [ExtendedKeyUsage.serverAuth],
  client: [ExtendedKeyUsage.clientAuth],
  both: [ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth],
};

export type Usage = keyof typeof USAGES;

/** Whom a certificate is for: its common name, and its subject alternative names. */
export interface Subject {
  name: string;
  dns?: readonly string[];
  ip?: readonly string[];
  uri?: readonly string[];
  email?: readonly string[];
  /** The attributes of the subject. Default: the common name alone. */
  subject?: { [attribute: string]: string[] }[];
}

/** Default: from now, for 30 days. */
export interface Validity {
  notBefore?: Date | undefined;
  notAfter?: Date | undefined;
}

/** A certificate and its private key (PKCS #8), as PEM. */
export interface CertifiedKey {
  cert: string;
  key: string;
}

/** Who signs a certificate. */
export interface Issuer {
  readonly name: string;
  readonly keys: webcrypto.CryptoKeyPair;
}

/** Returns a new authority, and its own certificate as PEM. */
export async function createIssuer(name: string): Promise<{ issuer: Issuer; cert: string }> {
  const keys = await generateKeys();
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: `CN=${name}`,
    keys,
    signingAlgorithm: ALGORITHM,
    ...lifetime({}),
    extensions: [
      new BasicConstraintsExtension(true, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { issuer: { name, keys }, cert: certificate.toString('pem') };
}

/** A new key with its certificate, for a server or a client. `issuer`: `undefined` signs it by its own key. */
export async function certifyNewKey(
  { name, dns = [], ip = [], uri = [], email = [], subject = [{ CN: [name] }] }: Subject,
  { issuer, usage, validity = {} }: { issuer: Issuer | undefined; usage: Usage; validity?: Validity },
): Promise<CertifiedKey> {
  const keys = await generateKeys();
  const signer = issuer ?? { name, keys };
  const names = [
    ...dns.map((value) => ({ type: 'dns', value }) as const),
    ...ip.map((value) => ({ type: 'ip', value }) as const),
    ...uri.map((value) => ({ type: 'url', value }) as const),
    ...email.map((value) => ({ type: 'email', value }) as const),
  ];
  const certificate = await X509CertificateGenerator.create({
    subject,
    issuer: `CN=${signer.name}`,
    ...lifetime(validity),
    publicKey: keys.publicKey,
    signingKey: signer.keys.privateKey,
    signingAlgorithm: ALGORITHM,
    extensions: [
      new BasicConstraintsExtension(false),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension(USAGES[usage]),
      // Strict verifiers require it (RFC 5280, section 4.2.1.1).
      await AuthorityKeyIdentifierExtension.create(signer.keys.publicKey),
      ...(names.length === 0 ? [] : [new SubjectAlternativeNameExtension(names)]),
    ],
  });
  return {
    cert: `${certificate.toString('pem')}\n`,
    key: pem(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)),
  };
}

function generateKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
}

function lifetime({
  notBefore = new Date(Date.now() - LEEWAY_MS),
  notAfter = new Date(Date.now() + LIFETIME_MS),
}: Validity): { notBefore: Date; notAfter: Date } {
  return { notBefore, notAfter };
}

function pem(bytes: ArrayBuffer): string {
  const lines = Buffer.from(bytes)
    .toString('base64')
    .match(new RegExp(`.{1,${PEM_LINE_CHARACTERS}}`, 'g'));
  return `-----BEGIN PRIVATE KEY-----\n${lines?.join('\n')}\n-----END PRIVATE KEY-----\n`;
}
