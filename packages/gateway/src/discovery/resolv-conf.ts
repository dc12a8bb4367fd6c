/** What resolv.conf(5) says of names and servers. Pure, except for {@link readResolvConf}. */
import { readFile } from 'node:fs/promises';
import { isIP } from 'node:net';

export const RESOLV_CONF = '/etc/resolv.conf';

export interface ResolvConf {
  /** Addresses, as `dns.setServers` takes them. */
  readonly servers: readonly string[];
  /** Domains that complete a name that is not absolute, in this order. */
  readonly search: readonly string[];
  /** A name with fewer dots is looked for in the domains first. */
  readonly ndots: number;
}

/** Where a resolver asks without any nameserver. */
const DEFAULT_SERVERS = ['127.0.0.1'];
const DEFAULT_NDOTS = 1;
/** The limits of glibc: more are ignored. */
const MAX_SERVERS = 3;
const MAX_NDOTS = 15;
/** Without the dot at the end (RFC 1035 §2.3.4). */
const MAX_NAME_LENGTH = 253;

/** Reads the file; a file that cannot be read counts as empty. */
export async function readResolvConf(file: string): Promise<ResolvConf> {
  return parseResolvConf(await readFile(file, 'utf8').catch(() => ''));
}

export function parseResolvConf(text: string): ResolvConf {
  const servers: string[] = [];
  let search: readonly string[] = [];
  let ndots = DEFAULT_NDOTS;
  for (const line of text.split('\n')) {
    if (/^\s*[#;]/.test(line)) continue;
    const [keyword, ...values] = line.trim().split(/\s+/);
    if (keyword === 'nameserver' && values[0] !== undefined && isServer(values[0])) servers.push(values[0]);
    // The last one counts.
    else if (keyword === 'search') search = values;
    else if (keyword === 'domain') search = values.slice(0, 1);
    else if (keyword === 'options') ndots = ndotsIn(values) ?? ndots;
  }
  return { servers: servers.length === 0 ? DEFAULT_SERVERS : servers.slice(0, MAX_SERVERS), search, ndots };
}

function ndotsIn(options: readonly string[]): number | undefined {
  const digits = options.flatMap((option) => /^ndots:(\d+)$/.exec(option)?.[1] ?? []).at(-1);
  return digits === undefined ? undefined : Math.min(Number(digits), MAX_NDOTS);
}

/** Whether a text is an address that `dns.setServers` takes, with or without a port: `10.0.0.10`, `10.0.0.10:53`, `[::1]:53`. */
export function isServer(text: string): boolean {
  if (isIP(text) !== 0) return true;
  const [, host, port] =
    /^(?:\[([^\]]+)\]|([^:]+))(?::(\d{1,5}))?$/.exec(text)?.filter((part) => part !== undefined) ?? [];
  if (host === undefined || isIP(host) === 0) return false;
  return port === undefined || (Number(port) > 0 && Number(port) <= 65_535);
}

/**
 * The absolute names, without their dot, that a name may mean, in the order in which they are asked for. The first one that exists
 * counts. A name that ends with a dot is absolute.
 */
export function candidatesOf(name: string, { search, ndots }: Pick<ResolvConf, 'search' | 'ndots'>): string[] {
  if (name.endsWith('.')) return [name.slice(0, -1)];
  const completed = search.map((domain) => `${name}.${domain.replace(/\.$/, '')}`.replace(/\.$/, ''));
  const dotCount = name.split('.').length - 1;
  const all = dotCount >= ndots ? [name, ...completed] : [...completed, name];
  return [...new Set(all)].filter((candidate) => candidate.length <= MAX_NAME_LENGTH);
}
