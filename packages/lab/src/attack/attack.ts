/** The definition of an attack: its requests, and the claim on the responses to them. */

import type { Dice } from '../chaos/dice.ts';
import type { Address } from './address.ts';
import type { AttackClient } from './attack-client.ts';
import type { Incident } from './watch.ts';

/** The means of an attack: those of a client without credentials, and freezing Kafka. */
export interface Scene {
  /** Through the tier-1 gateway. */
  client: AttackClient;
  tier1: Address;
  /** URLs of gateways and bridges behind tier-1, as a process on the same machine could reach them. */
  behind: readonly Address[];
  /** Of every gateway. */
  admins: readonly Address[];
  /** The attack's own empty topic, with three partitions. */
  topic: string;
  /** Distinguishes the names of this attack from those of others. */
  id: string;
  dice: Dice;
  /** The attack lasts until this is aborted. */
  signal: AbortSignal;
  durationMs: number;
  /** Duration of a quick request through tier-1 before the attack, to scale bounds in milliseconds. */
  calmMs: number;
  /** SIGSTOP and SIGCONT of every broker. */
  freezeKafka(): Promise<void>;
  thawKafka(): Promise<void>;
}

/** Allowed effects on the good clients and the processes; none by default. */
export interface AttackAllowance {
  /** Added to the gap of the good clients without an attack. Default: `DEFAULT_EXTRA_GAP_MS`. */
  extraGapMs?: number;
  /** Errors of the good consumers with these statuses are correct. */
  consumerStatuses?: readonly number[];
  /** Incidents that gateways and bridges report correctly. */
  incidents?: readonly Incident[];
  /** Default: `DEFAULT_GROWTH_BYTES`. */
  growthBytes?: number;
}

export interface Attack {
  name: string;
  /** The attack, in one line. */
  title: string;
  /** The expected responses to the attacker's own requests, in one line. */
  claim: string;
  /** Part of the short form. */
  isShort?: boolean;
  /** Kafka must be the lab's own. */
  freezesKafka?: boolean;
  /** Default: the run's. */
  minDurationMs?: number;
  allowed?: AttackAllowance;
  /** Plays the attack; returns violations of the claim, a sentence each. */
  play(scene: Scene): Promise<string[]>;
}
