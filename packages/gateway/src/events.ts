/** The events of a gateway: each goes to every listener, and the latest are kept for pages that open later. */
import type { GatewayEvent, RecordedEvent } from '@causeway/protocol/admin/events.ts';

/** The number of events that are kept for later listeners. */
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

  /** Keeps an event of another gateway, which has logged and counted it itself: only followers receive it. */
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
