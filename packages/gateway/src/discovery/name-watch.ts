/** Asks for one name again and again, and keeps the endpoints of the last good answer. */
import type { Answer, Endpoint } from './answer.ts';
import { DnsClient, type DnsClientOptions, type Query } from './dns-client.ts';
import { LookupPace } from './lookup-pace.ts';
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
  readonly #pace: LookupPace<Answer>;

  constructor(options: NameWatchOptions) {
    this.#options = options;
    this.query = options.query;
    this.#client = new DnsClient(options);
    this.#goodAtMs = options.now();
    this.#pace = new LookupPace({
      lookup: async () => (await this.#client.lookup(this.query)).answer,
      onAnswer: (answer) => this.#take(answer),
      refreshMs: () => options.settings().refreshMs,
      random: options.random,
      now: options.now,
    });
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
    this.#pace.askNow();
  }

  /** Asks again soon: a connection to one of the endpoints failed. */
  refreshSoon(): void {
    this.#pace.refreshSoon();
  }

  close(): void {
    this.#pace.close();
    this.#client.close();
  }

  #take(answer: Answer): boolean {
    if (this.#pace.isClosed) return false;
    const { now, settings, onAnswer } = this.#options;
    const before = this.#state;
    this.#state = afterAnswer(before, answer, settings().maxTargets);
    this.counts[resultOf(answer)] += 1;
    if (answer.kind === 'found') this.#goodAtMs = now();
    if (this.#state.problem === undefined) this.problemSince = undefined;
    else if (before.problem?.kind !== this.#state.problem.kind) this.problemSince = new Date();
    onAnswer(this, before);
    return this.#state.isKnown;
  }
}
