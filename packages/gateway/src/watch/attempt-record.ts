/** One attempt that has ended, as the access log shows it. */
import type { Outcome } from '../exchange/outcome.ts';

export interface AttemptRecord {
  region: string;
  target: string;
  /** `abandoned`: the request ended first. */
  outcome: Outcome['kind'] | 'abandoned';
  /** Of the target's response. */
  status?: number;
  /** Why there was no response. */
  reason?: string;
  durationMs: number;
}

/** Why an attempt was followed by another, in the words of `causeway_retries_total`. */
export function retryReason({ outcome, status }: AttemptRecord): string {
  if (outcome !== 'answered') return outcome;
  return status === 421 ? 'misdirected' : `status_${status}`;
}
