/** What all exchanges of a gateway share; put together by the composition root. */
import type { TrustPolicy } from '@causeway/config/trust.ts';
import type { Cors } from '@causeway/http/cors.ts';
import type { HeldBytes } from '@causeway/http/held-bytes.ts';
import type { Affinity } from '../consumers/affinity.ts';
import type { Deliveries } from '../consumers/deliveries.ts';
import type { ReturnPace } from '../consumers/owners.ts';
import type { Snapshot } from '../regions/snapshot.ts';
import type { RequestStats } from '../stats.ts';
import type { RetryBudget } from './budget.ts';
import type { Identity } from './identity.ts';
import type { Watcher } from './request-watch.ts';
import type { TurnBatch } from './turn-batch.ts';
import type { TargetWatch } from './verdict.ts';

export interface ExchangeContext {
  readonly regions: TargetWatch & { readonly snapshot: Snapshot };
  readonly affinity: Affinity;
  readonly deliveries: Deliveries;
  readonly returnPace: ReturnPace;
  readonly budget: RetryBudget;
  readonly stats: RequestStats;
  readonly identity: Identity;
  /** `undefined` where pages of other origins are the bridges' affair. */
  readonly cors: Cors | undefined;
  /** The memory of bodies and answers. */
  readonly held: HeldBytes;
  /** Whose headers are believed. */
  readonly trust: TrustPolicy;
  /** Whole answers go out at the end of the turn in which they are ready. */
  readonly writes: TurnBatch;
  /** For the access log and traces; `undefined` while both are off. */
  readonly watcher: Watcher | undefined;
  /** A bug has shown itself at a request, which is answered with 500. */
  readonly onFault: (error: unknown) => void;
  /** Stops taking connections: answers say so. */
  readonly isClosing: boolean;
  /** Milliseconds, never going back. */
  readonly now: () => number;
  readonly random: () => number;
}
