/** Matches topic names with clients' patterns, one slice of a pattern at a time, so that other work gets its turn between. */
import process from 'node:process';
import { setImmediate as otherWork } from 'node:timers/promises';
import { BridgeError } from '../errors.ts';
import type { TopicPattern } from './topic-pattern.ts';

/** How long one slice may take, in milliseconds; a single name is never cut. */
const SLICE_MS = 5;
/** Processor time that the names of one look may take a pattern, in milliseconds. */
const DEFAULT_BUDGET_MS = 1000;
const MICROSECONDS_PER_MS = 1000;

/** What the matcher measures with, in milliseconds. */
export interface MatcherClock {
  nowMs(): number;
  /** Processor time of this thread: a machine that stalls does not use up a pattern's time. */
  cpuMs(): number;
}

const SYSTEM_CLOCK: MatcherClock = {
  nowMs: () => performance.now(),
  cpuMs: () => {
    const { user, system } = process.threadCpuUsage();
    return (user + system) / MICROSECONDS_PER_MS;
  },
};

/** Shared by all consumers of a bridge: their patterns take turns. */
export class PatternMatcher {
  #last: Promise<unknown> = Promise.resolve();
  readonly #budgetMs: number;
  readonly #clock: MatcherClock;
  #sliceEndMs = 0;

  constructor({
    budgetMs = DEFAULT_BUDGET_MS,
    clock = SYSTEM_CLOCK,
  }: {
    budgetMs?: number;
    clock?: MatcherClock;
  } = {}) {
    this.#budgetMs = budgetMs;
    this.#clock = clock;
  }

  /** The names that match, in their order. Errors: `kafkaRefused` for a pattern that needs too long. */
  match(pattern: TopicPattern, names: readonly string[]): Promise<string[]> {
    const result = this.#last.then(() => this.#match(pattern, names));
    this.#last = result.catch(() => {});
    return result;
  }

  async #match(pattern: TopicPattern, names: readonly string[]): Promise<string[]> {
    const matching: string[] = [];
    let leftMs = this.#budgetMs;
    let sliceStartCpuMs = this.#clock.cpuMs();
    for (const name of names) {
      if (this.#clock.nowMs() >= this.#sliceEndMs) {
        leftMs -= this.#clock.cpuMs() - sliceStartCpuMs;
        if (leftMs <= 0)
          throw new BridgeError('kafkaRefused', { message: 'The topic_pattern takes too long to match' });
        await otherWork();
        this.#sliceEndMs = this.#clock.nowMs() + SLICE_MS;
        sliceStartCpuMs = this.#clock.cpuMs();
      }
      if (pattern.matches(name)) matching.push(name);
    }
    return matching;
  }
}
