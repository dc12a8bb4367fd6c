/** Owns the targets and their probes, and publishes a new snapshot after every change. */
import { formatHop, GATEWAY_HEADER, SECRET_HEADER } from '@causeway/protocol/routing.ts';
import { normalizeUrl, serverNameOf } from '../config/load.ts';
import type { GatewayConfig, RegionConfig } from '../config/schema.ts';
import type { EventLog } from '../events.ts';
import type { CreateTransport, Transport } from '../upstream/transport.ts';
import { Failovers } from './failovers.ts';
import type { ProbeResult } from './health.ts';
import { HealthCheck } from './health-check.ts';
import { assertNotLast, Overrides } from './overrides.ts';
import { noteProbe } from './probe-report.ts';
import { panicReason, type Snapshot } from './snapshot.ts';
import { takeSnapshot } from './take-snapshot.ts';
import { Target } from './target.ts';

/** How often deadlines are enforced and successes counted in the breakers, which requests then need not do. */
const SWEEP_INTERVAL_MS = 50;

export interface RegistryOptions {
  events: EventLog;
  createTransport: CreateTransport;
  /** Returns a random number from 0 up to 1. */
  random: () => number;
  /** Milliseconds of the monotonic clock. */
  now: () => number;
}

interface Member {
  target: Target;
  check: Check;
  /** The settings of the check: when they change, the check is replaced. */
  checkKey: string;
}

/** The probes of a target, and their own transport if the target has a health URL. */
interface Check {
  probes: HealthCheck;
  transport: Transport | undefined;
}

export class Registry {
  readonly #events: EventLog;
  readonly #random: () => number;
  readonly #now: () => number;
  readonly #createTransport: CreateTransport;
  readonly #members = new Map<string, Member>();
  /** Targets removed from the config, whose requests in flight may still finish. */
  readonly #retired = new Map<Target, Promise<void>>();
  readonly #overrides = new Overrides();
  readonly #failovers: Failovers;
  #config: GatewayConfig;
  #snapshot: Snapshot;
  #sweepTimer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(config: GatewayConfig, options: RegistryOptions) {
    this.#config = config;
    this.#events = options.events;
    this.#failovers = new Failovers(options.events);
    this.#random = options.random;
    this.#now = options.now;
    this.#createTransport = options.createTransport;
    this.#snapshot = { regions: [], isPanic: false, isWhole: false, settings: config };
  }

  /** The value that the request path reads; a new object after every change. */
  get snapshot(): Snapshot {
    return this.#snapshot;
  }

  get config(): GatewayConfig {
    return this.#config;
  }

  start(): void {
    this.apply(this.#config);
    this.#sweepTimer = setInterval(() => this.#sweep(), SWEEP_INTERVAL_MS);
    this.#sweepTimer.unref();
  }

  /** Applies a config. Targets keep their state by region and URL; removed targets finish their requests. */
  apply(config: GatewayConfig): void {
    if (this.#isClosed) return;
    this.#config = config;
    this.#overrides.clear();
    const wanted = new Set<string>();
    for (const region of config.regions) {
      for (const target of region.targets) {
        const key = memberKey(region.name, target.url);
        wanted.add(key);
        this.#addOrUpdate(key, region, target);
      }
    }
    for (const [key, member] of this.#members) {
      if (wanted.has(key)) continue;
      this.#members.delete(key);
      this.#retire(member);
    }
    this.#publish();
  }

  /**
   * Gives a region no new work and moves its consumers at their next poll, until `undrain` or the next reload. Returns `false`
   * if the region has no weight. Errors: `lastRegion`.
   */
  drain(region: string): boolean {
    const { regions } = this.#snapshot;
    const before = regions.find(({ name }) => name === region);
    if (before === undefined || before.weight === 0) return false;
    assertNotLast(regions, region);
    this.#overrides.drain(region);
    this.#events.emit({ type: 'drain', region, isDrained: true });
    this.#publish();
    return true;
  }

  /** Reverts `drain`. Returns `false` if the region was not drained. */
  undrain(region: string): boolean {
    if (!this.#overrides.undrain(region)) return false;
    this.#events.emit({ type: 'drain', region, isDrained: false });
    this.#publish();
    return true;
  }

  /** Sets the weight of a region until the next reload. Returns whether it changed. Errors: `lastRegion` for 0. */
  setWeight(region: string, weight: number): boolean {
    const config = this.#config.regions.find(({ name }) => name === region);
    if (config === undefined) return false;
    const from = this.#overrides.weightOf(config);
    if (from === weight) return false;
    if (weight === 0) assertNotLast(this.#snapshot.regions, region);
    this.#overrides.setWeight(config, weight);
    this.#events.emit({ type: 'weight', region, from, to: weight });
    this.#publish();
    return true;
  }

  /** Returns the weight of a region, drained or not; `undefined` for an unknown one. */
  weightOf(region: string): number | undefined {
    const config = this.#config.regions.find(({ name }) => name === region);
    return config === undefined ? undefined : this.#overrides.weightOf(config);
  }

  /** Returns all targets of the config. */
  targets(): Target[] {
    return [...this.#members.values()].map((member) => member.target);
  }

  /** Returns the number of requests that left targets declared down, by region, since the start. */
  failoverCounts(): Map<string, number> {
    return new Map(this.#config.regions.map(({ name }) => [name, this.#failovers.countOf(name)]));
  }

  /** Returns the admin address of a region's gateway. */
  adminUrlOf(region: string): string | undefined {
    return this.targets().find((target) => target.region === region && target.adminUrl !== undefined)?.adminUrl;
  }

  /** The target failed a request: restarts its time of stability, and probes it. */
  failed(target: Target): void {
    target.stableSinceMs = this.#now();
    this.probeSoon(target);
  }

  /** Probes a target at once. */
  probeSoon(target: Target): void {
    this.#members.get(memberKey(target.region, target.url))?.check.probes.probeSoon();
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearInterval(this.#sweepTimer);
    const members = [...this.#members.values()];
    this.#members.clear();
    await Promise.all(members.flatMap(({ check, target }) => [endCheck(check), target.close()]));
    await Promise.all(this.#retired.values());
  }

  #sweep(): void {
    const nowMs = this.#now();
    for (const { target } of this.#members.values()) {
      target.breaker.flush();
      target.expire(nowMs);
    }
    for (const target of this.#retired.keys()) target.expire(nowMs);
  }

  #addOrUpdate(key: string, region: RegionConfig, config: RegionConfig['targets'][number]): void {
    const { healthCheck, breaker, upstream, gateway, trust } = this.#config;
    const url = normalizeUrl(config.url);
    const healthUrl = normalizeUrl(config.healthUrl ?? url);
    const serverName = serverNameOf(config, upstream);
    const checkKey = JSON.stringify([healthCheck, gateway, healthUrl, trust.secret, upstream, serverName]);
    const existing = this.#members.get(key);
    if (existing !== undefined) {
      existing.target.adminUrl = config.adminUrl;
      existing.target.configure({ upstream, breaker, serverName });
      if (existing.checkKey === checkKey) return;
      void endCheck(existing.check);
      existing.checkKey = checkKey;
      existing.check = this.#startCheck(existing.target, { url: healthUrl, serverName });
      return;
    }
    const target = new Target({
      region: region.name,
      url,
      settings: { upstream, breaker, serverName },
      createTransport: this.#createTransport,
      now: this.#now,
      onBreakerChange: (from, to, reason) => {
        this.#events.emit({ type: 'breaker', region: region.name, target: url, from, to, reason });
        this.#publish();
      },
    });
    target.adminUrl = config.adminUrl;
    this.#members.set(key, { target, check: this.#startCheck(target, { url: healthUrl, serverName }), checkKey });
  }

  #startCheck(target: Target, { url, serverName }: { url: string; serverName: string | undefined }): Check {
    const { healthCheck, gateway, trust, upstream } = this.#config;
    const transport =
      url === target.url
        ? undefined
        : this.#createTransport({
            url,
            serverName,
            connectTimeoutMs: healthCheck.timeoutMs,
            keepAliveMs: upstream.keepAliveMs,
            maxAgeMs: upstream.maxConnectionAgeMs,
            now: this.#now,
          });
    const probes = new HealthCheck({
      transport: () => transport ?? target.transport,
      path: healthCheck.path,
      intervalMs: healthCheck.intervalMs,
      timeoutMs: healthCheck.timeoutMs,
      // A regional gateway reports the health of its own region to other gateways, not that of the whole system.
      headers: [
        'user-agent',
        'causeway-health-check',
        GATEWAY_HEADER,
        formatHop({ region: gateway.region, name: gateway.name }),
        ...(trust.secret ? [SECRET_HEADER, trust.secret] : []),
      ],
      random: this.#random,
      now: this.#now,
      onResult: (result, durationMs) => {
        target.probeDurations.observe(durationMs);
        this.#onProbe(target, result);
      },
    });
    probes.start();
    return { probes, transport };
  }

  #onProbe(target: Target, result: ProbeResult): void {
    const { rise, fall } = this.#config.healthCheck;
    const { before, isFlip, isOfKafka } = noteProbe(target, result, { rise, fall, nowMs: this.#now() });
    if (!isFlip) {
      // Requests that wait for Kafka move as soon as it is known to respond elsewhere.
      if (isOfKafka) this.#failovers.failOver(target);
      return;
    }
    const { region, url, health } = target;
    this.#events.emit({
      type: 'health',
      region,
      target: url,
      from: before.status,
      to: health.status,
      reason: health.reason,
    });
    if (before.status === 'unhealthy') target.renewConnections();
    this.#publish();
    if (health.status === 'unhealthy') this.#failovers.failOver(target);
  }

  #publish(): void {
    if (this.#isClosed) return;
    const config = this.#config;
    const { isPanic: wasPanic } = this.#snapshot;
    this.#snapshot = takeSnapshot(config, this.#overrides, ({ name, targets }) =>
      targets.flatMap(({ url }) => this.#members.get(memberKey(name, url))?.target ?? []),
    );
    const { isPanic } = this.#snapshot;
    // At the start no target is probed yet, which is not an event.
    const isProbed = this.targets().every((target) => target.health.status !== 'unknown');
    if (isPanic !== wasPanic && isProbed) {
      this.#events.emit({
        type: 'panic',
        isPanic,
        reason: panicReason(this.#snapshot, config.healthCheck.panicPercent),
      });
    }
  }

  #retire({ check, target }: Member): void {
    void endCheck(check);
    const done = target.drain().finally(() => this.#retired.delete(target));
    this.#retired.set(target, done);
  }
}

async function endCheck({ probes, transport }: Check): Promise<void> {
  probes.close();
  await transport?.destroy();
}

function memberKey(region: string, url: string): string {
  return `${region} ${normalizeUrl(url)}`;
}
