/** What a verified token says: the principal's name and roles. Pure. */
import type { JWTPayload } from 'jose';
import type { IssuerConfig } from '../config/auth.ts';
import type { Principal } from '../exchange/admission.ts';
import { nameProblem } from './principal-name.ts';

export type ClaimNames = Pick<IssuerConfig, 'principalClaim' | 'rolesClaim' | 'principalPrefix'>;

/** Returns the principal, or the problem with the claims. */
export function principalOf(
  payload: JWTPayload,
  { principalClaim, rolesClaim, principalPrefix }: ClaimNames,
): Principal | string {
  const claimed = claimAt(payload, principalClaim);
  if (typeof claimed !== 'string' || claimed === '') return `The token has no text in its claim ${principalClaim}.`;
  const name = `${principalPrefix}${claimed}`;
  const problem = nameProblem(name);
  if (problem !== undefined) return `The name in the token's claim ${principalClaim} ${problem}.`;
  return { name, roles: rolesOf(claimAt(payload, rolesClaim)), method: 'jwt' };
}

/** A claim of that very name, which may have dots (`https://example.com/roles`), or a way into objects. */
function claimAt(payload: JWTPayload, name: string): unknown {
  if (Object.hasOwn(payload, name)) return payload[name];
  let value: unknown = payload;
  for (const key of name.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
    value = (value as Record<string, unknown>)[key];
  }
  return value;
}

function rolesOf(claimed: unknown): readonly string[] {
  const roles = typeof claimed === 'string' ? claimed.split(' ') : Array.isArray(claimed) ? claimed : [];
  return roles.filter((role): role is string => typeof role === 'string' && role !== '');
}
