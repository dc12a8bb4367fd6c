/** The credentials of HTTP Basic (RFC 7617), strictly: one name and one password. Pure. */
import { decodeBasic, type NameAndPassword } from '@causeway/protocol/basic-credentials.ts';

/** Beyond it, a header is refused before it is decoded. */
const MAX_CHARACTERS = 4_096;
/** Up to the end of the token (RFC 9110 §5.6.2): a malformed header is not one of another scheme. */
const SCHEME = /^basic(?![!#$%&'*+.^_`|~\w-])/i;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** Whether a header `Authorization` has the scheme. */
export function isBasic(header: string): boolean {
  return SCHEME.test(header);
}

/** `undefined` for a malformed header. The name has no colon; the password may have any. */
export function parseBasic(header: string): NameAndPassword | undefined {
  if (header.length > MAX_CHARACTERS) return undefined;
  const text = header.replace(SCHEME, '').replace(/^ +/, '');
  return BASE64.test(text) ? decodeBasic(text) : undefined;
}
