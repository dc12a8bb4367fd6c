/** Whom a process trusts: proxies, for what they say about the client, and gateways of the same system, which show a secret or a certificate. */
import { timingSafeEqual } from 'node:crypto';
import type { BlockList } from 'node:net';
import { type Static, Type } from 'typebox';
import { checkNetworks, isTrusted, trustedNetworks } from './networks.ts';
import { type CertifiedNames, checkPeers, isCertifiedPeer, namesCertificate, type Peers, parsePeers } from './peers.ts';
import { ReportPace } from './report-pace.ts';
import { Section } from './schema.ts';
import { readSecret } from './secret.ts';

/** Characters that a header can carry: RFC 6750 has the same set for bearer tokens. */
const SECRET_PATTERN = '^[A-Za-z0-9._~+/=-]*$';
/** Shorter secrets could be guessed over the network within weeks; use 32 random bytes. */
const MIN_SECRET_CHARS = 16;

/** The section `trust` of gateways and bridges. */
export const TrustSection = Section(
  {
    proxies: Type.Array(Type.String(), {
      description:
        'Addresses and networks (CIDR) of the proxies in front, such as one that terminates TLS: their Forwarded and X-Forwarded-* headers name the client and the address that it used. From all other senders these headers are ignored or replaced.',
      default: [],
    }),
    peers: Type.Array(Type.String(), {
      description:
        "The gateways of this system that send requests here: addresses and networks (CIDR), which must show the secret, and names in their client certificates (DNS names and URIs, such as SPIFFE IDs), which need no secret. A name matches a subject alternative name as a whole, and only of a certificate that a listener has verified (clientCaFile). A peer's causeway-* headers count, too, with which gateways move and list consumers. From all other senders these headers are ignored or removed.",
      default: [],
      examples: [['10.1.0.0/24', 'tier1.causeway.example', 'spiffe://causeway.example/gateway']],
    }),
    secret: Type.Optional(
      Type.String({
        description:
          'The secret that gateways show to each other and to bridges, the same in the whole system: 32 random bytes (openssl rand -base64 32). A gateway sends it to its targets only. Required by addresses in peers.',
        examples: ['${CAUSEWAY_TRUST_SECRET}'],
        pattern: SECRET_PATTERN,
        writeOnly: true,
      }),
    ),
    secretFile: Type.Optional(
      Type.String({
        description: 'A file that contains the secret. Read together with this file.',
        examples: ['/run/secrets/causeway-trust-secret'],
      }),
    ),
  },
  { description: 'Senders whose headers are trusted.' },
);
export type TrustSection = Static<typeof TrustSection>;

type Finding = { path: (string | number)[]; reason: string };

/** Finds problems of the section. `verifiesClients`: whether a listener of the process verifies client certificates. */
export function checkTrust(trust: TrustSection, { verifiesClients }: { verifiesClients: boolean }): Finding[] {
  const findings: Finding[] = [
    ...checkNetworks(trust.proxies).map(({ index, reason }) => ({ path: ['trust', 'proxies', index], reason })),
    ...checkPeers(trust.peers).map(({ index, reason }) => ({ path: ['trust', 'peers', index], reason })),
  ];
  const name = trust.peers.findIndex(namesCertificate);
  if (findings.length === 0 && name !== -1 && !verifiesClients) {
    const reason = `${trust.peers[name]} is a name in a certificate, and no listener verifies the certificates of clients: set tls.clientCaFile of the listener`;
    findings.push({ path: ['trust', 'peers', name], reason });
  }
  const found = findSecretProblem(trust);
  if (found !== undefined) findings.push({ path: ['trust', found.key], reason: found.reason });
  return findings;
}

function findSecretProblem(trust: TrustSection): { key: string; reason: string } | undefined {
  const { peers, secretFile } = trust;
  if (secretFile !== undefined && (trust.secret ?? '') !== '') {
    return { key: 'secretFile', reason: 'secret and secretFile exclude each other' };
  }
  let secret: string | undefined;
  try {
    secret = readTrustSecret(trust);
  } catch (error) {
    return { key: 'secretFile', reason: error instanceof Error ? error.message : String(error) };
  }
  const key = secretFile === undefined ? 'secret' : 'secretFile';
  if (secret === undefined) {
    if (peers.every(namesCertificate)) return undefined;
    const reason =
      'an address alone does not make a peer, because a proxy on the same host sends the requests of every client: set trust.secret (as "${CAUSEWAY_TRUST_SECRET}") or trust.secretFile, the same on all gateways and bridges';
    return { key: 'peers', reason };
  }
  if (!new RegExp(SECRET_PATTERN).test(secret))
    return { key, reason: 'contains characters that a header cannot carry' };
  if (secret.length >= MIN_SECRET_CHARS) return undefined;
  return { key, reason: `is shorter than ${MIN_SECRET_CHARS} characters: generate one with openssl rand -base64 32` };
}

/** The secret, if there is one. Errors: `Error` for a file that cannot be used, with the file and the reason. */
export function readTrustSecret({ secret, secretFile }: TrustSection): string | undefined {
  const read = readSecret({ value: secret, file: secretFile });
  return read === '' ? undefined : read;
}

/**
 * How far a sender is trusted. `client`: its headers are ignored. `proxy`: its `Forwarded` and `X-Forwarded-*` headers count.
 * `gateway`: its `causeway-*` headers, too.
 */
export type Trust = 'client' | 'proxy' | 'gateway';

/** Requests that claim to be a gateway's, and show neither the secret from an address of `trust.peers` nor a certificate that is listed there. */
export interface Impostor {
  address: string;
  /** Since the last report, including this request. */
  requestCount: number;
  reason: string;
}

export interface TrustPolicyOptions {
  proxies: readonly string[];
  peers: readonly string[];
  secret: string | undefined;
  /** At most once a minute. Default: nothing. */
  onImpostor?: ((impostor: Impostor) => void) | undefined;
  /** Milliseconds, never going back. */
  now?: () => number;
}

/** In a report; a certificate may have hundreds. */
const MAX_NAMES_SHOWN = 5;

/** The other end of a connection, as far as trust depends on it. The same object for every request of the connection. */
export interface TrustedPeer {
  /** An IPv4 address on an IPv6 socket is written as IPv4. */
  readonly address: string;
  /** Of its client certificate, if that was verified. */
  readonly identity?: CertifiedNames | undefined;
  /** A load balancer sends the bytes of a client that it does not name: the address says nothing about their sender. */
  readonly isOfUnknownClient?: boolean;
}

interface Standing {
  readonly isProxy: boolean;
  readonly isPeerAddress: boolean;
  readonly isPeerCertificate: boolean;
}

export class TrustPolicy {
  readonly #options: TrustPolicyOptions;
  readonly #proxies: BlockList;
  readonly #peers: Peers;
  readonly #namesCertificates: boolean;
  /** Without proxies and peers every request is a client's. */
  readonly trustsNone: boolean;
  readonly #expected: Buffer | undefined;
  readonly #given: Buffer;
  /** Addresses are looked up once for each connection, secrets compared at each request: proxies share connections. */
  readonly #standings = new WeakMap<TrustedPeer, Standing>();
  readonly #impostors = new ReportPace();

  constructor(options: TrustPolicyOptions) {
    const { proxies, peers, secret } = options;
    this.#options = options;
    this.#proxies = trustedNetworks(proxies);
    this.#peers = parsePeers(peers);
    this.#namesCertificates = this.#peers.dnsNames.size + this.#peers.uris.size > 0;
    this.trustsNone = proxies.length === 0 && peers.length === 0;
    this.#expected = secret === undefined || secret === '' ? undefined : Buffer.from(secret, 'latin1');
    this.#given = Buffer.alloc(this.#expected?.length ?? 0);
  }

  /**
   * How far a request of this peer is trusted: by its certificate alone, by its address with the secret. `secret`: the secret that it shows. `isLikeGateway`: it has headers
   * that only gateways send.
   */
  of(peer: TrustedPeer, secret: string | string[] | undefined, isLikeGateway: boolean): Trust {
    if (this.trustsNone) return 'client';
    let standing = this.#standings.get(peer);
    if (standing === undefined) {
      standing = this.#lookUp(peer);
      this.#standings.set(peer, standing);
    }
    if (standing.isPeerCertificate) return 'gateway';
    if (secret !== undefined || isLikeGateway) {
      if (standing.isPeerAddress && this.#isSecret(secret)) return 'gateway';
      if (standing.isPeerAddress || (this.#namesCertificates && isLikeGateway)) this.#report(peer, standing, secret);
    }
    return standing.isProxy ? 'proxy' : 'client';
  }

  /** Whether an address on the way of a request is a trusted proxy or peer: the client is before it. */
  isHop(address: string): boolean {
    return isTrusted(this.#proxies, address) || isTrusted(this.#peers.networks, address);
  }

  #lookUp({ address, identity, isOfUnknownClient = false }: TrustedPeer): Standing {
    return {
      isProxy: !isOfUnknownClient && isTrusted(this.#proxies, address),
      isPeerAddress: !isOfUnknownClient && isTrusted(this.#peers.networks, address),
      isPeerCertificate: identity !== undefined && isCertifiedPeer(this.#peers, identity),
    };
  }

  /** In constant time for secrets of the right length. */
  #isSecret(secret: string | string[] | undefined): boolean {
    if (typeof secret !== 'string' || this.#expected === undefined || secret.length !== this.#expected.length) {
      return false;
    }
    this.#given.write(secret, 'latin1');
    return timingSafeEqual(this.#given, this.#expected);
  }

  #report(peer: TrustedPeer, { isPeerAddress }: Standing, secret: string | string[] | undefined): void {
    const { onImpostor, now = () => performance.now() } = this.#options;
    const requestCount = this.#impostors.count(now());
    if (onImpostor === undefined || requestCount === undefined) return;
    const what = isPeerAddress
      ? `the address is in trust.peers, and the request shows ${secret === undefined ? 'no secret' : 'another secret than trust.secret'}`
      : `the request claims to be a gateway's, and ${describeNames(peer.identity)}`;
    onImpostor({ address: peer.address, requestCount, reason: `${what}: it is served as a client's` });
  }
}

function describeNames(identity: CertifiedNames | undefined): string {
  if (identity === undefined) return 'the connection has no verified client certificate';
  const names = [...identity.dnsNames, ...identity.uris];
  if (names.length === 0) return 'its certificate has no subject alternative names';
  return `trust.peers has no name of its certificate (${names.slice(0, MAX_NAMES_SHOWN).join(', ')})`;
}
