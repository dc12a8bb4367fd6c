/** Owns the page's state: reads the live stream, and renders the page at most a few times a second. */

import type { RecordedEvent, Sample, System } from '@causeway/protocol/admin/model.ts';
import type { EventSourceMessage } from 'eventsource-parser';
import { fetchAccess, fetchEvents, fetchHistory } from './api-client.ts';
import { LiveStream } from './live.ts';
import { initialState, type PageState, withEvents, withSample, withSystem } from './state.ts';
import { measureFrame, startUpdateTimes } from './update-time.ts';

/** In the tab's storage, which ends with the tab. */
const TOKEN_KEY = 'causeway-admin-token';
/** Events within this time share one rendering. */
const DRAW_INTERVAL_MS = 100;
/** Delay before the history is requested again. */
const PAST_RETRY_MS = 2_000;
const ACCESS_TIMEOUT_MS = 5_000;

export class Store {
  #state: PageState;
  readonly #draw: (state: PageState) => void;
  readonly #live: LiveStream;
  readonly #times = startUpdateTimes();
  #isFrameAsked = false;
  #drawnAtMs = Number.NEGATIVE_INFINITY;
  #readMs = 0;
  /** Why the gateway refused the token that this tab kept. */
  #tokenRefusal = '';

  constructor(draw: (state: PageState) => void) {
    this.#draw = draw;
    this.#state = initialState(sessionStorage.getItem(TOKEN_KEY));
    this.#live = new LiveStream(
      {
        onOpen: (signal) => void this.#loadPast(signal),
        onEvents: (events) => this.#take(events),
        onLost: (reason, retryInMs) => this.#lost(reason, retryInMs),
        onRefused: (reason) => this.#refused(reason),
      },
      () => this.#state.token,
    );
  }

  get state(): PageState {
    return this.#state;
  }

  start(): void {
    this.#ask();
    this.#live.restart();
    // The network is back, or the laptop woke up: try at once.
    window.addEventListener('online', () => this.retryNow());
    document.addEventListener('visibilitychange', () => {
      if (document.visibilityState === 'visible' && this.#state.connection.phase === 'lost') this.retryNow();
    });
  }

  readonly retryNow = (): void => {
    if (this.#state.connection.phase !== 'live') this.#live.restart();
  };

  /** Keeps the token for this tab; an empty one forgets it. */
  readonly setToken = (token: string): void => {
    const kept = token === '' ? null : token;
    if (kept === null) sessionStorage.removeItem(TOKEN_KEY);
    else sessionStorage.setItem(TOKEN_KEY, kept);
    this.#tokenRefusal = '';
    this.#set({ ...this.#state, token: kept, access: null });
    if (this.#state.connection.phase === 'refused') this.#live.restart();
    else void this.#loadAccess();
  };

  async #loadAccess(): Promise<void> {
    const { token } = this.#state;
    try {
      const access = await fetchAccess(token, AbortSignal.timeout(ACCESS_TIMEOUT_MS));
      if (this.#state.token === token) this.#set({ ...this.#state, access });
    } catch {
      // A refused token is reported by the change that needs it, a gateway that is gone by the stream.
    }
  }

  /** A gateway that restarted with other tokens refuses the one that this tab kept: reading may need none. */
  #refused(reason: string): void {
    if (this.#state.token === null) {
      this.#connection({ phase: 'refused', reason: this.#tokenRefusal || reason, retryAtMs: null });
      return;
    }
    sessionStorage.removeItem(TOKEN_KEY);
    this.#tokenRefusal = reason;
    this.#set({ ...this.#state, token: null, access: null });
    this.#live.restart();
  }

  #take(events: EventSourceMessage[]): void {
    const startMs = performance.now();
    let state = this.#state;
    const added: RecordedEvent[] = [];
    for (const { event, data } of events) {
      if (event === 'system') state = withSystem(state, JSON.parse(data) as System, Date.now());
      else if (event === 'event') added.push(JSON.parse(data) as RecordedEvent);
      else if (event === 'sample') state = withSample(state, JSON.parse(data) as Sample);
    }
    state = withEvents(state, added);
    if (state.connection.phase !== 'live' && state.system !== null) {
      state = { ...state, connection: { phase: 'live', lostAtMs: null, retryAtMs: null, reason: '' } };
    }
    this.#readMs += performance.now() - startMs;
    this.#set(state);
  }

  async #loadPast(signal: AbortSignal): Promise<void> {
    const { token } = this.#state;
    try {
      const [events, history, access] = await Promise.all([
        fetchEvents(token, signal),
        fetchHistory(token, signal),
        fetchAccess(token, signal),
      ]);
      this.#set(withEvents({ ...this.#state, history, access: this.#state.token === token ? access : null }, events));
    } catch {
      // The stream reports a gateway that is gone; in all other cases try again.
      if (!signal.aborted) setTimeout(() => signal.aborted || void this.#loadPast(signal), PAST_RETRY_MS);
    }
  }

  #lost(reason: string, retryInMs: number): void {
    const { lostAtMs } = this.#state.connection;
    this.#connection({ phase: 'lost', reason, retryAtMs: Date.now() + retryInMs, lostAtMs: lostAtMs ?? Date.now() });
  }

  #connection(change: Partial<PageState['connection']>): void {
    this.#set({ ...this.#state, connection: { ...this.#state.connection, ...change } });
  }

  #set(state: PageState): void {
    if (state === this.#state) return;
    this.#state = state;
    this.#ask();
  }

  #ask(): void {
    if (this.#isFrameAsked) return;
    this.#isFrameAsked = true;
    const waitMs = DRAW_INTERVAL_MS - (performance.now() - this.#drawnAtMs);
    setTimeout(() => requestAnimationFrame(() => this.#drawNow()), Math.max(0, waitMs));
  }

  #drawNow(): void {
    this.#isFrameAsked = false;
    this.#drawnAtMs = performance.now();
    measureFrame(this.#times, this.#readMs);
    this.#readMs = 0;
    this.#draw(this.#state);
  }
}
