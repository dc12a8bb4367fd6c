/** Reads the metrics of the system's processes during an attack, once a second. */
import { setTimeout as delay } from 'node:timers/promises';
import { type Dispatcher, request } from 'undici';

const INTERVAL_MS = 1_000;
/** A process that does not respond for this long counts as stalled. */
const TIMEOUT_MS = 30_000;

export interface Watched {
  /** `tier-1 gateway`, `east bridge`. */
  name: string;
  /** Of its metrics. */
  url: string;
  /** Of an admin API that requires one. */
  token?: string | undefined;
  /** Sends the scrapes; default: an agent for plain HTTP. */
  agent?: Dispatcher | undefined;
  pid: () => number | undefined;
}

/** Of one process, over a window. */
export interface Vitals {
  name: string;
  /** Of the process that runs, and the one that ran before. */
  isRestarted: boolean;
  rssBytes: number;
  /** The most growth since the window opened. */
  growthBytes: number;
  /** The longest delay of its event loop, or of a response to a scrape. */
  lateMs: number;
  /** Counts of incidents: an open breaker, an unhealthy target, an adoption, … */
  incidents: Partial<Record<Incident, number>>;
}

/** Incidents that must not happen during an attack. */
export type Incident =
  | (typeof STILL)[keyof typeof STILL]
  | 'breaker open'
  | 'target unhealthy'
  | 'panic'
  | 'no response to a scrape';

/** Counters that do not change in a healthy system. */
const STILL = {
  causeway_failovers_total: 'requests left a target',
  causeway_retries_total: 'requests sent again',
  causeway_bridge_adoption_duration_seconds_count: 'consumers adopted',
} as const;

interface Sample {
  rssBytes: number;
  lateMs: number;
  counters: Record<string, number>;
  openBreakers: number;
  unhealthyTargets: number;
  isPanic: boolean;
}

export class Watch {
  readonly #watched: readonly Watched[];
  readonly #stopping = new AbortController();
  #running: Promise<unknown> | undefined;
  #windows: ProcessWindow[] = [];

  constructor(watched: readonly Watched[]) {
    this.#watched = watched;
  }

  start(): void {
    this.#running ??= Promise.all(this.#watched.map((_, index) => this.#run(index)));
  }

  async close(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  /** Errors: when a process does not respond. */
  async openWindow(): Promise<void> {
    this.#windows = await Promise.all(
      this.#watched.map(async (watched) => new ProcessWindow(watched, await sample(watched))),
    );
  }

  async closeWindow(): Promise<Vitals[]> {
    const windows = this.#windows;
    await Promise.all(windows.map((window) => window.sample()));
    return windows.map((window) => window.vitals());
  }

  async #run(index: number): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      await this.#windows[index]?.sample();
      await delay(INTERVAL_MS, undefined, { signal }).catch(() => {});
    }
  }
}

class ProcessWindow {
  readonly #watched: Watched;
  readonly #first: Sample;
  readonly #firstPid: number | undefined;
  #last: Sample;
  #peakBytes: number;
  #lateMs = 0;
  readonly #incidents = new Map<Incident, number>();

  constructor(watched: Watched, first: Sample) {
    this.#watched = watched;
    this.#first = first;
    this.#firstPid = watched.pid();
    this.#last = first;
    this.#peakBytes = first.rssBytes;
  }

  async sample(): Promise<void> {
    try {
      const next = await sample(this.#watched);
      this.#last = next;
      this.#peakBytes = Math.max(this.#peakBytes, next.rssBytes);
      this.#lateMs = Math.max(this.#lateMs, next.lateMs);
      if (next.openBreakers > 0) this.#count('breaker open');
      if (next.unhealthyTargets > 0) this.#count('target unhealthy');
      if (next.isPanic) this.#count('panic');
    } catch {
      this.#count('no response to a scrape');
    }
  }

  vitals(): Vitals {
    const counted = Object.entries(STILL).map(([metric, what]) => {
      return [what, (this.#last.counters[metric] ?? 0) - (this.#first.counters[metric] ?? 0)] as const;
    });
    return {
      name: this.#watched.name,
      isRestarted: this.#watched.pid() === undefined || this.#watched.pid() !== this.#firstPid,
      rssBytes: this.#last.rssBytes,
      growthBytes: this.#peakBytes - this.#first.rssBytes,
      lateMs: this.#lateMs,
      incidents: Object.fromEntries([...this.#incidents, ...counted].filter(([, count]) => count !== 0)),
    };
  }

  #count(incident: Incident): void {
    this.#incidents.set(incident, (this.#incidents.get(incident) ?? 0) + 1);
  }
}

async function sample({ url, token, agent }: Watched): Promise<Sample> {
  const askedAtMs = performance.now();
  const { body } = await request(url, {
    ...(agent === undefined ? {} : { dispatcher: agent }),
    ...(token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } }),
    headersTimeout: TIMEOUT_MS,
    bodyTimeout: TIMEOUT_MS,
  });
  const text = await body.text();
  // A stalled loop has not measured its delay yet.
  const waitedMs = performance.now() - askedAtMs;
  return { ...readSample(text), lateMs: Math.max(waitedMs, readSample(text).lateMs) };
}

/** From an exposition of a gateway or a bridge (Prometheus text format 0.0.4). */
export function readSample(text: string): Sample {
  return {
    rssBytes: total(text, 'process_resident_memory_bytes'),
    lateMs: total(text, 'nodejs_eventloop_lag_max_seconds') * 1_000,
    counters: Object.fromEntries(Object.keys(STILL).map((metric) => [metric, total(text, metric)])),
    openBreakers: total(text, 'causeway_breaker_state', /state="open"/),
    unhealthyTargets: values(text, 'causeway_target_healthy').filter((value) => value === 0).length,
    isPanic: total(text, 'causeway_panic') > 0,
  };
}

function total(text: string, metric: string, labels = /^/): number {
  return values(text, metric, labels).reduce((sum, value) => sum + value, 0);
}

function values(text: string, metric: string, labels = /^/): number[] {
  return [...text.matchAll(new RegExp(`^${metric}(\\{[^}]*\\})? (\\S+)$`, 'gm'))]
    .filter(([, found = '']) => labels.test(found))
    .map(([, , value]) => Number(value));
}
