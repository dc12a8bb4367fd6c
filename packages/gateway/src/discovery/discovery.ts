/** The names that the configuration has in place of addresses, and the endpoints that DNS gives for them. */
import { isDeepStrictEqual } from 'node:util';
import type { GatewayConfig, TargetConfig } from '../config/schema.ts';
import type { EventLog } from '../events.ts';
import type { Query } from './dns-client.ts';
import type { NameProblem } from './name-state.ts';
import { NameWatch } from './name-watch.ts';

export interface DiscoveryOptions {
  readonly events: EventLog;
  /** Returns a random number from 0 up to 1. */
  readonly random: () => number;
  /** Milliseconds of the monotonic clock. */
  readonly now: () => number;
  /** Default: that of the system. */
  readonly resolvConf?: string | undefined;
}

type DnsTarget = Pick<TargetConfig, 'dns' | 'port'>;

export class Discovery {
  readonly #options: DiscoveryOptions;
  readonly #watches = new Map<string, NameWatch>();
  #config: GatewayConfig;
  #onChange: () => void = () => {};

  constructor(config: GatewayConfig, options: DiscoveryOptions) {
    this.#config = config;
    this.#options = options;
  }

  /** Calls `listener` after every answer that changes endpoints, until `close`. */
  onChange(listener: () => void): void {
    this.#onChange = listener;
  }

  /** Watches the names of the configuration, and forgets others. */
  configure(config: GatewayConfig): void {
    const before = this.#config.discovery;
    this.#config = config;
    const wanted = new Map(config.regions.flatMap(({ targets }) => targets.flatMap(queryEntry)));
    for (const [key, watch] of this.#watches) {
      if (wanted.has(key)) continue;
      this.#watches.delete(key);
      watch.close();
    }
    if (!isDeepStrictEqual(before, config.discovery)) for (const watch of this.#watches.values()) watch.refreshSoon();
    for (const [key, query] of wanted) {
      if (!this.#watches.has(key)) this.#watch(key, query);
    }
  }

  /** The names in use, in the order of the configuration. */
  get names(): NameWatch[] {
    return [...this.#watches.values()];
  }

  /** Those of one region. */
  namesOf(region: string): NameWatch[] {
    const targets = this.#config.regions.find(({ name }) => name === region)?.targets ?? [];
    return [...new Set(targets.flatMap((target) => this.watchOf(target) ?? []))];
  }

  /** `undefined` for a target with a URL. */
  watchOf(target: DnsTarget): NameWatch | undefined {
    const query = queryOf(target);
    return query === undefined ? undefined : this.#watches.get(keyOf(query));
  }

  /** Asks again soon for the name that found a target. */
  refreshSoon(name: string): void {
    for (const watch of this.#watches.values()) if (watch.query.name === name) watch.refreshSoon();
  }

  close(): void {
    this.#onChange = () => {};
    for (const watch of this.#watches.values()) watch.close();
    this.#watches.clear();
  }

  #watch(key: string, query: Query): void {
    const { random, now, resolvConf } = this.#options;
    const watch = new NameWatch({
      query,
      settings: () => this.#config.discovery,
      random,
      now,
      resolvConf,
      onAnswer: (answered, before) => {
        this.#report(answered, before.problem);
        const isSame = before.isKnown === answered.isKnown && isDeepStrictEqual(before.endpoints, answered.endpoints);
        if (!isSame) this.#onChange();
      },
    });
    this.#watches.set(key, watch);
    watch.start();
  }

  /** One event when a problem begins, and one when it ends. */
  #report({ query, problem, endpoints }: NameWatch, before: NameProblem | undefined): void {
    if (problem?.kind === before?.kind) return;
    this.#options.events.emit({
      type: 'discoveryProblem',
      name: query.name,
      problem: problem?.reason ?? null,
      addressCount: endpoints.length,
    });
  }
}

function queryOf({ dns, port }: DnsTarget): Query | undefined {
  return dns === undefined ? undefined : { name: dns, kind: port === undefined ? 'services' : 'addresses' };
}

function keyOf({ name, kind }: Query): string {
  return `${kind} ${name}`;
}

function queryEntry(target: DnsTarget): [string, Query][] {
  const query = queryOf(target);
  return query === undefined ? [] : [[keyOf(query), query]];
}
