/** How listeners speak TLS: ciphers, groups, versions, renegotiation and session tickets. */
import { constants, randomBytes } from 'node:crypto';
import type { SecureContextOptions } from 'node:tls';

/** Those of TLS 1.3, and of TLS 1.2 those with forward secrecy and authenticated encryption, as in Go's crypto/tls. */
const CIPHERS = [
  'TLS_AES_128_GCM_SHA256',
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
].join(':');
/** Those of Mozilla's "intermediate" configuration (wiki.mozilla.org/Security/Server_Side_TLS). */
const GROUPS = 'X25519MLKEM768:X25519:P-256:P-384';
/** The same for all certificates: a ticket that a connection with one name got is for the others, too. */
const SESSION_ID_CONTEXT = 'causeway';
/** As Node wants them: name, HMAC key and AES key. */
const TICKET_KEY_BYTES = 48;

export interface ListenerContext {
  /** PEM. */
  cert: string;
  key: string;
  /** PEM: the authorities of clients, if their certificates are asked for. */
  ca: string | undefined;
  minVersion: 'TLSv1.2' | 'TLSv1.3';
  ticketKeys: Buffer;
}

export function contextOptions({ cert, key, ca, minVersion, ticketKeys }: ListenerContext): SecureContextOptions {
  const options: SecureContextOptions = {
    cert,
    key,
    minVersion,
    ciphers: CIPHERS,
    honorCipherOrder: true,
    ecdhCurve: GROUPS,
    // A ticket would keep the identity of a client beyond the life of its certificate and authority.
    secureOptions: constants.SSL_OP_NO_RENEGOTIATION | (ca === undefined ? 0 : constants.SSL_OP_NO_TICKET),
    sessionIdContext: SESSION_ID_CONTEXT,
    ticketKeys,
  };
  if (ca !== undefined) options.ca = ca;
  return options;
}

export function newTicketKeys(): Buffer {
  return randomBytes(TICKET_KEY_BYTES);
}
