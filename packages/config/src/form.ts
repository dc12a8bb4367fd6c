/** Forms of text that a pattern cannot express: URLs, hosts to listen on, and names of servers and in DNS. */
import { isIP } from 'node:net';

/** An `http:` or `https:` URL without credentials. */
export const HTTP_URL = 'http-url';
/** An IP address without brackets, or a host name (RFC 1123 §2.1). */
export const LISTEN_HOST = 'listen-host';
/** A host name (RFC 1123 §2.1): not an address, which is no server name (RFC 6066 §3). */
export const SERVER_NAME = 'server-name';
/** A host name, or a name of services such as `_http._tcp.example`; a dot at its end makes it absolute. */
export const DNS_NAME = 'dns-name';

/** Why a text does not have this form; `undefined` when it does. Never repeats credentials. */
export function formProblem(form: string, text: string): string | undefined {
  switch (form) {
    case HTTP_URL:
      return urlProblem(text);
    case LISTEN_HOST:
      return hostProblem(text);
    case SERVER_NAME:
      return nameProblem(text);
    case DNS_NAME:
      return dnsNameProblem(text);
    default:
      throw new TypeError(`unknown form ${form}`);
  }
}

function urlProblem(text: string): string | undefined {
  // An invalid URL may still contain a password: it is not repeated.
  if (!URL.canParse(text)) return 'is not a URL';
  const { username, password, hostname, hash } = new URL(text);
  if (username !== '' || password !== '' || /^[a-z]+:\/\/[^/?#]*@/i.test(text)) {
    return 'must not contain a user name or password: logs, events and the admin API would show them';
  }
  if (hash !== '') return 'must not have a fragment (#…)';
  return hostname === '' ? 'is not a URL' : undefined;
}

const HOST_NAME =
  /^(?=.{1,253}\.?$)[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?(?:\.[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?)*\.?$/;

function hostProblem(text: string): string | undefined {
  if (isIP(text) !== 0) return undefined;
  if (text === '*') return '* is not an address: write 0.0.0.0 for all of IPv4, or "::" for IPv6, too';
  const inBrackets = /^\[(.*)\]$/.exec(text)?.[1];
  if (inBrackets !== undefined && isIP(inBrackets) === 6) return `write "${inBrackets}", without brackets`;
  if (/:\d+$/.test(text)) return 'is an address with a port: the port has its own key';
  if (isHostName(text)) return undefined;
  return `${JSON.stringify(text)} is neither an IP address nor a host name`;
}

function nameProblem(text: string): string | undefined {
  if (isIP(text.replace(/^\[(.*)\]$/, '$1')) !== 0) {
    return `${text} is an address: a certificate is checked against an address when the URL has one`;
  }
  return isHostName(text) ? undefined : `${JSON.stringify(text)} is not a host name`;
}

function dnsNameProblem(text: string): string | undefined {
  if (isIP(text.replace(/^\[(.*)\]$/, '$1')) !== 0)
    return `${text} is an address, which needs no DNS: write it as a url`;
  if (/^https?:\/\//.test(text)) return 'is a URL: write the name alone, and port and scheme beside it';
  if (/:\d+$/.test(text)) return 'is a name with a port: the port has its own key';
  return isHostName(text) ? undefined : `${JSON.stringify(text)} is not a DNS name`;
}

/** The last label of a name is not a number: such a text is a mistyped address. */
function isHostName(text: string): boolean {
  return HOST_NAME.test(text) && !/(?:^|\.)\d+\.?$/.test(text);
}
