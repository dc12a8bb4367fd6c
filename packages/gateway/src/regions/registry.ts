/** Owns the targets and their probes, and publishes a new snapshot after every change. */
import type { GatewayConfig } from '../config/schema.ts';
import { normalizeUrl } from '../config/targets.ts';
import type { Discovery } from '../discovery/discovery.ts';
import type { EventLog } from '../events.ts';
import type { CreateTransport } from '../upstream/transport.ts';
import { Check, checkKeyOf } from './check.ts';
import { describeDiscoveries } from './discoveries.ts';
import { Failovers } from './failovers.ts';
import type { ProbeResult } from './health.ts';
import { assertNotLast, Overrides } from './overrides.ts';
import { noteProbe } from './probe-report.ts';
import { panicReason, type Snapshot } from './snapshot.ts';
import { takeSnapshot } from './take-snapshot.ts';
import { Target } from './target.ts';
import { keyOfTarget, type WantedTarget, wantedTargets } from './wanted-targets.ts';

/** How often deadlines are enforced and successes counted in the breakers, which requests then need not do. */
const SWEEP_INTERVAL_MS = 50;

export interface RegistryOptions {
  events: EventLog;
  discovery: Discovery;
  createTransport: CreateTransport;
  /** Returns a random number from 0 up to 1. */
  random: () => number;
  /** Milliseconds of the monotonic clock. */
  now: () => number;
}

interface Member {
  target: Target;
  wanted: WantedTarget;
  check: Check;
  checkKey: string;
}

export class Registry {
  readonly #events: EventLog;
  readonly #discovery: Discovery;
  readonly #random: () => number;
  readonly #now: () => number;
  readonly #createTransport: CreateTransport;
  readonly #members = new Map<string, Member>();
  /** Targets of the config before, while a name of their region that is new in the config has no addresses yet. */
  readonly #held = new Set<string>();
  /** Targets that are not wanted any more, whose requests in flight may still finish. */
  readonly #retired = new Map<Target, Promise<void>>();
  readonly #overrides = new Overrides();
  readonly #failovers: Failovers;
  #config: GatewayConfig;
  #wanted: readonly WantedTarget[] = [];
  #snapshot: Snapshot;
  #sweepTimer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(config: GatewayConfig, options: RegistryOptions) {
    this.#config = config;
    this.#events = options.events;
    this.#discovery = options.discovery;
    this.#discovery.onChange(() => this.#reconcile());
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
    this.#discovery.configure(config);
    for (const key of this.#members.keys()) this.#held.add(key);
    this.#reconcile();
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

  /** Returns all targets: those of the config, and those that DNS gives for its names. */
  targets(): Target[] {
    return [...this.#members.values()].map((member) => member.target);
  }

  /** Returns the number of requests that left targets declared down, by region, since the start. */
  failoverCounts(): Map<string, number> {
    return new Map(this.#config.regions.map(({ name }) => [name, this.#failovers.countOf(name)]));
  }

  /** Returns the admin address of a region's gateway. */
  adminUrlOf(region: string): string | undefined {
    const gateways = this.targets().filter((target) => target.region === region && target.adminUrl !== undefined);
    return (gateways.find(({ isServing }) => isServing) ?? gateways[0])?.adminUrl;
  }

  /** Returns the name that the certificate at an origin must have, by the target with this origin; `undefined`: its host. */
  serverNameAt(origin: string): string | undefined {
    const at = [...this.#members.values()].find(({ wanted: { url, healthUrl, adminUrl } }) =>
      [url, healthUrl, ...(adminUrl === undefined ? [] : [normalizeUrl(adminUrl)])].includes(origin),
    );
    return at === undefined ? this.#config.upstream.tls.serverName : at.wanted.serverName;
  }

  /** The target failed a request: restarts its time of stability, and probes it. */
  failed(target: Target): void {
    target.stableSinceMs = this.#now();
    this.probeSoon(target);
    this.#refreshSoon(target);
  }

  /** Probes a target at once. */
  probeSoon(target: Target): void {
    this.#members.get(keyOfTarget(target))?.check.probeSoon();
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearInterval(this.#sweepTimer);
    const members = [...this.#members.values()];
    this.#members.clear();
    await Promise.all(members.flatMap(({ check, target }) => [check.close(), target.close()]));
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

  /** Makes the targets those that the configuration and DNS want. */
  #reconcile(): void {
    if (this.#isClosed) return;
    const wanted = wantedTargets(this.#config, (target) => this.#discovery.watchOf(target)?.endpoints ?? []);
    const before = [...this.#members.values()].map((member) => member.wanted);
    const keys = new Set(wanted.map(keyOfTarget));
    for (const one of wanted) this.#addOrUpdate(one);
    this.#release(keys);
    for (const [key, member] of this.#members) {
      if (keys.has(key) || this.#held.has(key)) continue;
      this.#members.delete(key);
      this.#retire(member);
    }
    this.#wanted = wanted;
    this.#publish();
    const after = [...this.#members.values()].map((member) => member.wanted);
    for (const event of describeDiscoveries(before, after)) this.#events.emit(event);
  }

  /** Gives up held targets that are wanted, and those of regions where each name has had addresses. */
  #release(wanted: ReadonlySet<string>): void {
    const waiting = this.#config.regions.filter(({ targets }) =>
      targets.some((target) => this.#discovery.watchOf(target)?.isKnown === false),
    );
    for (const key of this.#held) {
      const region = this.#members.get(key)?.target.region;
      if (wanted.has(key) || !waiting.some(({ name }) => name === region)) this.#held.delete(key);
    }
  }

  #addOrUpdate(wanted: WantedTarget): void {
    const { breaker, upstream } = this.#config;
    const { region, url, serverName, adminUrl, discoveredBy } = wanted;
    const checkKey = checkKeyOf(wanted, this.#config);
    const existing = this.#members.get(keyOfTarget(wanted));
    if (existing !== undefined) {
      const { target } = existing;
      existing.wanted = wanted;
      target.adminUrl = adminUrl;
      target.discoveredBy = discoveredBy;
      target.configure({ upstream, breaker, serverName });
      if (existing.checkKey === checkKey) return;
      void existing.check.close();
      existing.checkKey = checkKey;
      existing.check = this.#startCheck(target, wanted);
      return;
    }
    const target = new Target({
      region,
      url,
      settings: { upstream, breaker, serverName },
      createTransport: this.#createTransport,
      now: this.#now,
      onBreakerChange: (from, to, reason) => {
        this.#events.emit({ type: 'breaker', region, target: url, from, to, reason });
        this.#publish();
      },
    });
    target.adminUrl = adminUrl;
    target.discoveredBy = discoveredBy;
    const member = { target, wanted, check: this.#startCheck(target, wanted), checkKey };
    this.#members.set(keyOfTarget(wanted), member);
  }

  #startCheck(target: Target, wanted: WantedTarget): Check {
    return new Check({
      target,
      wanted,
      settings: this.#config,
      createTransport: this.#createTransport,
      random: this.#random,
      now: this.#now,
      onProbe: (result) => this.#onProbe(target, result),
    });
  }

  /** A target that fails may be gone, and another one in its place. */
  #refreshSoon({ discoveredBy }: Target): void {
    if (discoveredBy !== undefined) this.#discovery.refreshSoon(discoveredBy);
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
    if (health.status === 'unhealthy') {
      this.#failovers.failOver(target);
      this.#refreshSoon(target);
    }
  }

  #publish(): void {
    if (this.#isClosed) return;
    const config = this.#config;
    const { isPanic: wasPanic } = this.#snapshot;
    const inOrder = new Set([...this.#wanted.map(keyOfTarget), ...this.#held]);
    const targets = [...inOrder].flatMap((key) => this.#members.get(key)?.target ?? []);
    this.#snapshot = takeSnapshot(config, this.#overrides, ({ name }) =>
      targets.filter(({ region }) => region === name),
    );
    const { isPanic } = this.#snapshot;
    // At the start no target is probed yet, which is not an event.
    const isProbed = targets.every(({ health, isNewcomer }) => isNewcomer || health.status !== 'unknown');
    if (isPanic !== wasPanic && isProbed) {
      this.#events.emit({
        type: 'panic',
        isPanic,
        reason: panicReason(this.#snapshot, config.healthCheck.panicPercent),
      });
    }
  }

  #retire({ check, target }: Member): void {
    void check.close();
    const done = target.retire().finally(() => this.#retired.delete(target));
    this.#retired.set(target, done);
  }
}
