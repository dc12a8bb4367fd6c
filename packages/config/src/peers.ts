/** The entries of `trust.peers`: addresses, networks, and names in the certificates of clients. */
import { type BlockList, isIP } from 'node:net';
import { domainToASCII } from 'node:url';
import { checkNetworks, trustedNetworks } from './networks.ts';

/** The subject alternative names of a client certificate that was verified. */
export interface CertifiedNames {
  readonly dnsNames: readonly string[];
  readonly uris: readonly string[];
}

/** Parsed entries. */
export interface Peers {
  readonly networks: BlockList;
  /** In the form that {@link canonicalDnsName} gives them. */
  readonly dnsNames: ReadonlySet<string>;
  /** In the form that {@link canonicalUri} gives them. */
  readonly uris: ReadonlySet<string>;
}

/** RFC 1035, section 2.3.4. */
const MAX_DNS_NAME_CHARS = 253;
const LABEL = '[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?';
const DNS_NAME = new RegExp(`^${LABEL}(?:\\.${LABEL})*$`);
/** With an authority, so that `host:port` is not a URI, or a URN. */
const URI = /^(?:[a-z][a-z0-9+.-]*:\/\/[^\s/?#]+[^\s]*|urn:[^\s]+)$/i;

/** Finds entries that are neither addresses nor names. */
export function checkPeers(entries: readonly string[]): { index: number; reason: string }[] {
  return entries.flatMap((entry, index) => {
    const reason = peerProblem(entry);
    return reason === undefined ? [] : [{ index, reason }];
  });
}

/** Parses entries, which {@link checkPeers} has checked. */
export function parsePeers(entries: readonly string[]): Peers {
  const names = entries.filter(namesCertificate);
  return {
    networks: trustedNetworks(entries),
    dnsNames: new Set(names.filter((name) => !URI.test(name)).map(canonicalDnsName)),
    uris: new Set(names.filter((name) => URI.test(name)).map(canonicalUri)),
  };
}

/** Whether the entry is a name in a certificate; otherwise it is an address or a network. */
export function namesCertificate(entry: string): boolean {
  return checkNetworks([entry]).length > 0;
}

/**
 * Whether a certificate has a listed name. Names match as a whole: no wildcard of a certificate matches an entry. Of SPIFFE
 * IDs a certificate has one alone (X.509-SVID, section 2).
 */
export function isCertifiedPeer({ dnsNames, uris }: Peers, names: CertifiedNames): boolean {
  if (names.dnsNames.some((name) => dnsNames.has(canonicalDnsName(name)))) return true;
  const candidates = names.uris.map(canonicalUri);
  const hasOneUri = candidates.length === 1;
  return candidates.some((uri) => uris.has(uri) && (hasOneUri || !uri.startsWith('spiffe:')));
}

/** DNS names are case-insensitive (RFC 4343); certificates have their ASCII form (RFC 5280, section 7.2). */
function canonicalDnsName(name: string): string {
  const ascii = /^[\x20-\x7e]*$/.test(name) ? name : domainToASCII(name);
  return ascii.toLowerCase().replace(/\.$/, '');
}

/** Scheme and host are case-insensitive (RFC 3986, section 6.2.2.1); a SPIFFE path is not. */
function canonicalUri(uri: string): string {
  const [, scheme, authority = '', rest = ''] = /^([a-z][a-z0-9+.-]*:)(\/\/[^/?#]*)?(.*)$/is.exec(uri) ?? [];
  return scheme === undefined ? uri : `${scheme.toLowerCase()}${authority.toLowerCase()}${rest}`;
}

function peerProblem(entry: string): string | undefined {
  if (!namesCertificate(entry) || URI.test(entry)) return undefined;
  if (entry.includes('*')) return `${entry} is a pattern: a peer has one name, so list each of them`;
  const name = canonicalDnsName(entry);
  // The last label of a host name is not a number: this is a mistyped address (RFC 1123, section 2.1).
  const isHostName = name.length <= MAX_DNS_NAME_CHARS && DNS_NAME.test(name) && !/(?:^|\.)\d+$/.test(name);
  if (isHostName && isIP(name) === 0) return undefined;
  return `${entry} is not an address, a network (10.0.0.0/8), or a name in a certificate (tier1.example, spiffe://example/gateway)`;
}
