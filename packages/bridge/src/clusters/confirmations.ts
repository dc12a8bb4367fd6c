/**
 * When Kafka last confirmed that this cluster is active, and whether that still counts: a bridge may stall at any instruction, and acknowledges nothing
 * without a question for the end of the log that was asked within the lease. Asked in the background, so that a request compares two numbers.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { elapsedMs, type Instant, NEVER, readClocks } from '../clock.ts';
import { type Limits, remainingMs, within } from '../kafka/client/limits.ts';
import type { ClusterLog } from './cluster-log.ts';
import { leaseWaitMs, mayAcknowledge } from './rules.ts';

export interface ConfirmationsOptions {
  own: ClusterLog;
  peer: ClusterLog | undefined;
  /** Of this bridge's configuration; the lease that counts is in the log. */
  leaseMs: number;
  prefer: 'availability' | 'consistency';
}

/** In a lease: one may be late without a request having to wait. */
const QUESTIONS_PER_LEASE = 4;
/** Between questions that failed. */
const MIN_QUESTION_MS = 25;

export class Confirmations {
  readonly #options: ConfirmationsOptions;
  /** When Kafka was last asked for the log's end while the log said that the cluster is active. */
  #activeAt = NEVER;
  /** The same of the peer's log, whatever it says. */
  #peerAt = NEVER;
  #notedTerm = 0;
  #servesFromMs = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: ConfirmationsOptions) {
    this.#options = options;
  }

  /** Begins to ask; `onAsked` is called with each question. */
  start(onAsked: () => void): void {
    const { own, peer, prefer } = this.#options;
    this.#timer = setTimeout(() => {
      const limits = within(this.leaseMs);
      own.confirm(limits).catch(() => {});
      if (prefer === 'consistency' && peer?.trouble === undefined) peer?.confirm(limits).catch(() => {});
      onAsked();
      this.start(onAsked);
    }, this.leaseMs / QUESTIONS_PER_LEASE);
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  /** How long a confirmation counts: the same for all bridges of the cluster, also while their configuration is changed. */
  get leaseMs(): number {
    return this.#options.own.view.leaseMs ?? this.#options.leaseMs;
  }

  get term(): number {
    return this.#options.own.facts.promoted?.promotion.number ?? 0;
  }

  noteOwn(askedAt: Instant): void {
    if (this.#options.own.view.mode === 'active') this.#activeAt = askedAt;
  }

  notePeer(askedAt: Instant): void {
    this.#peerAt = askedAt;
  }

  /** With `prefer: consistency`, the cluster that was lost may serve until its confirmations of this one's log are too old. */
  noteFacts(): void {
    if (this.term === this.#notedTerm) return;
    this.#notedTerm = this.term;
    const { own, prefer, leaseMs } = this.#options;
    if (prefer === 'availability' || own.facts.promoted?.how !== 'forced') return;
    this.#servesFromMs = performance.now() + leaseWaitMs(Math.max(leaseMs, this.leaseMs));
  }

  /** Whether what belongs to the term may be acknowledged now, while the cluster is active or begins to hand over. */
  isConfirmed(term: number): boolean {
    // What was stored before a switch-over to another cluster and back may have come too late for both.
    if (term !== this.term) return false;
    const { leaseMs } = this;
    const now = readClocks();
    if (!mayAcknowledge({ mode: 'active', confirmedAgoMs: elapsedMs(this.#activeAt, now), leaseMs })) return false;
    if (this.#options.prefer === 'availability') return true;
    return now.monotonicMs >= this.#servesFromMs && (!this.#needsPeer || elapsedMs(this.#peerAt, now) <= leaseMs);
  }

  /** Asks until it {@link isConfirmed}, or cannot be any more. Errors: `kafkaUnavailable`. */
  async confirm(term: number, limits: Limits): Promise<boolean> {
    const { own, peer, prefer } = this.#options;
    // Again, where the answer was read too late: the caller acts on it at once, without another await.
    while (!this.isConfirmed(term)) {
      const asking = [own.confirm(limits)];
      if (prefer === 'consistency' && this.#needsPeer && peer !== undefined) asking.push(peer.confirm(limits));
      try {
        await Promise.all(asking);
      } catch (error) {
        // A question has less time than the request, which asks again.
        if (remainingMs(limits) <= MIN_QUESTION_MS) throw error;
        const isPeerGone = asking.length > 1 && peer?.trouble !== undefined;
        if (isPeerGone || (own.view.mode !== 'active' && own.view.mode !== 'pausing')) return false;
        await delay(MIN_QUESTION_MS);
        continue;
      }
      if (this.isConfirmed(term)) return true;
      if (term !== this.term || own.view.mode !== 'active' || performance.now() < this.#servesFromMs) return false;
    }
    return true;
  }

  /** With `prefer: consistency`: not after a forced promotion, until the lost cluster has rejoined. */
  get #needsPeer(): boolean {
    const { promoted, isPeerJoined } = this.#options.own.facts;
    return promoted?.how !== 'forced' || isPeerJoined;
  }
}
