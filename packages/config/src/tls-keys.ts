/** The keys that sections about TLS share: those of listeners, and of connections to targets. */
import type { PassphraseSource } from './pem.ts';
import { Choice, Type } from './schema.ts';

/** Fresh objects for each place of the schema. */
export function passphraseKeys() {
  return {
    keyPassphrase: Type.Optional(
      Type.String({
        description: 'The passphrase of an encrypted key.',
        examples: ['${KEY_PASSPHRASE}'],
        writeOnly: true,
      }),
    ),
    keyPassphraseFile: Type.Optional(
      Type.String({
        description: 'A file that contains the passphrase, in place of keyPassphrase.',
        examples: ['/etc/causeway/passphrase'],
      }),
    ),
  };
}

export function minVersion() {
  return Choice(['TLSv1.2', 'TLSv1.3'], { description: 'The oldest accepted version of TLS.', default: 'TLSv1.2' });
}

export const TWO_PASSPHRASES = 'keyPassphrase and keyPassphraseFile exclude each other';

export function hasTwoPassphrases({ keyPassphrase, keyPassphraseFile }: PassphraseSource): boolean {
  return keyPassphrase !== undefined && keyPassphraseFile !== undefined;
}
