/** The name of a principal in a header: whom a gateway has authenticated. Pure. */

/** Bytes of a principal's name in UTF-8. */
export const MAX_PRINCIPAL_BYTES = 256;

/** The principal of clients that show no credentials, where a gateway admits them. */
export const ANONYMOUS = 'anonymous';

const HEX = 16;

/** Visible ASCII stays as it is, so that logs are readable; the rest, blanks and `%` are percent-encoded (RFC 3986 §2.1). */
export function formatPrincipal(name: string): string {
  let text = '';
  for (const byte of Buffer.from(name)) {
    const isPlain = byte > 0x20 && byte < 0x7f && byte !== 0x25 && byte !== 0x2c;
    text += isPlain ? String.fromCharCode(byte) : `%${byte.toString(HEX).toUpperCase().padStart(2, '0')}`;
  }
  return text;
}

/** `undefined` for a header that no gateway sends. */
export function parsePrincipal(text: string | undefined): string | undefined {
  if (text === undefined || text === '') return undefined;
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
