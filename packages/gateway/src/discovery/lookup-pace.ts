/** Looks one name up on a timer, and sooner when a connection fails; never twice at once. */

export interface LookupPaceOptions<Answer> {
  /** Never rejects. */
  readonly lookup: () => Promise<Answer>;
  /** Returns whether the name has addresses to work with: without any, the next lookup comes as soon as it may. */
  readonly onAnswer: (answer: Answer) => boolean;
  /** Time between two lookups, in milliseconds. */
  readonly refreshMs: () => number;
  /** Returns a random number from 0 up to 1. */
  readonly random: () => number;
  /** Milliseconds of the monotonic clock. */
  readonly now: () => number;
}

/** Spreads lookups by this share of the interval, so that many gateways do not ask in step. */
const JITTER_RATIO = 0.2;

/** The shortest time between the starts of two lookups of a name, however many connections fail. */
const MIN_GAP_MS = 1_000;

export class LookupPace<Answer> {
  readonly #options: LookupPaceOptions<Answer>;
  #startedAtMs = Number.NEGATIVE_INFINITY;
  #isAsking = false;
  /** A connection failed after the running lookup began. */
  #isStale = false;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(options: LookupPaceOptions<Answer>) {
    this.#options = options;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Whether the last lookup has ended, and began a moment ago: another one would come too soon. */
  get isResting(): boolean {
    return !this.#isAsking && this.#untilGapMs() > 0;
  }

  /** Looks the name up now, unless a lookup is running. */
  askNow(): void {
    if (!this.#isAsking) void this.#ask();
  }

  /** Looks the name up as soon as it may: a connection failed, or the settings changed. */
  refreshSoon(): void {
    if (this.#isAsking) this.#isStale = true;
    else this.#schedule(this.#untilGapMs());
  }

  /** A running lookup still ends with its answer. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }

  async #ask(): Promise<void> {
    const { lookup, onAnswer, now } = this.#options;
    clearTimeout(this.#timer);
    this.#isAsking = true;
    this.#isStale = false;
    this.#startedAtMs = now();
    const answer = await lookup();
    this.#isAsking = false;
    let hasAddresses = false;
    try {
      hasAddresses = onAnswer(answer);
    } finally {
      const isUrgent = this.#isStale || !hasAddresses;
      this.#schedule(isUrgent ? this.#untilGapMs() : this.#untilRefreshMs());
    }
  }

  #untilGapMs(): number {
    const { refreshMs, now } = this.#options;
    return Math.max(0, this.#startedAtMs + Math.min(MIN_GAP_MS, refreshMs()) - now());
  }

  #untilRefreshMs(): number {
    const { refreshMs, random, now } = this.#options;
    const jitterMs = refreshMs() * JITTER_RATIO * (random() - 0.5);
    return Math.max(0, this.#startedAtMs + refreshMs() + jitterMs - now());
  }

  #schedule(delayMs: number): void {
    // `onAnswer` may have begun the next lookup.
    if (this.#isClosed || this.#isAsking) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#ask(), delayMs);
    this.#timer.unref();
  }
}
