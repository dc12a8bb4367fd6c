/** Where there are several Kafka clusters: when a request waits for one that serves, and the promotion that it takes along. */
import { PROMOTION_HEADER } from '@causeway/protocol/clusters.ts';
import type { ClusterWait } from '../clusters/cluster-waits.ts';
import type { Snapshot } from '../regions/snapshot.ts';
import { type DecidedOutcome, isRefusalOfCluster } from './outcome.ts';

/** Then a request fails that targets of the active cluster keep failing, though probes succeed: as one without clusters. */
const MAX_WAITS_AFTER_FAILURE = 4;
/** A cluster that refuses the same request again and again, though it reports that it serves, gets it less and less often. */
const REFUSAL_GAP_MS = 100;
const MAX_REFUSAL_GAP_MS = 1_000;

/** What a gateway knows of the clusters. */
export type KnownClusters = NonNullable<Snapshot['clusters']>;

export class ClusterPatience {
  /** Of the request, with the promotion. */
  readonly #headers: string[];
  readonly #promotionIndex: number;
  /** A gateway before this one decides for itself whether to wait. */
  readonly #isFromGateway: boolean;
  /** The active Kafka cluster, as of the last attempt. */
  #active: string;
  /** Attempts since the last wait that a Kafka cluster refused. */
  refusedCount = 0;
  hasWaited = false;
  #waitsAfterFailure = 0;
  #waitsAfterRefusal = 0;
  /** When the last attempt before a wait ended. */
  #failedAtMs: number | undefined;

  /** Adds the promotion to the headers. */
  constructor({ active, promotion }: KnownClusters, headers: string[], { isFromGateway }: { isFromGateway: boolean }) {
    this.#active = active;
    this.#isFromGateway = isFromGateway;
    this.#headers = headers;
    this.#promotionIndex = headers.push(PROMOTION_HEADER, promotion) - 1;
  }

  /** Writes the promotion that is known now. Whether another cluster is active since the last attempt. */
  update(known: KnownClusters | undefined): boolean {
    if (known === undefined || known.promotion === this.#headers[this.#promotionIndex]) return false;
    this.#headers[this.#promotionIndex] = known.promotion;
    if (known.active === this.#active) return false;
    this.#active = known.active;
    return true;
  }

  /** Whether the next attempt waits. */
  mustWait(known: KnownClusters | undefined): boolean {
    if (this.#failedAtMs !== undefined) return true;
    return known?.awaited !== undefined && !this.#isFromGateway;
  }

  /** Whether a request that ended like this may wait. */
  mayWaitAfter(outcome: DecidedOutcome, known: KnownClusters | undefined): boolean {
    if (known === undefined || this.#isFromGateway) return false;
    if (outcome.kind === 'answered' && outcome.fault === 'cluster') return true;
    if (outcome.kind === 'answered' && outcome.fault === 'request') return false;
    return known.mayBePromoted && this.#waitsAfterFailure < MAX_WAITS_AFTER_FAILURE;
  }

  /** The next attempt waits. */
  waitAfter(outcome: DecidedOutcome, nowMs: number): void {
    if (isRefusalOfCluster(outcome)) this.#waitsAfterRefusal += 1;
    else this.#waitsAfterFailure += 1;
    this.#failedAtMs = nowMs;
  }

  /** For what it waits. */
  wait(known: KnownClusters | undefined, deadlineMs: number): ClusterWait {
    const failedAtMs = this.#failedAtMs;
    const gapMs = Math.min(MAX_REFUSAL_GAP_MS, Math.max(0, this.#waitsAfterRefusal - 1) * REFUSAL_GAP_MS);
    const provenAfterMs = failedAtMs === undefined ? undefined : failedAtMs + gapMs;
    return { active: known?.active ?? '', provenAfterMs, deadlineMs, isRefused: false };
  }

  /** The wait is over. */
  startOver(): void {
    this.hasWaited = true;
    this.#failedAtMs = undefined;
    this.refusedCount = 0;
  }
}
