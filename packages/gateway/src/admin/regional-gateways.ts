/**
 * Fetches what regional gateways report about their own regions: once a second while an operator watches, on demand, and now and
 * then otherwise, so that the topology behind a gateway is known after its death.
 */

import type { RecordedEvent } from '@causeway/protocol/admin/events.ts';
import { formatHop } from '@causeway/protocol/routing.ts';
import type { EventLog } from '../events.ts';
import type { Target as LiveTarget } from '../regions/target.ts';
import { type AdminClient, reasonOf } from './admin-client.ts';
import { type RegionReport, readRegionEvents, readRegionReport } from './region-report.ts';
import type { Behind } from './topology.ts';

const INTERVAL_MS = 1_000;
/** Interval while no operator watches. */
const IDLE_INTERVAL_MS = 10_000;
/** A request for the topology waits no longer than this for a frozen region. */
const TIMEOUT_MS = 400;
/** Past events that are copied from a gateway on first contact. */
const FIRST_EVENT_COUNT = 100;

export interface RegionalGatewaysOptions {
  targets: () => readonly LiveTarget[];
  client: AdminClient;
  events: EventLog;
}

interface Known {
  /** The last report. */
  report: RegionReport | undefined;
  /** When it arrived, by this gateway's clock; ISO 8601. */
  toldAt: string | null;
  /** Why there is no current report. */
  error: string | null;
  /** In the gateway's own numbering, which starts over when it restarts. */
  lastEventId: number;
}

export class RegionalGateways {
  readonly #options: RegionalGatewaysOptions;
  readonly #known = new Map<string, Known>();
  #askedAtMs = Number.NEGATIVE_INFINITY;
  #asking: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #idleTimer: NodeJS.Timeout | undefined;
  #unsubscribe: () => void = () => {};

  constructor(options: RegionalGatewaysOptions) {
    this.#options = options;
  }

  /** Asks each gateway that becomes healthy, and all of them now and then. */
  start(): void {
    this.#unsubscribe = this.#options.events.subscribe((event) => {
      if (event.type === 'health' && event.to === 'healthy') void this.ask();
    });
    this.#idleTimer = setInterval(() => {
      if (this.#timer === undefined) void this.ask();
    }, IDLE_INTERVAL_MS);
    this.#idleTimer.unref();
  }

  /** Asks once a second until the returned function is called. */
  watch(): () => void {
    void this.ask();
    this.#timer ??= setInterval(() => void this.ask(), INTERVAL_MS);
    return () => {
      clearInterval(this.#timer);
      this.#timer = undefined;
    };
  }

  close(): void {
    this.#unsubscribe();
    clearInterval(this.#idleTimer);
    clearInterval(this.#timer);
  }

  /** Refreshes reports older than a second. Never throws, and takes {@link TIMEOUT_MS} at most. */
  async refresh(): Promise<void> {
    if (performance.now() - this.#askedAtMs >= INTERVAL_MS) await this.ask();
    else await this.#asking;
  }

  ask(): Promise<void> {
    this.#asking ??= this.#askAll().finally(() => {
      this.#asking = undefined;
      this.#askedAtMs = performance.now();
    });
    return this.#asking;
  }

  /** Returns what is known of the targets behind a gateway: the last report if there is no current one. */
  behind({ adminUrl }: LiveTarget): Behind {
    const known = adminUrl === undefined ? undefined : this.#known.get(adminUrl);
    const { report, error = adminUrl === undefined ? 'no adminUrl is configured' : 'not asked yet' } = known ?? {};
    return {
      targets: report?.targets ?? null,
      error,
      toldAt: known?.toldAt ?? null,
    };
  }

  async #askAll(): Promise<void> {
    const urls = new Set(this.#options.targets().flatMap(({ adminUrl }) => adminUrl ?? []));
    for (const url of this.#known.keys()) if (!urls.has(url)) this.#known.delete(url);
    await Promise.all(Array.from(urls, (url) => this.#askOne(url)));
  }

  async #askOne(url: string): Promise<void> {
    const before = this.#known.get(url);
    const known: Known = {
      report: before?.report,
      toldAt: before?.toldAt ?? null,
      error: null,
      lastEventId: before?.lastEventId ?? 0,
    };
    let isTold = false;
    try {
      const { client } = this.#options;
      const report = readRegionReport(await client.getFromGateway(`${url}/api/topology?behind=false`, TIMEOUT_MS));
      known.report = report;
      known.toldAt = new Date().toISOString();
      isTold = true;
      const isRestarted = before?.report !== undefined && before.report.gateway.startedAt !== report.gateway.startedAt;
      if (isRestarted) known.lastEventId = 0;
      // On first contact, copies the past that a page shows.
      const limit = known.lastEventId === 0 ? `&limit=${FIRST_EVENT_COUNT}` : '';
      const path = `/api/events?after=${known.lastEventId}${limit}`;
      const events = readRegionEvents(await client.getFromGateway(`${url}${path}`, TIMEOUT_MS));
      this.#carry(events, report);
      known.lastEventId = events.at(-1)?.id ?? known.lastEventId;
    } catch (error) {
      if (!isTold) known.error = reasonOf(error);
    }
    this.#known.set(url, known);
  }

  #carry(events: readonly RecordedEvent[], { gateway: { name, region } }: RegionReport): void {
    const gateway = formatHop({ name, region: region ?? undefined });
    for (const event of events) if (isItsOwn(event, region)) this.#options.events.carry(event, gateway);
  }
}

/** Events that only this gateway reports: those of its own region, and of itself. */
function isItsOwn(event: RecordedEvent, region: string | null): boolean {
  if (event.gateway !== undefined) return false;
  switch (event.type) {
    case 'health':
    case 'breaker':
    case 'drain':
    case 'weight':
      return event.region === region;
    case 'adoption':
    case 'failover':
    case 'panic':
    // Each gateway follows promotions by itself.
    case 'promotion':
    case 'cluster':
      return false;
    default:
      return true;
  }
}
