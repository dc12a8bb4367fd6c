/** Names of hosts as HTTP writes them: `Host` and the authority of a URL (RFC 9110 §7.2, RFC 3986 §3.2). */
import { isIPv6 } from 'node:net';

/** The longest name (RFC 1035 §2.3.4). Bounds the headers that gateways add to a request, which repeat it. */
const MAX_NAME_LENGTH = 255;
const MAX_PORT = 65_535;
/** reg-name or IPv4address, or IP-literal; then a port, which may be empty. */
const AUTHORITY = /^(?:((?:[\w\-.~!$&'()*+,;=]|%[0-9A-Fa-f]{2})+)|\[([^\]]+)\])(?::(\d*))?$/;
const IP_FUTURE = /^v[0-9A-Fa-f]+\.[\w\-.~!$&'()*+,;=:]+$/;

/** Why a host with its port is invalid; `undefined` when it is valid. */
export function hostProblem(text: string): string | undefined {
  if (text === '') return 'it is empty';
  if (text.length > MAX_NAME_LENGTH + ':65535'.length) return `it is longer than ${MAX_NAME_LENGTH} characters`;
  if (text.includes('@')) return 'it must not have user information';
  const match = AUTHORITY.exec(text);
  if (match === null) return 'it must be a name or an address, with or without a port';
  const [, , literal, port] = match;
  if (literal !== undefined && !isIPv6(literal) && !IP_FUTURE.test(literal))
    return `[${literal}] is not an IPv6 address`;
  // A zone has a meaning on its own machine only (RFC 9110 §4.2.1 does not allow it).
  if (literal?.includes('%') === true) return 'an IPv6 address must not have a zone';
  if (port !== undefined && Number(port) > MAX_PORT) return `${port} is not a port; ports end at ${MAX_PORT}`;
  return undefined;
}

/** Drops a colon without a port, which means the default port of the scheme (RFC 3986 §3.2.3). */
export function withoutEmptyPort(host: string): string {
  return host.endsWith(':') ? host.slice(0, -1) : host;
}

/** The address at which a client reached this machine, as a `Host` header. */
export function reachedHost({
  localAddress = '',
  localPort,
}: {
  localAddress?: string | undefined;
  localPort?: number | undefined;
}): string {
  const address = localAddress.startsWith('::ffff:') ? localAddress.slice('::ffff:'.length) : localAddress;
  return `${isIPv6(address) ? `[${address}]` : address}:${localPort}`;
}
