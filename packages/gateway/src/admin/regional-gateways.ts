/**
 * What regional gateways tell of their own regions: asked once a second while somebody watches, and when asked for; now and
 * then otherwise, so that what stood behind one that died is known to whoever looks afterwards.
 */

import type { RecordedEvent } from '@causeway/protocol/admin/events.ts';
import type { BehindTarget, System } from '@causeway/protocol/admin/model.ts';
import { formatHop } from '@causeway/protocol/routing.ts';
import type { EventLog } from '../events.ts';
import type { Target as LiveTarget } from '../regions/target.ts';
import { type AdminClient, reasonOf } from './admin-client.ts';
import type { Behind } from './topology.ts';

const INTERVAL_MS = 1_000;
/** While nobody watches. */
const IDLE_INTERVAL_MS = 10_000;
/** Whoever asks for the topology waits no longer than this for a region that is frozen. */
const TIMEOUT_MS = 400;
/** Of a gateway that is asked for the first time, so many events of the past are taken over. */
const FIRST_EVENT_COUNT = 100;

export interface RegionalGatewaysOptions {
  targets: () => readonly LiveTarget[];
  client: AdminClient;
  events: EventLog;
}

interface Known {
  /** As it last told it. */
  system: System | undefined;
  /** When, by this gateway's clock; ISO 8601. */
  toldAt: string | null;
  /** Why it does not tell it now. */
  error: string | null;
  /** Of the gateway's own numbering, which begins anew when it restarts. */
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

  /** Asks each one that comes up, and all of them now and then. */
  start(): void {
    this.#unsubscribe = this.#options.events.subscribe((event) => {
      if (event.type === 'health' && event.to === 'healthy') void this.ask();
    });
    this.#idleTimer = setInterval(() => {
      if (this.#timer === undefined) void this.ask();
    }, IDLE_INTERVAL_MS);
    this.#idleTimer.unref();
  }

  /** Asks from now on, until the returned function is called. */
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

  /** Makes what is known no older than a second. Never throws, and takes {@link TIMEOUT_MS} at most. */
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

  /** What is known of the targets behind one; what it told before where it tells nothing now. */
  behind({ adminUrl }: LiveTarget): Behind {
    const known = adminUrl === undefined ? undefined : this.#known.get(adminUrl);
    const { system, error = adminUrl === undefined ? 'no adminUrl is configured' : 'not asked yet' } = known ?? {};
    return {
      targets: system === undefined ? null : ownTargets(system),
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
      system: before?.system,
      toldAt: before?.toldAt ?? null,
      error: null,
      lastEventId: before?.lastEventId ?? 0,
    };
    let isTold = false;
    try {
      const { client } = this.#options;
      const system = (await client.getFromGateway(`${url}/api/topology?behind=false`, TIMEOUT_MS)) as System;
      known.system = system;
      known.toldAt = new Date().toISOString();
      isTold = true;
      const isRestarted = before?.system !== undefined && before.system.gateway.startedAt !== system.gateway.startedAt;
      if (isRestarted) known.lastEventId = 0;
      // Never seen before: its past is interesting, as far as a page shows it.
      const limit = known.lastEventId === 0 ? `&limit=${FIRST_EVENT_COUNT}` : '';
      const path = `/api/events?after=${known.lastEventId}${limit}`;
      const { events } = (await client.getFromGateway(`${url}${path}`, TIMEOUT_MS)) as { events: RecordedEvent[] };
      this.#carry(events, system);
      known.lastEventId = events.at(-1)?.id ?? known.lastEventId;
    } catch (error) {
      if (!isTold) known.error = reasonOf(error);
    }
    this.#known.set(url, known);
  }

  #carry(events: readonly RecordedEvent[], { gateway: { name, region } }: System): void {
    const gateway = formatHop({ name, region: region ?? undefined });
    for (const event of events) if (isItsOwn(event, region)) this.#options.events.carry(event, gateway);
  }
}

/** The targets of the region in which a gateway stands, without what that knows of others. */
function ownTargets({ regions, gateway }: System): BehindTarget[] {
  const own = regions.filter(({ name, isLocal }) => isLocal || name === gateway.region);
  // One that is older than this gateway does not tell the rates.
  return own.flatMap(({ targets }) =>
    targets.map((target) => ({ ...target, kafkaRates: target.kafkaRates ?? null, behind: null })),
  );
}

/** What nobody else tells: of its own region, and of itself. */
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
      return false;
    default:
      return true;
  }
}
