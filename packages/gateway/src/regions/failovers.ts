/** Moves requests in flight off targets that were declared down, and counts them by region. */
import type { EventLog } from '../events.ts';
import type { Target } from './target.ts';

export class Failovers {
  readonly #events: EventLog;
  readonly #counts = new Map<string, number>();

  constructor(events: EventLog) {
    this.#events = events;
  }

  /** Returns the number of requests that left targets of the region, since the start. */
  countOf(region: string): number {
    return this.#counts.get(region) ?? 0;
  }

  /** Makes requests that may use another target leave at once, instead of waiting for their deadlines. */
  failOver(target: Target): void {
    let requestCount = 0;
    for (const request of target.inFlight.toArray()) {
      if (request.targetDeclaredDown(target.health.publicReason, target.isWithoutKafka)) requestCount += 1;
    }
    if (requestCount === 0) return;
    const { region, url } = target;
    this.#counts.set(region, this.countOf(region) + requestCount);
    this.#events.emit({ type: 'failover', region, target: url, requestCount, reason: target.health.reason });
  }
}
