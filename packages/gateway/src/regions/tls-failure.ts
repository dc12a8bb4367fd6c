/** Describes why TLS to a target failed, by the codes of Node and OpenSSL. The texts have no addresses. Pure. */
import type { PeerCertificate } from 'node:tls';

/** What the certificate of the target lacks, found by this gateway (X.509 verification, OpenSSL's `X509_V_ERR_*`). */
const OF_CERTIFICATE = tableOf({
  CERT_HAS_EXPIRED: 'its certificate has expired',
  CERT_NOT_YET_VALID: 'its certificate is not valid yet',
  CERT_REVOKED: 'its certificate is revoked',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is self-signed',
  SELF_SIGNED_CERT_IN_CHAIN: 'its certificate is signed by an unknown authority',
  UNABLE_TO_GET_ISSUER_CERT: 'its certificate is signed by an unknown authority',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'its certificate is signed by an unknown authority',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its certificate is signed by an unknown authority',
  // Another authority of the same name, such as the one before a renewal.
  CERT_SIGNATURE_FAILURE: 'its certificate is signed by an unknown authority',
  CERT_UNTRUSTED: 'its certificate is signed by an unknown authority',
  INVALID_PURPOSE: 'its certificate is not one for servers',
  CERT_REJECTED: 'its certificate is not one for servers',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another host',
  ERR_TLS_CERT_ALTNAME_FORMAT: 'its certificate has invalid names',
});

/** Alerts by which the target refuses the gateway's certificate, or the lack of one (RFC 8446 §6.2). */
const REFUSALS = tableOf({
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED: 'it demands a certificate of the gateway',
  ERR_SSL_TLSV1_ALERT_UNKNOWN_CA: "it does not know the authority of the gateway's certificate",
  'ERR_SSL_SSL/TLS_ALERT_CERTIFICATE_EXPIRED': "it refuses the gateway's certificate as expired",
  'ERR_SSL_SSL/TLS_ALERT_CERTIFICATE_REVOKED': "it refuses the gateway's certificate as revoked",
  'ERR_SSL_SSL/TLS_ALERT_BAD_CERTIFICATE': "it refuses the gateway's certificate",
  'ERR_SSL_SSL/TLS_ALERT_CERTIFICATE_UNKNOWN': "it refuses the gateway's certificate",
  'ERR_SSL_SSL/TLS_ALERT_UNSUPPORTED_CERTIFICATE': "it refuses the gateway's certificate",
  ERR_SSL_TLSV1_ALERT_ACCESS_DENIED: "it refuses the gateway's certificate",
  ERR_SSL_TLSV1_ALERT_DECRYPT_ERROR: "it refuses the gateway's certificate",
});

/** The handshake failed for other reasons. */
const OF_HANDSHAKE = tableOf({
  ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION: 'it has no version of TLS in common with the gateway',
  ERR_SSL_UNSUPPORTED_PROTOCOL: 'it has no version of TLS in common with the gateway',
  // Also what TLS 1.2 has for a certificate that is missing (RFC 5246 §7.4.6).
  'ERR_SSL_SSL/TLS_ALERT_HANDSHAKE_FAILURE':
    'it refuses the TLS handshake: no cipher in common, or it demands a certificate of the gateway',
  ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL: 'it does not speak HTTP/1.1',
  ERR_SSL_TLSV1_UNRECOGNIZED_NAME: 'it has no certificate for the name',
  ERR_SSL_WRONG_VERSION_NUMBER: 'it does not speak TLS on this port',
  ERR_SSL_PACKET_LENGTH_TOO_LONG: 'it does not speak TLS on this port',
  ERR_SSL_HTTP_REQUEST: 'it does not speak TLS on this port',
});

/** Returns `undefined` for an error that is not one of TLS. */
export function describeTlsFailure(error: unknown): string | undefined {
  const { code } = error as NodeJS.ErrnoException;
  if (code === undefined) return undefined;
  const text = OF_CERTIFICATE.get(code) ?? REFUSALS.get(code) ?? OF_HANDSHAKE.get(code);
  if (text !== undefined) return text;
  return code.startsWith('ERR_SSL_') ? `TLS failed (${code.slice('ERR_SSL_'.length).toLowerCase()})` : undefined;
}

/** For operators: with the names. */
export function explainTlsFailure(error: unknown): string | undefined {
  const { code, host, cert } = error as { code?: string; host?: string; cert?: PeerCertificate };
  if (code !== 'ERR_TLS_CERT_ALTNAME_INVALID' || host === undefined) return describeTlsFailure(error);
  return `its certificate is for ${namesOf(cert)}, not for ${host}`;
}

/** A certificate may have hundreds of names. */
const MOST_NAMES = 5;

function namesOf(cert: PeerCertificate | undefined): string {
  const names = (cert?.subjectaltname ?? '')
    .split(', ')
    .filter((name) => name !== '')
    .map((name) => name.replace(/^(?:DNS|IP Address|URI):/, ''));
  if (names.length === 0) return 'no host';
  const more = names.length - MOST_NAMES;
  return more > 0 ? `${names.slice(0, MOST_NAMES).join(', ')} and ${more} more` : names.join(', ');
}

/**
 * Whether the target refused the gateway's certificate. With TLS 1.3 the refusal arrives after the gateway has sent a request
 * (RFC 8446 §4.4.2.4), which the target has not read: the handshake was not complete there.
 */
export function isRefusalOfCertificate(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code !== undefined && REFUSALS.has(code);
}

function tableOf(texts: Record<string, string>): ReadonlyMap<string, string> {
  return new Map(Object.entries(texts));
}
