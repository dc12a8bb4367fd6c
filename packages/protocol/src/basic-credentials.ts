/** The name and the password in the credentials of HTTP Basic (RFC 7617 §2). Pure. */

export interface NameAndPassword {
  readonly name: string;
  readonly password: string;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: it forbids them, and SASL separates fields by them
const CONTROL = /[\u0000-\u001f\u007f]/;
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** `base64`: of that form, which callers check. `undefined` without a name, and for bytes that are not UTF-8. The password may have colons. */
export function decodeBasic(base64: string): NameAndPassword | undefined {
  let text: string;
  try {
    text = UTF8.decode(Buffer.from(base64, 'base64'));
  } catch {
    return undefined;
  }
  const colon = text.indexOf(':');
  if (colon < 1 || CONTROL.test(text)) return undefined;
  return { name: text.slice(0, colon), password: text.slice(colon + 1) };
}
