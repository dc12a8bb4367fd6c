/** Which names a principal can have. Pure. */
import { ANONYMOUS, MAX_PRINCIPAL_BYTES } from '@causeway/protocol/principal.ts';

/** Names with a meaning in rules. */
const RESERVED: ReadonlySet<string> = new Set([ANONYMOUS, '*']);
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what it looks for
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/;

/** Why a text cannot be a principal's name, as a verb with what follows; `undefined` if it can. */
export function nameProblem(name: string): string | undefined {
  if (name === '') return 'is empty';
  if (RESERVED.has(name)) return 'is reserved';
  if (name.trim() !== name) return 'has a blank at its beginning or end';
  if (CONTROL.test(name)) return 'has control characters';
  if (Buffer.byteLength(name) > MAX_PRINCIPAL_BYTES) return `is longer than ${MAX_PRINCIPAL_BYTES} bytes`;
  return name.isWellFormed() ? undefined : 'is not valid Unicode';
}
