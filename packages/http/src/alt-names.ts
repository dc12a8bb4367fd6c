/** The subject alternative names of a certificate (RFC 5280, section 4.2.1.6), and the certificate for a name that a client asks for. */
import type { X509Certificate } from 'node:crypto';

export interface AltNames {
  readonly dnsNames: readonly string[];
  readonly uris: readonly string[];
  readonly addresses: readonly string[];
  readonly emails: readonly string[];
}

/** An element as Node writes it: a kind, and a name that is a JSON string when it has characters that could mislead. */
const ELEMENT = /([A-Za-z0-9 ]+):("(?:[^"\\]|\\.)*"|[^,"]*)(?:, |$)/y;

export function altNamesOf(certificate: Pick<X509Certificate, 'subjectAltName'>): AltNames {
  const dnsNames: string[] = [];
  const uris: string[] = [];
  const addresses: string[] = [];
  const emails: string[] = [];
  const lists: Record<string, string[]> = { DNS: dnsNames, URI: uris, 'IP Address': addresses, email: emails };
  const text = certificate.subjectAltName ?? '';
  ELEMENT.lastIndex = 0;
  for (let match = ELEMENT.exec(text); match !== null && match[0] !== ''; match = ELEMENT.exec(text)) {
    const [, kind = '', name = ''] = match;
    lists[kind]?.push(name.startsWith('"') ? unquoted(name) : name);
  }
  return { dnsNames, uris, addresses, emails };
}

function unquoted(text: string): string {
  return JSON.parse(text) as string;
}

/**
 * The index of the certificate for a server name (SNI, RFC 6066, section 3): the first with this name, then the first with a
 * wildcard for its first label (RFC 9525, section 6.3), else the first of all.
 */
export function certificateFor(serverName: string, certificates: readonly { readonly names: AltNames }[]): number {
  const name = serverName.toLowerCase().replace(/\.$/, '');
  const exact = certificates.findIndex(({ names }) => has(names.dnsNames, name) || names.addresses.includes(name));
  if (exact !== -1) return exact;
  const dot = name.indexOf('.');
  const wildcard = dot < 1 ? -1 : certificates.findIndex(({ names }) => has(names.dnsNames, `*${name.slice(dot)}`));
  return Math.max(wildcard, 0);
}

function has(dnsNames: readonly string[], name: string): boolean {
  return dnsNames.some((dnsName) => dnsName.toLowerCase() === name);
}
