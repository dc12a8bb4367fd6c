/** The definition of a scenario: its steps, and the effects that clients may notice. */
import type { PlantedFault } from '../exactly-once/planted-faults.ts';
import type { Link } from '../stack/region-network.ts';
import type { RegionName } from '../stack/regions.ts';
import type { Dice } from './dice.ts';

/** A process by the name of its service: `east bridge`, `second tier-1 gateway`. */
export type ServiceName = 'tier-1 gateway' | 'second tier-1 gateway' | `${RegionName} gateway` | `${RegionName} bridge`;

export type Action =
  /** SIGKILL. */
  | { kind: 'kill'; service: ServiceName }
  /** SIGTERM, and waits for the exit. */
  | { kind: 'stop'; service: ServiceName }
  /** Starts it, and waits until it is ready. */
  | { kind: 'start'; service: ServiceName }
  /** SIGSTOP and SIGCONT. */
  | { kind: 'freeze'; service: ServiceName }
  | { kind: 'thaw'; service: ServiceName }
  /** SIGKILL of a region's gateway and bridge at the same moment. */
  | { kind: 'killRegion'; region: RegionName }
  | { kind: 'restoreRegion'; region: RegionName }
  /** Through the tier-1 gateways' admin API. */
  | { kind: 'drain'; region: RegionName }
  | { kind: 'undrain'; region: RegionName }
  /** Through the tier-1 gateways' YAML. */
  | { kind: 'setWeights'; weights: Readonly<Record<RegionName, number>> }
  | { kind: 'breakYaml' }
  | { kind: 'mendYaml' }
  | { kind: 'killBroker'; broker: number }
  | { kind: 'restartBroker'; broker: number }
  /** SIGKILL of the broker that coordinates transactions of a region's bridge; starts it again. */
  | { kind: 'killCoordinator'; region: RegionName }
  | { kind: 'restartCoordinator' }
  /** New keys and certificates for every gateway and bridge; waits until each of them uses its own. Only in a secure system. */
  | { kind: 'renewCertificates' }
  /** Cuts a link of the east region: packets vanish in both directions. */
  | { kind: 'cut'; link: Link }
  | { kind: 'heal'; link: Link }
  /** No gateway sees a region down any more. */
  | { kind: 'awaitWell' };

export interface Step<Performed = Action> {
  /** Seconds from the start of the traffic; later when the previous step takes longer. */
  atSecond: number;
  action: Performed;
}

export interface Allowance {
  /** Longest allowed time without a delivery to a group: detection of the failure, … */
  detectionMs: number;
  /** … and the work that follows, on an idle machine. */
  workMs: number;
  /** `lastBatch`: the last records of a consumer, before it polled again, may come again; `none` for orderly moves. */
  duplicates: 'none' | 'lastBatch';
  /** Requests in flight on a client's own gateway fail when it dies; no other request may fail. */
  brokenConnections: 'none' | 'ofOwnGateway';
}

export interface Plan<Performed = Action> {
  steps: Step<Performed>[];
  /** The end of the traffic; later when the steps take longer. */
  endSecond: number;
}

export interface Scenario {
  name: string;
  /** The failure, in one line. */
  title: string;
  allowed: Allowance;
  brokerCount?: 3;
  hasSecondTier1?: boolean;
  /** Few clients with bodies of 8 MiB, in place of many with short ones. */
  hasLargeBodies?: boolean;
  /** Only for a secure system (`--tls`). */
  needsTls?: boolean;
  /** Only with `--exactly-once`. */
  needsKeys?: boolean;
  /** With keys, without TLS: the clients' way leads over gateways that commit these faults. The run must find them. */
  plants?: readonly PlantedFault[];
  /** With keys: each request is sent twice at once, through different tier-1 gateways. */
  hasTwins?: boolean;
  /** Of each producer, half as many with TLS; default: few. */
  recordsPerSecond?: number;
  /** East has its own network, which needs root and Linux. */
  hasRegionNetwork?: boolean;
  /** `isLong`: more and longer failures, for about an hour in all. */
  plan(dice: Dice, options: { isLong: boolean }): Plan;
}
