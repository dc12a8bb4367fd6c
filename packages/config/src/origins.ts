/** Origins of web pages, and how the configuration names them. */

/** A scheme and an authority without user (RFC 6454 §6.1), or an opaque origin. */
const ORIGIN = /^(?:[a-z][a-z0-9+.-]*:\/\/[^/?#@\s,]+|null)$/i;

/** Whether a text can be the value of `Origin`. */
export function isOrigin(text: string): boolean {
  return ORIGIN.test(text);
}

/** The pattern between two slashes, for the whole origin. Errors: `SyntaxError`. */
export function originPattern(entry: string): RegExp | undefined {
  return entry.length > 2 && entry.startsWith('/') && entry.endsWith('/')
    ? new RegExp(`^(?:${entry.slice(1, -1)})$`)
    : undefined;
}

/** Why an entry of the list of origins cannot be used; `undefined` when it can. */
export function originProblem(entry: string): string | undefined {
  if (entry === '*') return undefined;
  try {
    if (originPattern(entry) !== undefined) return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  if (isOrigin(entry)) return undefined;
  return 'must be *, an origin such as https://example.com (no path, no slash at the end), or a pattern between slashes';
}
