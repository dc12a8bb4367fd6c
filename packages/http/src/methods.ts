/** Which methods a path has, and the refusal of the others (RFC 9110 §9.1, §15.5.6). */
import { allowedMethods } from '@causeway/protocol/paths.ts';
import { methodNotAllowed, type Refusal } from './refusal.ts';

/** The refusal of a method that the path does not have; `undefined` when the path has no operation. */
export function examineMethod(method: string, target: string): Refusal | undefined {
  const allowed = allowedMethods(target);
  return allowed.length > 0 ? methodNotAllowed(method, allowed) : undefined;
}
