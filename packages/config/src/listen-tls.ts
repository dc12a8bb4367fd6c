/** The section `tls` of a listener: certificates, client certificates, versions. The same for gateways, bridges and their admin ports. */
import { Entry, type Static, Type } from './schema.ts';
import { hasTwoPassphrases, minVersion, passphraseKeys, TWO_PASSPHRASES } from './tls-keys.ts';

const CERT_FILE = {
  description: 'PEM: the certificate, followed by those of intermediate authorities.',
  examples: ['/etc/causeway/tls.crt'],
};
const KEY_FILE = { description: 'PEM: its private key.', examples: ['/etc/causeway/tls.key'] };

const CertificateEntry = Entry(
  { certFile: Type.String(CERT_FILE), keyFile: Type.String(KEY_FILE), ...passphraseKeys() },
  { description: 'A certificate and its key.' },
);

export const ListenTls = Entry(
  {
    certFile: Type.Optional(Type.String(CERT_FILE)),
    keyFile: Type.Optional(Type.String(KEY_FILE)),
    ...passphraseKeys(),
    certificates: Type.Optional(
      Type.Array(CertificateEntry, {
        description:
          'Several certificates, in place of certFile and keyFile. A connection gets the first one with the name that the client asks for (SNI), then one with a wildcard for it, else the first of the list.',
        minItems: 1,
      }),
    ),
    clientCaFile: Type.Optional(
      Type.String({
        description: 'PEM: the authorities that sign certificates of clients.',
        examples: ['/etc/causeway/clients.crt'],
      }),
    ),
    clientCertificates: Type.Optional(
      Type.Unsafe<ClientCertificates>({
        description:
          'Whether clients show a certificate: none, request (those without are served, too, as strangers), or require. Default: require with clientCaFile, else none.',
        examples: ['require'],
        anyOf: [Type.Literal('none'), Type.Literal('request'), Type.Literal('require')],
      }),
    ),
    minVersion: minVersion(),
  },
  {
    description:
      'HTTPS on this port. Changed files are read again; a certificate that cannot be used changes nothing. A change of these keys needs a restart.',
  },
);

export type ClientCertificates = 'none' | 'request' | 'require';
export type ListenTls = Static<typeof ListenTls>;
export type CertificateFiles = Static<typeof CertificateEntry>;

/** The certificates of a section that {@link checkListenTls} has checked, each with the place of its keys in the section. */
export function certificateFiles(tls: ListenTls): { files: CertificateFiles; place: (string | number)[] }[] {
  const { certificates, certFile, keyFile, keyPassphrase, keyPassphraseFile } = tls;
  if (certificates !== undefined) {
    return certificates.map((files, index) => ({ files, place: ['certificates', index] }));
  }
  if (certFile === undefined || keyFile === undefined) return [];
  const files: CertificateFiles = { certFile, keyFile };
  if (keyPassphrase !== undefined) files.keyPassphrase = keyPassphrase;
  if (keyPassphraseFile !== undefined) files.keyPassphraseFile = keyPassphraseFile;
  return [{ files, place: [] }];
}

export function clientCertificatesOf({ clientCertificates, clientCaFile }: ListenTls): ClientCertificates {
  return clientCertificates ?? (clientCaFile === undefined ? 'none' : 'require');
}

/** Whether the listener knows clients by their certificates. */
export function verifiesClients(tls: ListenTls | undefined): boolean {
  return tls !== undefined && clientCertificatesOf(tls) !== 'none';
}

type Finding = { path: (string | number)[]; reason: string };

/** Finds what the schema cannot express, without a look at the files. `path`: of the section. */
export function checkListenTls(tls: ListenTls | undefined, path: readonly (string | number)[]): Finding[] {
  if (tls === undefined) return [];
  const findings: Finding[] = [];
  const add = (place: (string | number)[], reason: string): void => {
    findings.push({ path: [...path, ...place], reason });
  };
  const { certificates, clientCaFile, clientCertificates } = tls;
  const single = (['certFile', 'keyFile', 'keyPassphrase', 'keyPassphraseFile'] as const).filter(
    (key) => tls[key] !== undefined,
  );
  if (certificates !== undefined && single.length > 0) {
    add(['certificates'], `certificates and ${single.join(', ')} exclude each other: move them into the list`);
  } else if (certificates === undefined) {
    for (const key of ['certFile', 'keyFile'] as const) {
      if (tls[key] === undefined) add([], `the key ${key} is missing (or certificates, for several)`);
    }
  }
  for (const { files, place } of certificateFiles(tls)) {
    if (hasTwoPassphrases(files)) add([...place, 'keyPassphraseFile'], TWO_PASSPHRASES);
  }
  if (clientCertificates === 'none' && clientCaFile !== undefined) {
    add(['clientCertificates'], 'with none, clientCaFile has no effect: remove one of them');
  }
  if (verifiesClients(tls) && clientCaFile === undefined) {
    add(
      ['clientCertificates'],
      `${clientCertificates} needs clientCaFile: the authorities whose certificates are accepted`,
    );
  }
  return findings;
}
