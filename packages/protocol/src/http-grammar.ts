/** Rules of HTTP for names, framing and addresses (RFC 9110, RFC 9112). */

/** A token: a method, or the name of a header or parameter (RFC 9110 §5.6.2). */
export const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** Whether a body is framed by its length, or by chunks without another transfer coding (RFC 9112 §6.1). */
export function isPlainlyFramed(headers: { readonly 'transfer-encoding'?: string | undefined }): boolean {
  const coding = headers['transfer-encoding'];
  return coding === undefined || coding.toLowerCase() === 'chunked';
}

const HTTP_PORT = 80;
const HTTPS_PORT = 443;

/** The port of a URL, or the default port of its scheme (RFC 9110 §4.2). */
export function portOf({ port, protocol }: URL): number {
  if (port !== '') return Number(port);
  return protocol === 'https:' ? HTTPS_PORT : HTTP_PORT;
}
