/** What is known of one attempt when it has ended. */
import type { Outcome } from '../exchange/outcome.ts';

export interface AttemptRecord {
  region: string;
  target: string;
  /** As outcomes are called; `abandoned`: the request ended before it did. */
  outcome: Outcome['kind'] | 'abandoned';
  /** What the target answered. */
  status?: number;
  /** Why there was no answer. */
  reason?: string;
  durationMs: number;
}

/** Why an attempt was followed by another; as retries are counted. */
export function retryReason({ outcome, status }: AttemptRecord): string {
  if (outcome !== 'answered') return outcome;
  return status === 421 ? 'misdirected' : `status_${status}`;
}
