/** The parts of the section `auth` whose credentials stand in files or in certificates, with the checks that a schema cannot express. */
import { Choice, Entry, type Static, Type } from '@causeway/config/schema.ts';
import { readCredentialsFile } from '../authentication/credentials-file.ts';

/** Where a certificate may have the name of its principal. */
const CERTIFICATE_NAMES = ['uri', 'dns', 'email', 'commonName'] as const;
export type CertificateName = (typeof CERTIFICATE_NAMES)[number];

const credentialsFile = (example: string) =>
  Type.String({
    description:
      'Names with hashes, as npm run gateway -- --hash makes them. Read again when it changes; one that cannot be used leaves the one before in place.',
    examples: [example],
    minLength: 1,
  });

export const BasicSection = Entry(
  {
    file: credentialsFile('/etc/causeway/passwords.yaml'),
    realm: Type.String({
      description: 'What clients show with the question for a password.',
      default: 'causeway',
      pattern: '^[ !#-\\[\\]-~]+$',
    }),
  },
  { description: 'Names and passwords, as Authorization: Basic (RFC 7617). Only over TLS.' },
);
export type BasicSection = Static<typeof BasicSection>;

export const ApiKeysSection = Entry(
  {
    file: credentialsFile('/etc/causeway/keys.yaml'),
    header: Type.String({
      description: 'The header with the key.',
      default: 'x-api-key',
      pattern: "^[A-Za-z0-9!#$%&'*+.^_`|~-]+$",
    }),
  },
  { description: 'Random keys in a header of their own. Only over TLS.' },
);
export type ApiKeysSection = Static<typeof ApiKeysSection>;

export const ClientCertificatesSection = Entry(
  {
    principal: Type.Array(Choice(CERTIFICATE_NAMES, { description: 'A kind of name.', default: 'uri' }), {
      description:
        "Kinds of names; the first that a certificate has is the principal's: a subject alternative name (uri, dns in lower case, email), or the common name of the subject. List only those that the authorities of clientCaFile verify.",
      default: ['uri', 'dns', 'email', 'commonName'],
      minItems: 1,
    }),
    principalPrefix: Type.String({
      description: "Written before the principal's name, so that no other method can name the same principal.",
      default: '',
      maxLength: 100,
    }),
    roles: Choice(['none', 'organizationalUnit'], {
      description: 'Whether the organizational units of the subject are roles.',
      default: 'none',
    }),
  },
  {
    description:
      'Certificates that a listener has verified (tls.clientCaFile). The names of gateways in trust.peers are no principals.',
  },
);
export type ClientCertificatesSection = Static<typeof ClientCertificatesSection>;

/** Headers with another meaning, for this gateway or on the way. */
const TAKEN_HEADERS =
  /^(?:authorization|cookie|host|connection|expect|forwarded|te|trailer|upgrade|user-agent|via|keep-alive|accept(?:-.*)?|content-.*|proxy-.*|transfer-.*|x-forwarded-.*|causeway-.*|origin|access-control-.*)$/i;

interface CredentialSections {
  basic?: BasicSection;
  apiKeys?: ApiKeysSection;
  clientCertificates?: ClientCertificatesSection;
}

type Finding = { path: (string | number)[]; reason: string };

/** `verifiesClients`: whether a listener verifies the certificates of clients. Reads the files. */
export function checkCredentials(
  { basic, apiKeys, clientCertificates }: CredentialSections,
  { verifiesClients }: { verifiesClients: boolean },
): Finding[] {
  const findings: Finding[] = [];
  if (basic !== undefined) findings.push(...checkFile(basic.file, ['auth', 'basic', 'file']));
  if (apiKeys !== undefined) {
    // A file that both methods use is read, and reported, once.
    if (apiKeys.file !== basic?.file) findings.push(...checkFile(apiKeys.file, ['auth', 'apiKeys', 'file']));
    if (TAKEN_HEADERS.test(apiKeys.header)) {
      const reason = `${apiKeys.header} has another meaning: choose another name, such as x-api-key`;
      findings.push({ path: ['auth', 'apiKeys', 'header'], reason });
    }
  }
  if (clientCertificates !== undefined && !verifiesClients) {
    const reason = 'no listener verifies the certificates of clients: set tls.clientCaFile of the listener';
    findings.push({ path: ['auth', 'clientCertificates'], reason });
  }
  return findings;
}

function checkFile(file: string, path: string[]): Finding[] {
  try {
    readCredentialsFile(file);
    return [];
  } catch (error) {
    const lines = (error instanceof Error ? error.message : String(error)).split('\n');
    return lines.map((reason) => ({ path, reason }));
  }
}

/** Permissions of the files that are dangerous, a line each. */
export function credentialWarnings({ basic, apiKeys }: CredentialSections): string[] {
  const files = new Set([basic?.file, apiKeys?.file].filter((file) => file !== undefined));
  return [...files].flatMap((file) => readCredentialsFile(file).warning ?? []);
}
