/** What DNS says of a name: the addresses behind it, or why it has no address. Pure. */
import { isIPv6 } from 'node:net';

/** Where a target listens. */
export interface Endpoint {
  /** IPv4, or IPv6 without brackets; the same address always has the same text. */
  readonly address: string;
  /** From an SRV record; `undefined` where the configuration has the port. */
  readonly port: number | undefined;
}

export type Family = 'IPv4' | 'IPv6';

/** The answer to one lookup. */
export type Answer =
  /** At least one. `missing`: the other family could not be asked for. */
  | { readonly kind: 'found'; readonly endpoints: readonly Endpoint[]; readonly missing?: Family | undefined }
  /** The name exists, and has no addresses. */
  | { readonly kind: 'empty' }
  /** The name does not exist (NXDOMAIN). */
  | { readonly kind: 'unknown' }
  /** Nothing is known of the name. */
  | { readonly kind: 'failed'; readonly reason: string };

/** The answer to one question: for a name and a type. */
export type Records<Value> =
  | { readonly kind: 'found'; readonly values: readonly Value[] }
  | Exclude<Answer, { kind: 'found' }>;

/** Joins the addresses of both families. */
export function joinFamilies(v4: Records<string>, v6: Records<string>, port?: number): Answer {
  const values = [v4, v6].flatMap((records) => (records.kind === 'found' ? records.values : []));
  const addresses = distinct(values.flatMap((text) => normalAddress(text) ?? []));
  const failed = [v4, v6].find((records) => records.kind === 'failed');
  if (addresses.length > 0) {
    const missing = v4.kind === 'failed' ? 'IPv4' : v6.kind === 'failed' ? 'IPv6' : undefined;
    return { kind: 'found', endpoints: addresses.map((address) => ({ address, port })), missing };
  }
  // NXDOMAIN is about the name, whatever its type (RFC 2308 §5).
  if (v4.kind === 'unknown' || v6.kind === 'unknown') return { kind: 'unknown' };
  return failed ?? { kind: 'empty' };
}

/** Joins the addresses of the hosts of SRV records. A host without addresses is left out: its SRV record is about to go, too. */
export function joinHosts(answers: readonly Answer[]): Answer {
  const failed = answers.find(({ kind }) => kind === 'failed');
  if (failed !== undefined) return failed;
  const found = answers.filter((answer) => answer.kind === 'found');
  if (found.length === 0) return { kind: 'empty' };
  const [missing, other] = distinct(found.flatMap((answer) => answer.missing ?? []));
  if (other !== undefined) return { kind: 'failed', reason: 'some hosts lack A records, and others AAAA records' };
  const endpoints = new Map(found.flatMap((answer) => answer.endpoints.map((endpoint) => [keyOf(endpoint), endpoint])));
  return { kind: 'found', endpoints: [...endpoints.values()], missing };
}

export function familyOf({ address }: Endpoint): Family {
  return isIPv6(address) ? 'IPv6' : 'IPv4';
}

/** Identifies an endpoint among those of a name. */
export function keyOf({ address, port }: Endpoint): string {
  return `${address} ${port ?? ''}`;
}

/** The host and port of a URL: `10.1.2.3:8080`, `[::1]:8080`. */
export function authorityOf(address: string, port: number): string {
  return isIPv6(address) ? `[${address}]:${port}` : `${address}:${port}`;
}

const MAPPED = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/;

/**
 * The one text of an address: IPv6 as RFC 5952 writes it, and an IPv4-mapped address (RFC 4291 §2.5.5.2) as the IPv4 that it is.
 * `undefined` for 0.0.0.0 and ::, which no host has: a connection to them would reach this machine.
 */
export function normalAddress(text: string): string | undefined {
  if (!isIPv6(text)) return text === '0.0.0.0' ? undefined : text;
  const address = new URL(`http://[${text}]`).hostname.slice(1, -1);
  const [, high, low] = MAPPED.exec(address) ?? [];
  if (high === undefined || low === undefined) return address === '::' ? undefined : address;
  const bits = [high, low].map((part) => Number.parseInt(part, 16)).flatMap((part) => [part >> 8, part & 0xff]);
  return normalAddress(bits.join('.'));
}

function distinct<Text extends string>(texts: readonly Text[]): Text[] {
  return [...new Set(texts)];
}
