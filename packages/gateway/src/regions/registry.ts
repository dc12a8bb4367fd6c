/** Decides what the targets are and which regions get work, and publishes a new snapshot after every change. */
import { acceptsClients } from '../clusters/cluster-view.ts';
import type { Clusters } from '../clusters/clusters.ts';
import type { GatewayConfig } from '../config/schema.ts';
import type { Discovery } from '../discovery/discovery.ts';
import type { EventLog } from '../events.ts';
import type { CreateTransport } from '../upstream/transport.ts';
import { describeDiscoveries } from './discoveries.ts';
import { Failovers } from './failovers.ts';
import type { ProbeResult } from './health.ts';
import { Members } from './members.ts';
import { assertNotLast, Overrides } from './overrides.ts';
import { noteProbe } from './probe-report.ts';
import { panicReason, type Snapshot } from './snapshot.ts';
import { takeSnapshot } from './take-snapshot.ts';
import type { Target } from './target.ts';

/** How often deadlines are enforced and successes counted in the breakers, which requests then need not do. */
const SWEEP_INTERVAL_MS = 50;

export interface RegistryOptions {
  events: EventLog;
  clusters: Clusters;
  discovery: Discovery;
  createTransport: CreateTransport;
  /** Returns a random number from 0 up to 1. */
  random: () => number;
  /** Milliseconds of the monotonic clock. */
  now: () => number;
}

export class Registry {
  readonly #events: EventLog;
  readonly #clusters: Clusters;
  readonly #discovery: Discovery;
  readonly #now: () => number;
  readonly #members: Members;
  readonly #overrides = new Overrides();
  readonly #failovers: Failovers;
  #config: GatewayConfig;
  #snapshot: Snapshot;
  #sweepTimer: NodeJS.Timeout | undefined;
  #settleTimer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(config: GatewayConfig, options: RegistryOptions) {
    this.#config = config;
    this.#events = options.events;
    this.#clusters = options.clusters;
    this.#clusters.onChange(() => this.#onClustersChange());
    this.#discovery = options.discovery;
    this.#discovery.onChange(() => this.#reconcile());
    this.#failovers = new Failovers(options.events);
    this.#now = options.now;
    this.#members = new Members({
      ...options,
      promotion: () => this.#clusters.header,
      onProbe: (target, result, begunMs) => this.#onProbe(target, result, begunMs),
      onBreakerChange: ({ region, url: target }, from, to, reason) => {
        this.#events.emit({ type: 'breaker', region, target, from, to, reason });
        this.#publish();
      },
    });
    this.#snapshot = { regions: [], isPanic: false, isWhole: false, clusters: undefined, settings: config };
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
    const { healthCheck, discovery } = this.#config;
    const waitMs = healthCheck.timeoutMs + (this.#discovery.names.length > 0 ? discovery.timeoutMs : 0);
    this.#settleTimer = setTimeout(() => this.#clusters.settle(), waitMs);
    this.#settleTimer.unref();
  }

  /** Applies a config. Targets keep their state by region and URL; removed targets finish their requests. */
  apply(config: GatewayConfig): void {
    if (this.#isClosed) return;
    this.#config = config;
    this.#overrides.clear();
    this.#clusters.configure(config.clusters);
    this.#discovery.configure(config);
    this.#members.hold();
    this.#reconcile();
  }

  /**
   * Gives a region no new work and moves its consumers at their next poll, until `undrain` or the next reload. Returns `false`
   * if the region has no weight. Errors: `lastRegion`.
   */
  drain(region: string): boolean {
    const { regions } = this.#snapshot;
    const before = regions.find(({ name }) => name === region);
    if (before === undefined || before.usableWeight === 0) return false;
    if (!before.standsBy) assertNotLast(regions, region);
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
    if (weight === 0 && !this.#clusters.standsBy(region)) assertNotLast(this.#snapshot.regions, region);
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
    return this.#members.targets;
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
    const target = this.#members.at(origin);
    return target === undefined ? this.#config.upstream.tls.serverName : target.serverName;
  }

  /** The target failed a request: restarts its time of stability, and probes it. */
  failed(target: Target): void {
    target.stableSinceMs = this.#now();
    this.probeSoon(target);
    this.#refreshSoon(target);
  }

  /** Probes a target at once. */
  probeSoon(target: Target): void {
    this.#members.probeSoon(target);
  }

  get promotion(): string | undefined {
    return this.#clusters.header;
  }

  /** Another gateway, or a bridge that refused a request, named this promotion: the value of `causeway-promotion`. */
  heardOfPromotion(text: string | undefined, from: string): void {
    this.#clusters.learnText(text, () => `${from} reports it`);
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearInterval(this.#sweepTimer);
    clearTimeout(this.#settleTimer);
    await this.#members.close();
  }

  /** Makes the targets those that the configuration and DNS want. */
  #reconcile(): void {
    if (this.#isClosed) return;
    const before = this.#members.wanted;
    this.#members.reconcile(this.#config);
    this.#publish();
    for (const event of describeDiscoveries(before, this.#members.wanted)) this.#events.emit(event);
  }

  /** A target that fails may be gone, and another one in its place. */
  #refreshSoon({ discoveredBy }: Target): void {
    if (discoveredBy !== undefined) this.#discovery.refreshSoon(discoveredBy);
  }

  /** Enforces deadlines, and counts successes in the breakers. Bridges of clusters are asked often while requests wait for one. */
  #sweep(): void {
    this.#members.sweep();
    this.#clusters.waits.expire(this.#now());
    const awaited = this.#snapshot.clusters?.awaited;
    if (awaited === undefined || awaited === 'firstProbes') return;
    for (const target of this.targets()) this.probeSoon(target);
  }

  #onClustersChange(): void {
    this.#publish();
    // Requests in flight at a cluster that was lost move to the promoted one.
    const { regions } = this.#snapshot;
    const lost = regions.flatMap(({ standsBy, targets }) => (standsBy ? targets : [])).filter((one) => !one.isServing);
    for (const target of lost) this.#failovers.failOver(target);
  }

  #onProbe(target: Target, result: ProbeResult, begunMs: number): void {
    const modeBefore = target.cluster?.mode;
    this.#noteResult(target, result);
    const { clusters } = result;
    this.#clusters.learn(clusters?.promotion, `region ${target.region} reports it`);
    if (!this.#clusters.isSettled && this.#isAllProbed()) this.#clusters.settle();
    if (this.#snapshot.clusters === undefined) return;
    if (target.cluster?.mode !== modeBefore) this.#publish();
    const cluster = this.#clusters.clusterOf(target.region);
    if (cluster !== undefined && result.isGood && acceptsClients(target.cluster?.mode)) {
      this.#clusters.waits.onProof({ cluster, begunMs }, this.#snapshot.clusters);
    }
  }

  #isAllProbed(): boolean {
    return this.#snapshot.regions.every(
      ({ targets }) => targets.length > 0 && targets.every(({ health }) => health.status !== 'unknown'),
    );
  }

  #noteResult(target: Target, result: ProbeResult): void {
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
    const targets = this.targets();
    this.#snapshot = takeSnapshot(config, {
      overrides: this.#overrides,
      clusters: this.#clusters,
      targetsOf: ({ name }) => targets.filter(({ region }) => region === name),
    });
    this.#clusters.waits.onView(this.#snapshot.clusters);
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
}
