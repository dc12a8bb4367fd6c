/** What the run and the attacker's thread say to each other: an attack that computes must not slow the good clients' clock. */
import type { Address } from './attack.ts';

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

/** From the attacker. `freeze` and `thaw` are answered by `done`. */
export type FromAttacker = { kind: 'freeze' } | { kind: 'thaw' } | { kind: 'finished'; faults: string[] };

export interface ToAttacker {
  kind: 'done';
}
