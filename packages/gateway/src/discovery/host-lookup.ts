/** Finds the addresses of the host in a plain `url:`. */
import { lookup } from 'node:dns/promises';
import { assertNever } from '@causeway/protocol/assert-never.ts';
import { normalAddress } from './answer.ts';
import { DnsClient, type DnsClientOptions } from './dns-client.ts';

/** Returns the addresses of a host, at least one, in no particular order. Errors: `Error` with the reason. */
export type HostLookup = (host: string) => Promise<readonly string[]>;

/**
 * Asks the system (getaddrinfo, so that /etc/hosts counts), or `discovery.servers` if there are any. Lookups of one host at the same
 * time share one answer.
 */
export function createHostLookup(options: DnsClientOptions): HostLookup {
  const pending = new Map<string, Promise<readonly string[]>>();
  return (host) => {
    const running = pending.get(host);
    if (running !== undefined) return running;
    const asked = (options.settings().servers.length === 0 ? askSystem(host) : askServers(host, options)).finally(() =>
      pending.delete(host),
    );
    pending.set(host, asked);
    return asked;
  };
}

async function askSystem(host: string): Promise<readonly string[]> {
  const found = await lookup(host, { all: true, order: 'verbatim' });
  return distinctOf(
    host,
    found.map(({ address }) => address),
  );
}

async function askServers(host: string, options: DnsClientOptions): Promise<readonly string[]> {
  const { answer } = await new DnsClient(options).lookup({ name: host, kind: 'addresses' });
  switch (answer.kind) {
    case 'found':
      return answer.endpoints.map(({ address }) => address);
    case 'failed':
      throw lookupError('EAI_AGAIN', `${host}: ${answer.reason}`);
    case 'empty':
      throw lookupError('ENOTFOUND', `${host} has no addresses`);
    case 'unknown':
      throw lookupError('ENOTFOUND', `${host} does not exist (NXDOMAIN)`);
    default:
      return assertNever(answer);
  }
}

/** With a code as getaddrinfo has it. */
function lookupError(code: 'EAI_AGAIN' | 'ENOTFOUND', message: string): Error {
  return Object.assign(new Error(message), { code });
}

function distinctOf(host: string, addresses: readonly string[]): string[] {
  const normal = [...new Set(addresses.flatMap((address) => normalAddress(address) ?? []))];
  if (normal.length === 0) throw lookupError('ENOTFOUND', `${host} has no addresses`);
  return normal;
}
