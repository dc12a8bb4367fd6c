/** The page's state, and how each message of the gateway changes it. */
import type { AdminAccess, History, RecordedEvent, Sample, System } from '@causeway/protocol/admin/model.ts';

/** The time line keeps this many events; older ones are dropped. */
const KEPT_EVENTS = 500;

export interface Connection {
  /** `refused`: the gateway requires a token for reading, and refused this one or none. */
  phase: 'connecting' | 'live' | 'lost' | 'refused';
  /** Milliseconds since 1970, by this machine's clock. */
  lostAtMs: number | null;
  retryAtMs: number | null;
  reason: string;
}

/** An event with a unique key. */
export interface KeyedEvent {
  key: string;
  event: RecordedEvent;
}

export interface PageState {
  connection: Connection;
  system: System | null;
  /** How far the gateway's clock is ahead of this machine's. */
  clockAheadMs: number;
  /** Newest first. */
  events: readonly KeyedEvent[];
  history: History | null;
  token: string | null;
  /** What the gateway says about the token; `null` until it has. */
  access: AdminAccess | null;
}

export function initialState(token: string | null): PageState {
  return {
    connection: { phase: 'connecting', lostAtMs: null, retryAtMs: null, reason: '' },
    system: null,
    clockAheadMs: 0,
    events: [],
    history: null,
    token,
    access: null,
  };
}

export function withSystem(state: PageState, system: System, nowMs: number): PageState {
  return {
    ...state,
    system,
    clockAheadMs: Date.parse(system.at) - nowMs,
  };
}

/** Adds events in any order; known ones are skipped. */
export function withEvents(state: PageState, added: readonly RecordedEvent[]): PageState {
  if (added.length === 0) return state;
  const keys = new Set(state.events.map(({ key }) => key));
  const fresh: KeyedEvent[] = [];
  for (const event of added) {
    const key = keyOf(event);
    if (!keys.has(key)) fresh.push({ key, event });
    keys.add(key);
  }
  if (fresh.length === 0) return state;
  const events = [...fresh.reverse(), ...state.events];
  const isSorted = events.every(({ event }, index) => index === 0 || (events[index - 1]?.event.at ?? '') >= event.at);
  if (!isSorted) events.sort((a, b) => b.event.at.localeCompare(a.event.at) || b.event.id - a.event.id);
  return { ...state, events: events.slice(0, KEPT_EVENTS) };
}

/** With its time: a gateway that restarts counts its events from 1 again. */
function keyOf({ id, at, gateway = '' }: RecordedEvent): string {
  return `${at} ${id} ${gateway}`;
}

const CURVES = ['requestsPerSecond', 'errorsPerSecond', 'p50Ms', 'p99Ms'] as const;
export type Curve = (typeof CURVES)[number];

const HISTORY_SECONDS = 15 * 60;

/** Adds one sample to the curves, and drops samples older than 15 minutes. */
export function withSample(state: PageState, sample: Sample): PageState {
  const { history } = state;
  if (history === null || sample.atSeconds <= (history.atSeconds.at(-1) ?? 0)) return state;
  const oldest = sample.atSeconds - HISTORY_SECONDS;
  const dropCount = history.atSeconds.findIndex((atSeconds) => atSeconds >= oldest);
  const from = dropCount === -1 ? history.atSeconds.length : dropCount;
  const regions: History['regions'] = {};
  for (const name of new Set([...Object.keys(history.regions), ...Object.keys(sample.regions)])) {
    const empty = history.atSeconds.map(() => null);
    const column = (curve: Curve): (number | null)[] => [
      ...(history.regions[name]?.[curve] ?? empty).slice(from),
      sample.regions[name]?.[curve] ?? null,
    ];
    regions[name] = {
      requestsPerSecond: column('requestsPerSecond'),
      errorsPerSecond: column('errorsPerSecond'),
      p50Ms: column('p50Ms'),
      p99Ms: column('p99Ms'),
    };
  }
  const atSeconds = [...history.atSeconds.slice(from), sample.atSeconds];
  return { ...state, history: { ...history, atSeconds, regions } };
}
