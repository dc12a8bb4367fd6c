/** Whom a session belongs to: the principal that created it. Pure. */
import type { LoggedEntry } from './session-entry.ts';

/**
 * Whether the principal may use the session. One without a principal belongs to everyone: an older version created it, or a client whose
 * gateway authenticates none.
 */
export function belongsTo({ value }: Pick<LoggedEntry, 'value'>, principal: string | undefined): boolean {
  return value.state === 'deleted' || value.principal === undefined || value.principal === principal;
}
