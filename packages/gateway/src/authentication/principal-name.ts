/** Which names a principal can have. Pure. */
import { ANONYMOUS, MAX_PRINCIPAL_BYTES } from '@causeway/protocol/principal.ts';

/** Names with a meaning in rules. */
const RESERVED: ReadonlySet<string> = new Set([ANONYMOUS, '*']);
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what it looks for
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/;
/** Line ends, and what changes the direction of a text: in logs and on the page, a name could look like another one. */
const UNSEEN = /[\p{Zl}\p{Zp}\p{Bidi_Control}\u200b\ufeff]/u;

/** Why a text cannot be a principal's name, as a verb with what follows; `undefined` if it can. */
export function nameProblem(name: string): string | undefined {
  if (name === '') return 'is empty';
  if (RESERVED.has(name)) return 'is reserved';
  if (name.trim() !== name) return 'has a blank at its beginning or end';
  if (CONTROL.test(name)) return 'has control characters';
  if (Buffer.byteLength(name) > MAX_PRINCIPAL_BYTES) return `is longer than ${MAX_PRINCIPAL_BYTES} bytes`;
  if (!name.isWellFormed()) return 'is not valid Unicode';
  return UNSEEN.test(name) ? 'has characters that change how it looks' : undefined;
}
