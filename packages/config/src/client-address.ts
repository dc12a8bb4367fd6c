/** Finds the client of a request: each proxy appends the address that it got the request from; clients can write the rest. */
import { isIP, isIPv6 } from 'node:net';
import type { Trust, TrustPolicy } from './trust.ts';

export interface ForwardedRequest {
  /** The address of the connection, from `plainAddress`. */
  peerAddress: string;
  trust: Trust;
  headers: Readonly<Record<string, string | string[] | undefined>>;
}

/**
 * The address of the client: read from the right, the first that is not a trusted proxy or peer, as nginx
 * (`real_ip_recursive`) and Envoy (`xff_num_trusted_hops`) do. `X-Forwarded-For` comes before `Forwarded` (RFC 7239 §5.2).
 * For a node without an address, it is the nearest hop that has one.
 */
export function clientAddress(policy: Pick<TrustPolicy, 'isHop'>, request: ForwardedRequest): string {
  let address = request.peerAddress;
  if (request.trust === 'client') return address;
  const older = textOf(request.headers['x-forwarded-for']);
  const text = older ?? textOf(request.headers['forwarded']);
  if (text === undefined) return address;
  for (let end = text.length; end > 0; ) {
    const start = older === undefined ? elementStart(text, end) : text.lastIndexOf(',', end - 1) + 1;
    const element = text.slice(start, end).trim();
    const found = addressOf(older === undefined ? forOf(element) : element);
    if (found === undefined) return address;
    address = found;
    if (!policy.isHop(address)) return address;
    end = start - 1;
  }
  return address;
}

/** What counts as one client: an IPv4 address, or the /64 of an IPv6 address, which belongs to one client. */
export function clientNetwork(address: string): string {
  if (!isIPv6(address)) return address;
  return `${groupsOf(address).slice(0, 4).join(':')}::/64`;
}

function textOf(value: string | string[] | undefined): string | undefined {
  const text = Array.isArray(value) ? value.join(',') : value;
  return text === undefined || text.trim() === '' ? undefined : text;
}

/** The start of the last element before `end`. Read from the right, so that a client's unclosed quote affects only its own part. */
function elementStart(text: string, end: number): number {
  let isQuoted = false;
  for (let index = end - 1; index >= 0; index -= 1) {
    const character = text[index];
    if (character === '"' && text[index - 1] !== '\\') isQuoted = !isQuoted;
    else if (character === ',' && !isQuoted) return index + 1;
  }
  return 0;
}

/** The node of `for=` (RFC 7239 §4), without its quotes. */
function forOf(element: string): string {
  for (const [, name, quoted, token] of element.matchAll(/([\w-]+)=(?:"((?:[^"\\]|\\.)*)"|([^;,\s"]*))/g)) {
    if (name?.toLowerCase() === 'for') return quoted ?? token ?? '';
  }
  return '';
}

/** Without port, brackets and zone; `undefined` for `unknown`, an obfuscated node, and any other text. */
function addressOf(node: string): string | undefined {
  const bracketed = /^\[([^\]]*)\](?::\d+)?$/.exec(node)?.[1];
  const text = bracketed ?? (/^[\d.]+:\d+$/.test(node) ? node.slice(0, node.indexOf(':')) : node);
  if (isIP(text) === 0) return undefined;
  if (!isIPv6(text)) return text;
  const groups = groupsOf(text);
  if (groups.slice(0, 6).join(':') !== '0:0:0:0:0:ffff') return (text.split('%', 1)[0] ?? '').toLowerCase();
  // IPv4 on an IPv6 socket.
  const [high = 0, low = 0] = groups.slice(6).map((group) => Number.parseInt(group, 16));
  return [high >> 8, high & 0xff, low >> 8, low & 0xff].join('.');
}

/** The eight groups of an IPv6 address, without leading zeros. */
function groupsOf(address: string): string[] {
  const hostname = new URL(`http://[${address.split('%', 1)[0]}]`).hostname.slice(1, -1);
  const [left = '', right] = hostname.split('::');
  const before = left === '' ? [] : left.split(':');
  if (right === undefined) return before;
  const after = right === '' ? [] : right.split(':');
  return [...before, ...Array<string>(8 - before.length - after.length).fill('0'), ...after];
}
