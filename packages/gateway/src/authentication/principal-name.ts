/** Which names a principal can have. Pure. */
import { ANONYMOUS, MAX_PRINCIPAL_BYTES } from '@causeway/protocol/principal.ts';

/** Why a text cannot be a principal's name, to follow "the name"; `undefined` if it can. */
export function nameProblem(name: string): string | undefined {
  if (name === '') return 'is empty';
  if (name === ANONYMOUS) return `${ANONYMOUS} is reserved`;
  if (Buffer.byteLength(name) > MAX_PRINCIPAL_BYTES) return `is longer than ${MAX_PRINCIPAL_BYTES} bytes`;
  return name.isWellFormed() ? undefined : 'is not valid Unicode';
}
