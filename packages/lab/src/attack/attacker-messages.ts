/** Messages between the run and the attacker's thread: a computing attack must not delay the good clients. */
import type { Address } from './address.ts';

export interface AttackerData {
  attackName: string;
  tier1: Address;
  behind: readonly Address[];
  admins: readonly Address[];
  topic: string;
  id: string;
  seed: number;
  durationMs: number;
  calmMs: number;
}

/** From the attacker. The reply to `freeze` and `thaw` is `done`. */
export type FromAttacker = { kind: 'freeze' } | { kind: 'thaw' } | { kind: 'finished'; faults: string[] };

export interface ToAttacker {
  kind: 'done';
}
