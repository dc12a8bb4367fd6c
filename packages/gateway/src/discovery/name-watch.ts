/** Asks for one name again and again, and keeps the endpoints of the last good answer. */
import type { Endpoint } from './answer.ts';
import { DnsClient, type DnsClientOptions, type Query } from './dns-client.ts';
import {
  afterAnswer,
  LOOKUP_RESULTS,
  type LookupResult,
  type NameProblem,
  type NameState,
  NOT_ASKED,
  resultOf,
} from './name-state.ts';

export interface NameWatchOptions extends DnsClientOptions {
  readonly query: Query;
  readonly settings: () => WatchSettings;
  /** After every answer, with the state before. */
  readonly onAnswer: (watch: NameWatch, before: NameState) => void;
  /** Returns a random number from 0 up to 1. */
  readonly random: () => number;
  /** Milliseconds of the monotonic clock. */
  readonly now: () => number;
}

export type WatchSettings = ReturnType<DnsClientOptions['settings']> & { readonly refreshMs: number };

/** Spreads lookups by this share of the interval, so that many gateways do not ask in step. */
const JITTER_RATIO = 0.2;

/** The shortest time between the starts of two lookups of a name, however many connections fail. */
const MIN_GAP_MS = 1_000;

export class NameWatch {
  readonly query: Query;
  /** Lookups since the start, for metrics. */
  readonly counts: Record<LookupResult, number>;
  /** When the problem began, on the wall clock. */
  problemSince: Date | undefined;
  readonly #options: NameWatchOptions;
  readonly #client: DnsClient;
  #state = NOT_ASKED;
  /** When an answer last had addresses; before the first one, when the watch began. */
  #goodAtMs: number;
  #startedAtMs = Number.NEGATIVE_INFINITY;
  #isAsking = false;
  /** A connection failed after the running lookup began. */
  #isStale = false;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(options: NameWatchOptions) {
    this.#options = options;
    this.query = options.query;
    this.#client = new DnsClient(options);
    this.#goodAtMs = options.now();
    this.counts = Object.fromEntries(LOOKUP_RESULTS.map((result) => [result, 0])) as Record<LookupResult, number>;
  }

  get endpoints(): readonly Endpoint[] {
    return this.#state.endpoints;
  }

  /** Identifies the watch in metrics: a name may be looked up for addresses and for services. */
  get label(): string {
    return this.query.kind === 'services' ? `SRV ${this.query.name}` : this.query.name;
  }

  /** Whether any answer had addresses. */
  get isKnown(): boolean {
    return this.#state.isKnown;
  }

  get problem(): NameProblem | undefined {
    return this.#state.problem;
  }

  /** Time since the last answer with addresses. */
  get ageMs(): number {
    return this.#options.now() - this.#goodAtMs;
  }

  start(): void {
    void this.#ask();
  }

  /** Asks again soon: a connection to one of the endpoints failed. */
  refreshSoon(): void {
    if (this.#isAsking) this.#isStale = true;
    else this.#schedule(this.#untilGapMs());
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#client.close();
  }

  #untilGapMs(): number {
    const { refreshMs } = this.#options.settings();
    return Math.max(0, this.#startedAtMs + Math.min(MIN_GAP_MS, refreshMs) - this.#options.now());
  }

  #schedule(delayMs: number): void {
    if (this.#isClosed) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#ask(), delayMs);
    this.#timer.unref();
  }

  async #ask(): Promise<void> {
    const { now, random, settings, onAnswer } = this.#options;
    this.#isAsking = true;
    this.#isStale = false;
    this.#startedAtMs = now();
    const { answer } = await this.#client.lookup(this.query);
    this.#isAsking = false;
    if (this.#isClosed) return;
    const before = this.#state;
    const { refreshMs, maxTargets } = settings();
    this.#state = afterAnswer(before, answer, maxTargets);
    this.counts[resultOf(answer)] += 1;
    if (answer.kind === 'found') this.#goodAtMs = now();
    if (this.#state.problem === undefined) this.problemSince = undefined;
    else if (before.problem?.kind !== this.#state.problem.kind) this.problemSince = new Date();
    // Without any targets, every second counts.
    const isUrgent = this.#isStale || !this.#state.isKnown;
    const jitterMs = refreshMs * JITTER_RATIO * (random() - 0.5);
    const restMs = this.#startedAtMs + refreshMs + jitterMs - now();
    this.#schedule(isUrgent ? this.#untilGapMs() : Math.max(0, restMs));
    onAnswer(this, before);
  }
}
