/** Client certificates: whose certificate the TLS listener has verified. */
import type { PeerIdentity } from '@causeway/http/peer.ts';
import type { CertificateName } from '../config/auth-credentials.ts';
import type { Authenticated, Authentication, AuthenticationMethod, CredentialedRequest } from './method.ts';
import { nameProblem } from './principal-name.ts';

export interface ClientCertificatesOptions {
  /** The first of these that the certificate has. */
  names: readonly CertificateName[];
  prefix: string;
  /** Whether the organizational units of the subject are roles. */
  hasRoles: boolean;
  /** Milliseconds since 1970. */
  wallClock: () => number;
}

const NAMELESS: Authentication = {
  kind: 'failed',
  message: 'The client certificate has no name that this gateway accepts.',
};

const EXPIRED: Authentication = { kind: 'failed', message: 'The client certificate has expired.', isExpired: true };

export class ClientCertificates implements AuthenticationMethod {
  readonly name = 'certificate';
  /** The certificate is part of the TLS handshake; a response 401 has at least one challenge (RFC 9110 §15.5.2). */
  readonly challenge = 'ClientCertificate realm="causeway"';
  readonly credentialHeaders = [];
  readonly #options: ClientCertificatesOptions;
  /** Once for each connection. */
  readonly #byIdentity = new WeakMap<PeerIdentity, Authentication>();

  constructor(options: ClientCertificatesOptions) {
    this.#options = options;
  }

  /** A gateway's certificate is for the gateway, never for a client behind it; nor is that of a proxy for those whose requests it forwards. */
  applies({ peer, trust, message }: CredentialedRequest): boolean {
    if (peer.identity === undefined || trust === 'gateway') return false;
    return trust === 'client' || !isForwarded(message);
  }

  recall({ peer: { identity } }: CredentialedRequest): Authenticated | undefined {
    if (identity === undefined || this.#isExpired(identity)) return undefined;
    const authentication = this.#byIdentity.get(identity);
    return authentication?.kind === 'authenticated' ? authentication : undefined;
  }

  authenticate({ peer: { identity } }: CredentialedRequest): Authentication {
    if (identity === undefined) return NAMELESS;
    if (this.#isExpired(identity)) return EXPIRED;
    const name = this.#nameOf(identity);
    if (name === undefined) return NAMELESS;
    const roles = this.#options.hasRoles ? identity.organizationalUnits : [];
    const authentication: Authentication = { kind: 'authenticated', principal: { name, roles, method: 'certificate' } };
    this.#byIdentity.set(identity, authentication);
    return authentication;
  }

  /** The handshake was before; a connection may last for weeks. */
  #isExpired({ notAfterMs }: PeerIdentity): boolean {
    return this.#options.wallClock() > notAfterMs;
  }

  #nameOf(identity: PeerIdentity): string | undefined {
    const { names, prefix } = this.#options;
    for (const kind of names) {
      const name = nameFrom(identity, kind);
      if (name !== undefined) return nameProblem(prefix + name) === undefined ? prefix + name : undefined;
    }
    return undefined;
  }
}

function isForwarded({ headers }: CredentialedRequest['message']): boolean {
  return headers['x-forwarded-for'] !== undefined || headers['forwarded'] !== undefined;
}

/** The first name of a kind; `undefined` if the certificate has none that names one party. */
function nameFrom({ uris, dnsNames, emails, commonName }: PeerIdentity, kind: CertificateName): string | undefined {
  switch (kind) {
    case 'uri':
      // Beside a SPIFFE ID there is no other URI (X.509-SVID, section 2).
      return uris.length > 1 && uris.some((uri) => /^spiffe:/i.test(uri)) ? undefined : uris[0];
    case 'dns':
      return dnsNames.find((name) => !name.includes('*'))?.toLowerCase();
    case 'email':
      return emails[0];
    case 'commonName':
      return commonName;
  }
}
