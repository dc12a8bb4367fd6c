/** What all exchanges of a gateway share. */
import type { TrustPolicy } from '@causeway/config/trust.ts';
import type { Cors } from '@causeway/http/cors.ts';
import type { HeldBytes } from '@causeway/http/held-bytes.ts';
import type { ClusterWaits } from '../clusters/cluster-waits.ts';
import type { Affinity } from '../consumers/affinity.ts';
import type { Deliveries } from '../consumers/deliveries.ts';
import type { ReturnPace } from '../ownership/moves.ts';
import type { SlotHomes } from '../ownership/slot-homes.ts';
import type { Snapshot } from '../regions/snapshot.ts';
import type { Target } from '../regions/target.ts';
import type { RequestStats } from '../stats.ts';
import type { TargetWatch } from './apply-verdict.ts';
import type { RetryBudget } from './budget.ts';
import type { UnenforcedReports } from './enforcement.ts';
import type { Gatekeeper } from './gatekeeper.ts';
import type { Identity } from './identity.ts';
import type { Watcher } from './request-watch.ts';
import type { TurnBatch } from './turn-batch.ts';

/** How the registry learns which Kafka cluster is active. */
export interface ClusterWatch {
  /** `text`: the value of `causeway-promotion`; `from`: who sent it. */
  heardOfPromotion(text: string | undefined, from: string): void;
  /** The value of `causeway-promotion` for gateways that probe this one; `undefined`: none is known. */
  readonly promotion: string | undefined;
}

export interface ExchangeContext {
  readonly regions: TargetWatch & ClusterWatch & { readonly snapshot: Snapshot };
  readonly affinity: Affinity;
  readonly slotHomes: SlotHomes;
  readonly deliveries: Deliveries;
  /** Requests that wait for a Kafka cluster. */
  readonly clusterWaits: ClusterWaits;
  readonly returnPace: ReturnPace;
  readonly budget: RetryBudget;
  readonly stats: RequestStats;
  readonly identity: Identity;
  /** `undefined`: bridges respond to pages of other origins. */
  readonly cors: Cors | undefined;
  /** The memory of bodies and responses. */
  readonly held: HeldBytes;
  /** Whose headers are trusted. */
  readonly trust: TrustPolicy;
  /** Authentication, rules and quotas; `undefined` while none is configured. */
  readonly gatekeeper: Gatekeeper | undefined;
  /** Targets that do not apply what this gateway knows of principals. */
  readonly unenforced: Pick<UnenforcedReports<Target>, 'add'>;
  /** Writes whole responses at the end of the turn of the event loop in which they are ready. */
  readonly writes: TurnBatch;
  /** Access log and traces; `undefined` while both are off. */
  readonly watcher: Watcher | undefined;
  /** Receives the error of a bug that ended a request with 500. */
  readonly onFault: (error: unknown) => void;
  /** The gateway accepts no more connections, and responses say so. */
  readonly isClosing: boolean;
  /** Milliseconds, never going back. */
  readonly now: () => number;
  readonly random: () => number;
}
