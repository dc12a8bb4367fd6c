/** The section `listen.tls`: the certificate of a listener. */
import { Choice, Entry, type Static, Type } from './schema.ts';

export const ListenTls = Entry(
  {
    certFile: Type.String({
      description: 'PEM: the certificate, followed by those of intermediate authorities.',
      examples: ['/etc/causeway/tls.crt'],
    }),
    keyFile: Type.String({ description: 'PEM: its private key.', examples: ['/etc/causeway/tls.key'] }),
    keyPassphrase: Type.Optional(
      Type.String({
        description: 'The passphrase of an encrypted key.',
        examples: ['${KEY_PASSPHRASE}'],
        writeOnly: true,
      }),
    ),
    keyPassphraseFile: Type.Optional(
      Type.String({
        description: 'A file whose first line is the passphrase, in place of keyPassphrase.',
        examples: ['/etc/causeway/passphrase'],
      }),
    ),
    clientCaFile: Type.Optional(
      Type.String({
        description: 'PEM: clients must show a certificate that one of these authorities signed.',
        examples: ['/etc/causeway/clients.crt'],
      }),
    ),
    minVersion: Choice(['TLSv1.2', 'TLSv1.3'], {
      description: 'The oldest accepted version of TLS.',
      default: 'TLSv1.2',
    }),
  },
  {
    description:
      'HTTPS on the port of the API. Changed files are read again; a certificate that cannot be used changes nothing.',
  },
);

export type ListenTls = Static<typeof ListenTls>;
