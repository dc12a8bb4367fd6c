/** What changed, told once: the last events are kept for whoever opens the page later, and sent to whoever listens. */

/** Whether a region's target may be used, as its probes judge it. */
export type HealthStatus = 'unknown' | 'healthy' | 'unhealthy';
export type BreakerState = 'closed' | 'open' | 'halfOpen';

export type GatewayEvent =
  | { type: 'health'; region: string; target: string; from: HealthStatus; to: HealthStatus; reason: string }
  | { type: 'breaker'; region: string; target: string; from: BreakerState; to: BreakerState; reason: string }
  | { type: 'panic'; isPanic: boolean; reason: string }
  | { type: 'drain'; region: string; isDrained: boolean }
  | { type: 'weight'; region: string; from: number; to: number }
  /** Consumers that another bridge owns now; `from` and `to` as `region/bridge`, the first few by `group/instance`. */
  | { type: 'adoption'; consumerCount: number; from: string; to: string; consumers: string[] }
  | { type: 'failover'; region: string; target: string; requestCount: number; reason: string }
  | { type: 'reload'; file: string; changes: string[] }
  | { type: 'reloadRefused'; file: string; reason: string }
  /** Lines of the access log, or spans, cannot be written; `null`: they can be again. */
  | { type: 'telemetry'; part: 'accessLog' | 'tracing'; reason: string | null }
  /** Requests that claim to be a gateway's and do not show the secret; at most one a minute. */
  | { type: 'impostor'; address: string; requestCount: number; reason: string }
  | { type: 'started'; url: string; adminUrl: string }
  | { type: 'stopping'; reason: string };

/**
 * An event with its place in the sequence and its time (ISO 8601). `gateway`: which regional gateway told it, as
 * `region/name`; left out for this gateway's own.
 */
export type RecordedEvent = GatewayEvent & { id: number; at: string; gateway?: string };

/** How many events are kept for listeners that come later. */
const KEPT_EVENTS = 1_000;

export class EventLog {
  readonly #recent: RecordedEvent[] = [];
  readonly #listeners = new Set<(event: RecordedEvent) => void>();
  readonly #followers = new Set<(event: RecordedEvent) => void>();
  readonly #now: () => Date;
  #lastId = 0;

  constructor(now: () => Date = () => new Date()) {
    this.#now = now;
  }

  emit(event: GatewayEvent): void {
    this.#lastId += 1;
    const recorded = { ...event, id: this.#lastId, at: this.#now().toISOString() };
    this.#keep(recorded);
    for (const listener of this.#listeners) listener(recorded);
  }

  /** Keeps an event of another gateway, which has logged and counted it itself: only followers are told. */
  carry(event: RecordedEvent, gateway: string): void {
    this.#lastId += 1;
    this.#keep({ ...event, id: this.#lastId, gateway });
  }

  /** The kept events after `afterId` (default all), oldest first. */
  recent(afterId = 0): readonly RecordedEvent[] {
    return this.#recent.filter((event) => event.id > afterId);
  }

  /** Calls `listener` for every event of this gateway from now on, until the returned function is called. */
  subscribe(listener: (event: RecordedEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Like {@link subscribe}, with the events of other gateways. */
  follow(follower: (event: RecordedEvent) => void): () => void {
    this.#followers.add(follower);
    return () => this.#followers.delete(follower);
  }

  #keep(event: RecordedEvent): void {
    this.#recent.push(event);
    if (this.#recent.length > KEPT_EVENTS) this.#recent.shift();
    for (const follower of this.#followers) follower(event);
  }
}
