/** Addresses and networks (CIDR) in configurations. */
import { BlockList, isIP, isIPv4, isIPv6 } from 'node:net';

/** Finds entries of a list that are not networks. */
export function checkNetworks(entries: readonly string[]): { index: number; reason: string }[] {
  return entries.flatMap((entry, index) =>
    parseNetwork(entry) === undefined
      ? [{ index, reason: `${entry} is not an address or a network (10.0.0.0/8)` }]
      : [],
  );
}

/** Whether an entry is an address or a network. */
export function isNetwork(entry: string): boolean {
  return parseNetwork(entry) !== undefined;
}

/** Parses networks, which {@link checkNetworks} has checked. */
export function trustedNetworks(entries: readonly string[]): BlockList {
  const networks = new BlockList();
  for (const entry of entries) {
    const network = parseNetwork(entry);
    if (network !== undefined) networks.addSubnet(network.address, network.prefix, network.family);
  }
  return networks;
}

/** Whether an address, as {@link plainAddress} gives it, is in one of the networks. */
export function isTrusted(networks: BlockList, address: string): boolean {
  return address !== UNKNOWN_ADDRESS && networks.check(address, isIPv6(address) ? 'ipv6' : 'ipv4');
}

/** The address of a connection that is already closed. */
export const UNKNOWN_ADDRESS = 'unknown';

/** A socket's remote address; an IPv4 address on an IPv6 socket is written as IPv4. */
export function plainAddress(address: string | undefined): string {
  if (address === undefined) return UNKNOWN_ADDRESS;
  return address.startsWith('::ffff:') ? address.slice('::ffff:'.length) : address;
}

/** Whether only the same machine reaches a server that listens there. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || (isIP(host) !== 0 && isTrusted(LOOPBACK, plainAddress(host)));
}

/** Whether two servers cannot share a port: on the same host, or when one of them listens on all addresses. */
export function areHostsInConflict(one: string, other: string): boolean {
  return one === other || includesHost(one, other) || includesHost(other, one);
}

function includesHost(all: string, host: string): boolean {
  if (all === '::') return true;
  const address = host === 'localhost' ? '127.0.0.1' : host;
  return all === address || (all === '0.0.0.0' && isIPv4(address));
}

const LOOPBACK = trustedNetworks(['127.0.0.0/8', '::1/128']);

function parseNetwork(text: string): { address: string; prefix: number; family: 'ipv4' | 'ipv6' } | undefined {
  const [address = '', prefixText, ...rest] = text.split('/');
  const version = isIP(address);
  if (version === 0 || rest.length > 0) return undefined;
  const maxPrefix = version === 4 ? 32 : 128;
  const prefix = prefixText === undefined ? maxPrefix : Number(prefixText);
  if (!/^\d{1,3}$/.test(prefixText ?? '0') || prefix > maxPrefix) return undefined;
  return { address, prefix, family: version === 4 ? 'ipv4' : 'ipv6' };
}
