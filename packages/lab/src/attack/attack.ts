/** What an attack is made of: what it sends, how often, and what must hold for the attacker's own requests. */
import type { Dice } from '../chaos/dice.ts';
import type { AttackClient } from './attack-client.ts';
import type { Incident } from './watch.ts';

/** What an attack may do: everything that a client without credentials can, and freezing Kafka. */
export interface Scene {
  /** Through the tier-1 gateway. */
  client: AttackClient;
  tier1: Address;
  /** Of gateways and bridges that stand behind tier-1, as a process on the same machine could reach them. */
  behind: readonly Address[];
  /** Of every gateway. */
  admins: readonly Address[];
  /** An empty topic of the attack's own with three partitions. */
  topic: string;
  /** Tells the names of this attack from those of others. */
  id: string;
  dice: Dice;
  /** The attack goes on until this is aborted. */
  signal: AbortSignal;
  durationMs: number;
  /** What a quick request through tier-1 took here before the attack: bounds in milliseconds are compared with it. */
  calmMs: number;
  /** SIGSTOP and SIGCONT of every broker. */
  freezeKafka(): Promise<void>;
  thawKafka(): Promise<void>;
}

export interface Address {
  name: string;
  host: string;
  port: number;
}

/** What the good clients and the processes may show meanwhile; by default nothing. */
export interface AttackAllowance {
  /** On top of what the good clients wait without an attack. Default: `DEFAULT_EXTRA_GAP_MS`. */
  extraGapMs?: number;
  /** Errors of the good consumers with these statuses are the right answer. */
  consumerStatuses?: readonly number[];
  /** What gateways and bridges rightly tell of. */
  incidents?: readonly Incident[];
  /** Default: `DEFAULT_GROWTH_BYTES`. */
  growthBytes?: number;
}

export interface Attack {
  name: string;
  /** The fault that it looks for, in one line. */
  title: string;
  /** What the attacker's own requests must be answered with, in one line. */
  claim: string;
  /** Part of the short form. */
  isShort?: boolean;
  /** Kafka must be the lab's own. */
  freezesKafka?: boolean;
  /** Default: the run's. */
  minDurationMs?: number;
  allowed?: AttackAllowance;
  /** What of the claim does not hold, a sentence each. */
  play(scene: Scene): Promise<string[]>;
}
