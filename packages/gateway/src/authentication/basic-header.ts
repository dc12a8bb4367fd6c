/** The credentials of HTTP Basic (RFC 7617), strictly: one name and one password. Pure. */

/** Beyond it, a header is refused before it is decoded. */
const MAX_CHARACTERS = 4_096;
/** Up to the end of the token (RFC 9110 §5.6.2): a malformed header is not one of another scheme. */
const SCHEME = /^basic(?![!#$%&'*+.^_`|~\w-])/i;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: RFC 7617 §2 forbids them
const CONTROL = /[\u0000-\u001f\u007f]/;
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export interface NameAndPassword {
  readonly name: string;
  readonly password: string;
}

/** Whether a header `Authorization` has the scheme. */
export function isBasic(header: string): boolean {
  return SCHEME.test(header);
}

/** `undefined` for a malformed header. The name has no colon; the password may have any. */
export function parseBasic(header: string): NameAndPassword | undefined {
  if (header.length > MAX_CHARACTERS) return undefined;
  const text = header.replace(SCHEME, '').replace(/^ +/, '');
  if (!BASE64.test(text)) return undefined;
  let decoded: string;
  try {
    decoded = UTF8.decode(Buffer.from(text, 'base64'));
  } catch {
    return undefined;
  }
  const colon = decoded.indexOf(':');
  if (colon < 1 || CONTROL.test(decoded)) return undefined;
  return { name: decoded.slice(0, colon), password: decoded.slice(colon + 1) };
}
