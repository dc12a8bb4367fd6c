/** Owns the targets and their probes, and publishes a new snapshot whenever anything about them changes. */
import { formatHop, GATEWAY_HEADER, SECRET_HEADER } from '@causeway/protocol/routing.ts';
import { normalizeUrl } from '../config/load.ts';
import type { GatewayConfig, RegionConfig } from '../config/schema.ts';
import { GatewayError } from '../errors.ts';
import type { EventLog } from '../events.ts';
import { canRegionServe, isWhole } from './belonging.ts';
import { judge, type KafkaTold, type ProbeResult } from './health.ts';
import { HealthCheck } from './health-check.ts';
import { heardOfKafka } from './kafka-outage.ts';
import { isPanic, panicReason, type RegionSnapshot, type Snapshot } from './snapshot.ts';
import { Target } from './target.ts';

/** How often time limits are looked at, and successes carried over to the breakers: what requests then need not do. */
const SWEEP_INTERVAL_MS = 50;

interface Member {
  target: Target;
  check: HealthCheck;
  /** What the check was made with: another setting makes another check. */
  checkKey: string;
}

export class Registry {
  readonly #events: EventLog;
  readonly #random: () => number;
  readonly #now: () => number;
  readonly #members = new Map<string, Member>();
  /** Removed from the config, with requests that may still finish. */
  readonly #retired = new Map<Target, Promise<void>>();
  /** Regions that an operator drains, until the next reload. */
  readonly #drained = new Set<string>();
  /** Requests that left targets that went down, by region, since the start. */
  readonly #failoverCounts = new Map<string, number>();
  /** Weights that an operator set, until the next reload. */
  readonly #weights = new Map<string, number>();
  #config: GatewayConfig;
  #snapshot: Snapshot;
  #sweepTimer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(config: GatewayConfig, options: { events: EventLog; random: () => number; now: () => number }) {
    this.#config = config;
    this.#events = options.events;
    this.#random = options.random;
    this.#now = options.now;
    this.#snapshot = { regions: [], isPanic: false, isWhole: false, settings: config };
  }

  /** What the request path reads; a new object after every change. */
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

  /** Takes over a config: targets stay what they are by region and URL, removed ones finish what they have. */
  apply(config: GatewayConfig): void {
    if (this.#isClosed) return;
    this.#config = config;
    this.#drained.clear();
    this.#weights.clear();
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
   * Gives a region no new work, and lets its consumers move at their next poll; until `undrain` or the next reload.
   * `false`: it has no weight anyway. Errors: `lastRegion`, also where no other can serve now.
   */
  drain(region: string): boolean {
    const before = this.#snapshot.regions.find(({ name }) => name === region);
    if (before === undefined || before.weight === 0) return false;
    this.#assertNotLast(region);
    this.#drained.add(region);
    this.#events.emit({ type: 'drain', region, isDrained: true });
    this.#publish();
    return true;
  }

  /** Takes `drain` back; `false`: the region was not drained. */
  undrain(region: string): boolean {
    if (!this.#drained.delete(region)) return false;
    this.#events.emit({ type: 'drain', region, isDrained: false });
    this.#publish();
    return true;
  }

  /** Gives a region another weight, until the next reload. Whether it is another. Errors: `lastRegion` for 0. */
  setWeight(region: string, weight: number): boolean {
    const before = this.#config.regions.find(({ name }) => name === region);
    if (before === undefined) return false;
    const from = this.#weights.get(region) ?? before.weight;
    if (from === weight) return false;
    if (weight === 0) this.#assertNotLast(region);
    if (weight === before.weight) this.#weights.delete(region);
    else this.#weights.set(region, weight);
    this.#events.emit({ type: 'weight', region, from, to: weight });
    this.#publish();
    return true;
  }

  /** Every target, as they are in the config. */
  targets(): Target[] {
    return [...this.#members.values()].map((member) => member.target);
  }

  /** How many requests in flight left targets that were declared down, of each region, since the start. */
  failoverCounts(): Map<string, number> {
    return new Map(this.#config.regions.map(({ name }) => [name, this.#failoverCounts.get(name) ?? 0]));
  }

  /** Where a region's gateway answers operators. */
  adminUrlOf(region: string): string | undefined {
    return this.targets().find((target) => target.region === region && target.adminUrl !== undefined)?.adminUrl;
  }

  /** A target failed real traffic: looks at once, instead of at the next interval. */
  suspect(target: Target): void {
    target.wellSinceMs = this.#now();
    this.probeSoon(target);
  }

  /** Looks at once, without holding anything against the target. */
  probeSoon(target: Target): void {
    this.#members.get(memberKey(target.region, target.url))?.check.probeSoon();
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

  #addOrUpdate(key: string, region: RegionConfig, config: RegionConfig['targets'][number]): void {
    const { healthCheck, breaker, upstream, gateway, trust } = this.#config;
    const url = normalizeUrl(config.url);
    const healthUrl = normalizeUrl(config.healthUrl ?? url);
    const checkKey = JSON.stringify([healthCheck, gateway, healthUrl, trust.secret]);
    const existing = this.#members.get(key);
    if (existing !== undefined) {
      existing.target.adminUrl = config.adminUrl;
      existing.target.configure({ upstream, breaker });
      if (existing.checkKey === checkKey) return;
      void existing.check.close();
      existing.checkKey = checkKey;
      existing.check = this.#startCheck(existing.target, healthUrl);
      return;
    }
    const target = new Target({
      region: region.name,
      url,
      settings: { upstream, breaker },
      now: this.#now,
      onBreakerChange: (from, to, reason) => {
        this.#events.emit({ type: 'breaker', region: region.name, target: url, from, to, reason });
        this.#publish();
      },
    });
    target.adminUrl = config.adminUrl;
    this.#members.set(key, { target, check: this.#startCheck(target, healthUrl), checkKey });
  }

  #startCheck(target: Target, url: string): HealthCheck {
    const { healthCheck, gateway, trust } = this.#config;
    const check = new HealthCheck({
      url,
      path: healthCheck.path,
      intervalMs: healthCheck.intervalMs,
      timeoutMs: healthCheck.timeoutMs,
      // A regional gateway answers a peer for its own region: another region's health is not its own.
      headers: {
        'user-agent': 'causeway-health-check',
        [GATEWAY_HEADER]: formatHop({ region: gateway.region, name: gateway.name }),
        ...(trust.secret ? { [SECRET_HEADER]: trust.secret } : {}),
      },
      random: this.#random,
      now: this.#now,
      onResult: (result, durationMs) => {
        target.probeDurations.observe(durationMs);
        this.#onProbe(target, result);
      },
    });
    check.start();
    return check;
  }

  #onProbe(target: Target, result: ProbeResult): void {
    if (result.isGood) {
      target.probeCounts.good += 1;
      target.bridge = result.bridge;
    } else {
      target.probeCounts.failed += 1;
      target.bridge ??= result.bridge;
    }
    const wasWithoutKafka = target.isWithoutKafka;
    noteKafka(target, result.kafka);
    const before = target.health;
    target.health = judge(before, result, this.#config.healthCheck);
    if (target.health.status === before.status) {
      // Requests that wait for Kafka move as soon as it is known to answer elsewhere.
      if (before.status === 'unhealthy' && (target.isWithoutKafka || wasWithoutKafka)) this.#failOver(target);
      return;
    }
    target.healthSince = new Date();
    target.wellSinceMs = this.#now();
    this.#events.emit({
      type: 'health',
      region: target.region,
      target: target.url,
      from: before.status,
      to: target.health.status,
      reason: target.health.reason,
    });
    if (before.status === 'unhealthy') target.renewConnections();
    this.#publish();
    if (target.health.status === 'unhealthy') this.#failOver(target);
  }

  /** Requests in flight on a target that is down do not wait for their time limits, where they may go elsewhere. */
  #failOver(target: Target): void {
    let requestCount = 0;
    for (const request of target.inFlight.toArray()) {
      if (request.targetDeclaredDown(target.health.publicReason, target.isWithoutKafka)) requestCount += 1;
    }
    if (requestCount === 0) return;
    const { region, url } = target;
    this.#failoverCounts.set(region, (this.#failoverCounts.get(region) ?? 0) + requestCount);
    this.#events.emit({ type: 'failover', region, target: url, requestCount, reason: target.health.reason });
  }

  #assertNotLast(region: string): void {
    const { regions } = this.#snapshot;
    const others = regions.filter(({ name, weight }) => name !== region && weight > 0);
    if (others.length === 0) {
      throw new GatewayError('lastRegion', `Region ${region} is the last one with weight: nobody could take its work.`);
    }
    const itself = regions.find(({ name }) => name === region);
    if (itself !== undefined && canRegionServe(itself) && !others.some(canRegionServe)) {
      throw new GatewayError(
        'lastRegion',
        `Region ${region} is the only one that can serve: nobody could take its work.`,
      );
    }
  }

  #publish(): void {
    if (this.#isClosed) return;
    const config = this.#config;
    const regions: RegionSnapshot[] = config.regions.map((region) => ({
      name: region.name,
      weight: this.#drained.has(region.name) ? 0 : (this.#weights.get(region.name) ?? region.weight),
      configuredWeight: region.weight,
      weightIsOverridden: this.#weights.has(region.name),
      priority: region.priority,
      isDrained: this.#drained.has(region.name),
      isLocal: region.name === config.gateway.region,
      targets: region.targets.flatMap(({ url }) => {
        const member = this.#members.get(memberKey(region.name, url));
        return member === undefined ? [] : [member.target];
      }),
    }));
    const wasPanic = this.#snapshot.isPanic;
    const panic = isPanic(regions, config.healthCheck.panicPercent);
    this.#snapshot = Object.freeze({ regions, isPanic: panic, isWhole: isWhole(regions), settings: config });
    // At the start nothing is probed yet: that is no event.
    const isProbed = this.targets().every((target) => target.health.status !== 'unknown');
    if (panic !== wasPanic && isProbed) {
      this.#events.emit({
        type: 'panic',
        isPanic: panic,
        reason: panicReason(this.#snapshot, config.healthCheck.panicPercent),
      });
    }
  }

  #retire({ check, target }: Member): void {
    void check.close();
    const done = target.drain().finally(() => this.#retired.delete(target));
    this.#retired.set(target, done);
  }
}

/** A target that cannot be asked says nothing; which Kafka it has stays known. */
function noteKafka(target: Target, told: KafkaTold | undefined): void {
  if (told === undefined) {
    target.kafka = undefined;
    return;
  }
  const { kafka } = target;
  const { cluster, answeredMs } = told;
  target.kafkaContact = heardOfKafka(target.kafkaContact, { cluster, answeredMs });
  const isSame = kafka?.state === told.state;
  target.kafka = { ...told, ...(isSame ? { since: kafka.since, reason: kafka.reason } : { since: new Date() }) };
}

function memberKey(region: string, url: string): string {
  return `${region} ${normalizeUrl(url)}`;
}
