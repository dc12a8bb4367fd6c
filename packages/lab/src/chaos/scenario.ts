/** What a scenario is made of: what happens when, and what clients may notice of it. */
import type { Link } from '../stack/region-network.ts';
import type { RegionName } from '../stack/regions.ts';
import type { Dice } from './dice.ts';

/** A process by the name of its service: `east bridge`, `second tier-1 gateway`. */
export type ServiceName = 'tier-1 gateway' | 'second tier-1 gateway' | `${RegionName} gateway` | `${RegionName} bridge`;

export type Action =
  /** SIGKILL. */
  | { kind: 'kill'; service: ServiceName }
  /** SIGTERM, and its end awaited. */
  | { kind: 'stop'; service: ServiceName }
  /** Started, and awaited until it is ready. */
  | { kind: 'start'; service: ServiceName }
  /** SIGSTOP and SIGCONT. */
  | { kind: 'freeze'; service: ServiceName }
  | { kind: 'thaw'; service: ServiceName }
  /** SIGKILL of a region's gateway and bridge at the same moment. */
  | { kind: 'killRegion'; region: RegionName }
  | { kind: 'restoreRegion'; region: RegionName }
  /** By the tier-1 gateways' admin API. */
  | { kind: 'drain'; region: RegionName }
  | { kind: 'undrain'; region: RegionName }
  /** By the tier-1 gateways' YAML. */
  | { kind: 'setWeights'; weights: Readonly<Record<RegionName, number>> }
  | { kind: 'breakYaml' }
  | { kind: 'mendYaml' }
  | { kind: 'killBroker'; broker: number }
  | { kind: 'restartBroker'; broker: number }
  /** Of the east region's network: packets vanish, in both directions. */
  | { kind: 'cut'; link: Link }
  | { kind: 'heal'; link: Link }
  /** Every gateway sees every region up again. */
  | { kind: 'awaitWell' };

export interface Step {
  /** Seconds from the start of the traffic; later when the step before takes longer. */
  atSecond: number;
  action: Action;
}

export interface Allowance {
  /** Longest time without a delivery to a group: what is waited for before a failure counts as one, … */
  detectionMs: number;
  /** … and the work that follows, on a machine that does nothing else. */
  workMs: number;
  /** `lastBatch`: what a consumer got last, before it polled again, may come once more; `none` on orderly moves. */
  duplicates: 'none' | 'lastBatch';
  /** Connections open to a client's own gateway break when that dies; nothing else may fail. */
  brokenConnections: 'none' | 'ofOwnGateway';
}

export interface Plan {
  steps: Step[];
  /** When the traffic ends; later when the steps take longer. */
  endSecond: number;
}

export interface Scenario {
  name: string;
  /** What happens, in one line. */
  title: string;
  allowed: Allowance;
  brokerCount?: 3;
  hasSecondTier1?: boolean;
  /** East has a network of its own, which takes root and Linux. */
  hasRegionNetwork?: boolean;
  /** `isLong`: as often and as long as is worth an hour of somebody's machine. */
  plan(dice: Dice, options: { isLong: boolean }): Plan;
}
