/** Reports consumers that another bridge owns now: one event for all that moved the same way at about the same time. */
import type { EventLog } from '../events.ts';

/** When a region dies, thousands of consumers move within a second. */
const COALESCE_MS = 500;
const NAMED_COUNT = 5;

interface Move {
  from: string;
  to: string;
  consumerCount: number;
  consumers: string[];
}

export class AdoptionEvents {
  readonly #events: EventLog;
  readonly #moves = new Map<string, Move>();
  #timer: NodeJS.Timeout | undefined;

  constructor(events: EventLog) {
    this.#events = events;
  }

  /** A consumer, by its key, moved from one bridge to another. */
  moved(key: string, from: string, to: string): void {
    const pair = `${from} ${to}`;
    const move = this.#moves.get(pair) ?? { from, to, consumerCount: 0, consumers: [] };
    this.#moves.set(pair, move);
    move.consumerCount += 1;
    if (move.consumers.length < NAMED_COUNT) move.consumers.push(key.replace('\u0000', '/'));
    this.#timer ??= setTimeout(() => this.flush(), COALESCE_MS);
  }

  /** Emits the pending events now. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const move of this.#moves.values()) this.#events.emit({ type: 'adoption', ...move });
    this.#moves.clear();
  }
}
