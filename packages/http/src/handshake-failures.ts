/** TLS handshakes that fail at a listener: why, counted by reason, and reported now and then. */
import { plainAddress } from '@causeway/config/networks.ts';
import { ReportPaces } from '@causeway/config/report-pace.ts';

export const HANDSHAKE_FAILURES = [
  'noCertificate',
  'unknownAuthority',
  'expiredCertificate',
  'invalidCertificate',
  'refusedByClient',
  'protocolVersion',
  'noSharedCipher',
  'notTls',
  'timedOut',
  'closed',
  'other',
] as const;
export type HandshakeFailure = (typeof HANDSHAKE_FAILURES)[number];

/** In a report, as the end of the sentence "a client could not connect: …". */
const TEXTS: Record<HandshakeFailure, string> = {
  noCertificate: 'it showed no certificate',
  unknownAuthority: 'its certificate was signed by an unknown authority',
  expiredCertificate: 'its certificate has expired',
  invalidCertificate: 'its certificate is not valid',
  refusedByClient: 'it does not accept the certificate of this listener',
  protocolVersion: 'there is no shared version of TLS',
  noSharedCipher: 'there is no shared cipher',
  notTls: 'it does not speak TLS',
  timedOut: 'its handshake took too long',
  closed: 'it closed the connection',
  other: 'its handshake failed',
};

/** What Node knows about a handshake that failed. */
export interface FailedHandshake {
  readonly error: { readonly code?: string | undefined; readonly message: string };
  /** Why the client's certificate was not accepted, by OpenSSL's name; `undefined` before it was checked. */
  readonly authorizationError?: string | undefined;
}

/** OpenSSL's names of problems with a client's certificate (X509_verify_cert_error_string(3)). */
const CERTIFICATE_PROBLEMS: Readonly<Record<string, HandshakeFailure>> = {
  CERT_HAS_EXPIRED: 'expiredCertificate',
  UNABLE_TO_GET_ISSUER_CERT: 'unknownAuthority',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'unknownAuthority',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'unknownAuthority',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'unknownAuthority',
  SELF_SIGNED_CERT_IN_CHAIN: 'unknownAuthority',
  CERT_SIGNATURE_FAILURE: 'unknownAuthority',
};

/** In the order in which they are tried, against OpenSSL's reason in the code. */
const BY_CODE: readonly [RegExp, HandshakeFailure][] = [
  [/PEER_DID_NOT_RETURN_A_CERTIFICATE|CERTIFICATE_REQUIRED/, 'noCertificate'],
  [/ALERT_(?:UNKNOWN_CA|BAD_CERTIFICATE|CERTIFICATE_\w+|UNSUPPORTED_CERTIFICATE|ACCESS_DENIED)/, 'refusedByClient'],
  [/UNSUPPORTED_PROTOCOL|VERSION_TOO_LOW|UNKNOWN_PROTOCOL|PROTOCOL_VERSION|INAPPROPRIATE_FALLBACK/, 'protocolVersion'],
  [/NO_SHARED_CIPHER|NO_SUITABLE|NO_SHARED_SIGNATURE/, 'noSharedCipher'],
  [/HTTP_REQUEST|HTTPS_PROXY_REQUEST|WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|BAD_RECORD_TYPE/, 'notTls'],
  [/HANDSHAKE_TIMEOUT/, 'timedOut'],
  [/^ECONNRESET$|^EPIPE$|UNEXPECTED_EOF/, 'closed'],
];

export function handshakeFailureOf({ error, authorizationError }: FailedHandshake): HandshakeFailure {
  if (authorizationError !== undefined) return CERTIFICATE_PROBLEMS[authorizationError] ?? 'invalidCertificate';
  const code = error.code ?? '';
  return BY_CODE.find(([pattern]) => pattern.test(code))?.[1] ?? 'other';
}

/** Of the same kind, since the last report. */
export interface HandshakeReport {
  failure: HandshakeFailure;
  reason: string;
  /** Of the last client. */
  address: string;
  /** Including the last one. */
  failureCount: number;
}

/** Load balancers probe a port like this, and clients may leave: not reported. */
const SILENT: ReadonlySet<HandshakeFailure> = new Set(['closed']);

export class HandshakeFailures {
  readonly counts = Object.fromEntries(HANDSHAKE_FAILURES.map((failure) => [failure, 0])) as Record<
    HandshakeFailure,
    number
  >;
  readonly #onReport: (report: HandshakeReport) => void;
  readonly #now: () => number;
  readonly #paces = new ReportPaces<HandshakeFailure>();

  /** `now`: milliseconds, never going back. */
  constructor(onReport: (report: HandshakeReport) => void, now: () => number = () => performance.now()) {
    this.#onReport = onReport;
    this.#now = now;
  }

  count(failed: FailedHandshake, remoteAddress: string | undefined): void {
    const failure = handshakeFailureOf(failed);
    this.counts[failure] += 1;
    if (SILENT.has(failure)) return;
    const failureCount = this.#paces.count(failure, this.#now());
    if (failureCount === undefined) return;
    const detail = failed.authorizationError ?? failed.error.code ?? failed.error.message;
    const reason = `${TEXTS[failure]} (${detail})`;
    this.#onReport({ failure, reason, address: plainAddress(remoteAddress), failureCount });
  }
}
