/** Which methods a path has, and what to say of the others (RFC 9110 §9.1, §15.5.6). */
import { allowedMethods } from '@causeway/protocol/paths.ts';
import { methodNotAllowed, type Refusal } from './refusal.ts';

/** What to say of a method and a target that are no operation together; `undefined`: the path is not found. */
export function examineMethod(method: string, target: string): Refusal | undefined {
  const allowed = allowedMethods(target);
  return allowed.length > 0 ? methodNotAllowed(method, allowed) : undefined;
}
