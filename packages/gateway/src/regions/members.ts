/** Owns the targets and their probes: those that the configuration and DNS want, and those that finish what they have. */
import type { GatewayConfig } from '../config/schema.ts';
import { normalizeUrl } from '../config/targets.ts';
import type { Discovery } from '../discovery/discovery.ts';
import type { CreateTransport } from '../upstream/transport.ts';
import { Check, checkKeyOf } from './check.ts';
import type { ProbeResult } from './health.ts';
import { Target, type TargetOptions } from './target.ts';
import { keyOfTarget, type WantedTarget, wantedTargets } from './wanted-targets.ts';

export interface MembersOptions {
  readonly discovery: Discovery;
  readonly createTransport: CreateTransport;
  /** Returns a random number from 0 up to 1. */
  readonly random: () => number;
  /** Milliseconds of the monotonic clock. */
  readonly now: () => number;
  /** The value of `causeway-promotion` in probes; `undefined`: no promotion is known. */
  readonly promotion: () => string | undefined;
  /** `begunMs`: when the probe was sent. */
  readonly onProbe: (target: Target, result: ProbeResult, begunMs: number) => void;
  readonly onBreakerChange: (
    target: Pick<Target, 'region' | 'url'>,
    ...change: Parameters<TargetOptions['onBreakerChange']>
  ) => void;
}

interface Member {
  target: Target;
  wanted: WantedTarget;
  check: Check;
  checkKey: string;
}

export class Members {
  readonly #options: MembersOptions;
  readonly #members = new Map<string, Member>();
  /** Targets of the config before, while a name of their region that is new in the config has no addresses yet. */
  readonly #held = new Set<string>();
  /** Targets that are not wanted any more, whose requests in flight may still finish. */
  readonly #retired = new Map<Target, Promise<void>>();
  #order: readonly string[] = [];

  constructor(options: MembersOptions) {
    this.#options = options;
  }

  /** In the order of the config. */
  get targets(): Target[] {
    return this.#order.flatMap((key) => this.#members.get(key)?.target ?? []);
  }

  /** What is known of each of them. */
  get wanted(): WantedTarget[] {
    return [...this.#members.values()].map(({ wanted }) => wanted);
  }

  /** Keeps the targets of a region through the next {@link reconcile} until each name of the region has had addresses. */
  hold(): void {
    for (const key of this.#members.keys()) this.#held.add(key);
  }

  /** Makes the targets those that the configuration and DNS want. Targets keep their state by region and URL. */
  reconcile(config: GatewayConfig): void {
    const { discovery } = this.#options;
    const wanted = wantedTargets(config, (target) => discovery.watchOf(target)?.endpoints ?? []);
    const keys = new Set(wanted.map(keyOfTarget));
    for (const one of wanted) this.#addOrUpdate(one, config);
    this.#release(keys, config);
    for (const [key, member] of this.#members) {
      if (keys.has(key) || this.#held.has(key)) continue;
      this.#members.delete(key);
      this.#retire(member);
    }
    this.#order = [...keys, ...this.#held];
  }

  /** The target with this origin in one of its addresses. */
  at(origin: string): WantedTarget | undefined {
    return this.wanted.find(({ url, healthUrl, adminUrl }) =>
      [url, healthUrl, ...(adminUrl === undefined ? [] : [normalizeUrl(adminUrl)])].includes(origin),
    );
  }

  /** Probes a target at once. */
  probeSoon(target: Target): void {
    this.#members.get(keyOfTarget(target))?.check.probeSoon();
  }

  /** Enforces deadlines, and counts successes in the breakers. */
  sweep(): void {
    const nowMs = this.#options.now();
    for (const { target } of this.#members.values()) {
      target.breaker.flush();
      target.expire(nowMs);
    }
    for (const target of this.#retired.keys()) target.expire(nowMs);
  }

  async close(): Promise<void> {
    const members = [...this.#members.values()];
    this.#members.clear();
    await Promise.all(members.flatMap(({ check, target }) => [check.close(), target.close()]));
    await Promise.all(this.#retired.values());
  }

  /** Gives up held targets that are wanted, and those of regions where each name has had addresses. */
  #release(wanted: ReadonlySet<string>, { regions }: GatewayConfig): void {
    const { discovery } = this.#options;
    const waiting = regions.filter(({ targets }) =>
      targets.some((target) => discovery.watchOf(target)?.isKnown === false),
    );
    for (const key of this.#held) {
      const region = this.#members.get(key)?.target.region;
      if (wanted.has(key) || !waiting.some(({ name }) => name === region)) this.#held.delete(key);
    }
  }

  #addOrUpdate(wanted: WantedTarget, config: GatewayConfig): void {
    const { breaker, upstream } = config;
    const { region, url, serverName, adminUrl, discoveredBy } = wanted;
    const checkKey = checkKeyOf(wanted, config);
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
      existing.check = this.#startCheck(target, wanted, config);
      return;
    }
    const target = new Target({
      region,
      url,
      settings: { upstream, breaker, serverName },
      createTransport: this.#options.createTransport,
      now: this.#options.now,
      onBreakerChange: (...change) => this.#options.onBreakerChange({ region, url }, ...change),
    });
    target.adminUrl = adminUrl;
    target.discoveredBy = discoveredBy;
    const member = { target, wanted, check: this.#startCheck(target, wanted, config), checkKey };
    this.#members.set(keyOfTarget(wanted), member);
  }

  #startCheck(target: Target, wanted: WantedTarget, settings: GatewayConfig): Check {
    const { createTransport, random, now, promotion, onProbe } = this.#options;
    return new Check({
      target,
      wanted,
      settings,
      createTransport,
      random,
      now,
      promotion,
      onProbe: (result, begunMs) => onProbe(target, result, begunMs),
    });
  }

  #retire({ check, target }: Member): void {
    void check.close();
    const done = target.retire().finally(() => this.#retired.delete(target));
    this.#retired.set(target, done);
  }
}
