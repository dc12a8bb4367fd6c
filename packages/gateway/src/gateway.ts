/** Composition root of a gateway: builds its parts, starts them in order and closes them in reverse. */
import { setTimeout as delay } from 'node:timers/promises';
import { masked } from '@causeway/config/masked.ts';
import { HeldBytes } from '@causeway/http/held-bytes.ts';
import { formatHop } from '@causeway/protocol/routing.ts';
import { readVersion } from '@causeway/protocol/version.ts';
import { Admin } from './admin/admin.ts';
import { reasonOf } from './admin/admin-client.ts';
import { AuthenticationStats } from './authentication/authenticator.ts';
import { ClusterStatuses } from './clusters/cluster-statuses.ts';
import { Clusters } from './clusters/clusters.ts';
import { Promoter } from './clusters/promoter.ts';
import { listenersOf } from './config/listeners.ts';
import { findConfigProblems } from './config/load.ts';
import { GatewayConfig } from './config/schema.ts';
import { AdoptionEvents } from './consumers/adoption-events.ts';
import { Affinity } from './consumers/affinity.ts';
import { Deliveries } from './consumers/deliveries.ts';
import { Discovery } from './discovery/discovery.ts';
import { createHostLookup } from './discovery/host-lookup.ts';
import { EventLog } from './events.ts';
import { RetryBudget } from './exchange/budget.ts';
import type { ExchangeContext } from './exchange/context.ts';
import { UnenforcedReports } from './exchange/enforcement.ts';
import { TurnBatch } from './exchange/turn-batch.ts';
import { FrontDoor } from './front-door.ts';
import { ClientListeners } from './listen/listeners.ts';
import { Metrics } from './metrics.ts';
import { ReturnPace } from './ownership/moves.ts';
import { SlotHomes } from './ownership/slot-homes.ts';
import { Registry } from './regions/registry.ts';
import { isReady } from './regions/select.ts';
import type { Target } from './regions/target.ts';
import { RunningConfig } from './running-config.ts';
import { RequestStats } from './stats.ts';
import { transportFactory } from './upstream/create-transport.ts';
import { describeCredentials, UpstreamCredentials } from './upstream/credentials.ts';
import { HostAddresses } from './upstream/host-addresses.ts';
import { RequestWatcher } from './watch/watcher.ts';

export interface GatewayOptions {
  config: GatewayConfig;
  /** Named in the topology and in events; it is not read here. */
  configFile: string;
  /** For `${NAME}` in configurations that the admin API checks. Default: none. */
  env?: Readonly<Record<string, string | undefined>>;
  /** Milliseconds, never going back. */
  now?: () => number;
  /** Milliseconds since 1970, for the times in tokens. */
  wallClock?: () => number;
  random?: () => number;
  /** In place of /etc/resolv.conf. */
  resolvConf?: string | undefined;
  /** Receives the error of a bug that ended a request with 500. Default: ignored. */
  onFault?: (error: unknown) => void;
}

export class Gateway {
  readonly events = new EventLog();
  readonly #discovery: Discovery;
  readonly #registry: Registry;
  readonly #clusters: Clusters;
  readonly #promoter: Promoter;
  readonly #statuses: ClusterStatuses;
  readonly #hosts: HostAddresses;
  readonly #affinity: Affinity;
  readonly #deliveries: Deliveries;
  readonly #adoptions: AdoptionEvents;
  readonly #metrics: Metrics;
  readonly #listeners: ClientListeners;
  readonly #now: () => number;
  readonly #random: () => number;
  readonly #watching: { watcher: RequestWatcher | undefined };
  readonly #admin: Admin;
  readonly #config: RunningConfig;
  readonly #credentials: UpstreamCredentials;
  readonly #frontDoor: FrontDoor;
  #isClosing = false;
  /** Whether clients can connect. */
  #isServing = false;
  /** Ends the time in which clients leave. */
  readonly #leaving = new AbortController();
  #closed: Promise<void> | undefined;

  constructor(options: GatewayOptions) {
    const { config, configFile, now = () => performance.now(), random = Math.random, onFault = () => {} } = options;
    const running = new RunningConfig({
      config,
      file: configFile,
      onImpostor: (impostor) => this.events.emit({ type: 'impostor', ...impostor }),
      now,
    });
    this.#config = running;
    this.#now = now;
    this.#random = random;
    const credentials = new UpstreamCredentials(config.upstream.tls, {
      onChange: (problem) => this.#reportCertificate(problem),
    });
    this.#credentials = credentials;
    const stats = new RequestStats();
    const discovery = new Discovery(config, { events: this.events, random, now, resolvConf: options.resolvConf });
    this.#discovery = discovery;
    const hosts = new HostAddresses({
      lookup: createHostLookup({ settings: () => running.values.discovery, resolvConf: options.resolvConf }),
      refreshMs: () => running.values.discovery.refreshMs,
      onProblem: ({ name, problem, addresses }) => {
        const event = { name, problem: problem ?? null, addressCount: addresses.length };
        this.events.emit({ type: 'discoveryProblem', ...event });
      },
      random,
      now,
    });
    this.#hosts = hosts;
    const clusters = new Clusters(this.events);
    const registry = new Registry(config, {
      events: this.events,
      clusters,
      discovery,
      createTransport: transportFactory({
        secureContext: () => credentials.secureContext,
        hasCertificate: () => credentials.hasCertificate,
        hosts,
        random,
        onFault,
      }),
      random,
      now,
    });
    const affinity = new Affinity(config.affinity.maxConsumers, (...move) => this.#adoptions.moved(...move));
    const slotHomes = new SlotHomes(now);
    const budget = new RetryBudget(now);
    this.#registry = registry;
    this.#clusters = clusters;
    this.#promoter = new Promoter({
      clusters,
      regions: () =>
        registry.snapshot.regions.map((region) => ({
          name: region.name,
          standsBy: region.standsBy,
          isUsable: region.usableWeight > 0,
          targets: region.targets,
        })),
      sender: () => running.identity,
      events: this.events,
      explain: reasonOf,
      now,
    });
    this.#affinity = affinity;
    this.#adoptions = new AdoptionEvents(this.events);
    const authentications = new AuthenticationStats();
    const frontDoor = new FrontDoor({
      config,
      events: this.events,
      authentications,
      stats,
      now,
      wallClock: options.wallClock ?? Date.now,
    });
    this.#frontDoor = frontDoor;
    const held = new HeldBytes({ limits: () => running.values.limits, now });
    const deliveries = new Deliveries({ identity: () => running.identity, now });
    this.#deliveries = deliveries;
    const self = this;
    const context: ExchangeContext & { watcher: RequestWatcher | undefined } = {
      regions: registry,
      affinity,
      slotHomes,
      deliveries,
      clusterWaits: clusters.waits,
      returnPace: new ReturnPace(),
      budget,
      stats,
      get gatekeeper() {
        return frontDoor.gatekeeper;
      },
      unenforced: new UnenforcedReports<Target>(
        ({ region, url: target }, requestCount) =>
          this.events.emit({ type: 'rulesNotEnforced', region, target, requestCount }),
        now,
      ),
      writes: new TurnBatch(),
      get identity() {
        return running.identity;
      },
      held,
      get cors() {
        return running.cors;
      },
      get trust() {
        return running.trust;
      },
      watcher: undefined,
      get isClosing() {
        return self.#isClosing;
      },
      now,
      random,
      onFault,
    };
    this.#watching = context;
    const { admin, request } = config;
    this.#listeners = new ClientListeners(
      listenersOf(config).map(({ key, name, settings }) => ({
        key,
        name,
        host: settings.host,
        port: settings.port,
        backlog: settings.backlog,
        tls: settings.tls,
        http2: (settings.http2.isEnabled ?? settings.tls !== undefined) ? settings.http2 : undefined,
        maxConnections: settings.maxConnections,
        proxyProtocol: settings.proxyProtocol,
        redirectToHttpsPort: settings.redirectToHttpsPort,
      })),
      {
        ...request,
        responseTimeoutMs: () => running.values.limits.answerTimeoutMs,
        context,
        events: this.events,
        whyRefused: (socket, address) => frontDoor.quotas.whyRefused(socket, address, running.trust.isHop(address)),
      },
    );
    const statuses = new ClusterStatuses({
      clusters,
      targetsOf: (cluster) => registry.targets().filter(({ region }) => clusters.clusterOf(region) === cluster),
      sender: () => running.identity,
      events: this.events,
      explain: reasonOf,
    });
    this.#statuses = statuses;
    this.#metrics = new Metrics({
      registry,
      clusters,
      statuses,
      discovery,
      hosts,
      stats,
      authentications,
      clientCredentials: frontDoor.credentials,
      keySources: () => frontDoor.keySources,
      affinity,
      slotHomes,
      budget,
      retrySettings: () => running.values.retry,
      clients: this.#listeners,
      held,
      credentials,
      quotas: frontDoor.quotas,
      certificates: () => [...this.#listeners.certificates(), ...this.#admin.certificates],
      reloadCounts: running.reloadCounts,
      configStatus: () => running.status,
      name: formatHop({ name: config.gateway.name, region: config.gateway.region }),
      version: readVersion(),
      adminCounts: () => this.#admin.counts,
      telemetry: () => this.#watching.watcher?.telemetry,
    });
    this.#admin = new Admin({
      clusters,
      statuses,
      promoter: this.#promoter,
      sender: () => running.identity,
      host: admin.host,
      port: admin.port,
      tls: admin.tls,
      registry,
      discovery,
      affinity,
      stats,
      peers: {
        secureContext: () => credentials.secureContext,
        serverNameOf: (origin) => registry.serverNameAt(origin),
      },
      upstreamTls: () => describeCredentials(credentials),
      events: this.events,
      settings: () => running.values.admin,
      trust: () => running.trust,
      now,
      metrics: () => this.#metrics.expose(),
      answerTimeoutMs: () => running.values.limits.answerTimeoutMs,
      whyNotReady: () => this.#whyNotReady(),
      listeners: () => this.#listeners.all,
      retryBudget: () => ({ remainingCount: budget.remaining(running.values.retry), usedCount: budget.usedCount }),
      shownConfig: () => masked(GatewayConfig, running.values),
      checkConfig: (text) => findConfigProblems(text, options.env ?? {}),
      configStatus: () => running.status,
    });
  }

  /** `url` is the first of `urls`. Errors: for a port that cannot be used, with its key; then the gateway is closed. */
  async start(): Promise<{ url: string; urls: string[]; adminUrl: string }> {
    this.#registry.start();
    this.#promoter.start();
    this.#statuses.start();
    this.#credentials.start();
    this.#frontDoor.start();
    try {
      this.#watching.watcher = await this.#startWatcher();
      const { url: adminUrl } = await this.#admin.start();
      await this.#listeners.listen();
      // Closed while it started.
      if (this.#isClosing) this.#listeners.close();
      else this.#isServing = true;
      const urls = this.#listeners.all.map(({ url }) => url);
      const [url = ''] = urls;
      this.events.emit({ type: 'started', url, ...(urls.length > 1 ? { urls } : {}), adminUrl });
      return { url, urls, adminUrl };
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  /** The configuration in use. */
  get config(): GatewayConfig {
    return this.#config.values;
  }

  /** Takes over a valid configuration; what only a restart changes is reported, and stays. */
  reload(config: GatewayConfig): void {
    if (this.#isClosing) return;
    const changes = this.#config.apply(config);
    this.#affinity.maxConsumers = config.affinity.maxConsumers;
    this.#credentials.configure(this.#config.values.upstream.tls);
    const { clusters: before } = this.#registry.config;
    this.#registry.apply(this.#config.values);
    this.#promoteConfigured(before);
    this.#hosts.refreshSoon();
    this.#frontDoor.configure(this.#config.values);
    this.events.emit({ type: 'reload', file: this.#config.file, changes });
  }

  /** A change of `clusters.active` promotes that cluster, as an operator would. */
  #promoteConfigured(before: GatewayConfig['clusters']): void {
    const cluster = this.#config.values.clusters?.active;
    const { promotion } = this.#clusters;
    if (before === undefined || cluster === undefined || cluster === before.active) return;
    // Without a known promotion the YAML says who is active.
    if (promotion === undefined || promotion.number === 0 || promotion.cluster === cluster) return;
    const reason = `clusters.active in ${this.#config.file} is ${cluster} now`;
    const by = `gateway ${this.#config.identity.entry}`;
    void this.#promoter.promote({ cluster, by, reason, mayLose: this.#promoter.isActiveDown }).then((result) => {
      if (result.kind === 'refused') this.events.emit({ type: 'promotionFailed', cluster, reason: result.message });
    });
  }

  /** Reports a changed file that cannot be used; everything stays as it is. */
  refuseReload(reason: string): void {
    this.#config.refuse(reason);
    this.events.emit({ type: 'reloadRefused', file: this.#config.file, reason });
  }

  /** Continues the access log in a new file, after the old one was moved away. */
  reopenLogs(): void {
    this.#watching.watcher?.telemetry.reopen();
  }

  #reportCertificate(problem: string | null): void {
    const { notAfter } = describeCredentials(this.#credentials) ?? { notAfter: null };
    this.events.emit({ type: 'certificate', of: 'upstream.tls', problem, expiresAt: notAfter });
  }

  #startWatcher(): Promise<RequestWatcher | undefined> {
    const { gateway, accessLog, tracing } = this.#config.values;
    const { name, region } = gateway;
    return RequestWatcher.start({
      accessLog,
      tracing,
      region,
      now: this.#now,
      random: this.#random,
      instance: formatHop({ name, region }),
      onTrouble: (part, reason) => this.events.emit({ type: 'telemetry', part, reason: reason ?? null }),
    });
  }

  /**
   * Serves on for `shutdown.delayMs`, which a second call ends; then refuses new connections, completes the requests in flight
   * (for `shutdown.graceMs` at most), and closes.
   */
  close(reason = 'requested'): Promise<void> {
    if (this.#closed !== undefined) this.#leaving.abort();
    this.#closed ??= this.#close(reason);
    return this.#closed;
  }

  async #close(reason: string): Promise<void> {
    this.#isClosing = true;
    this.events.emit({ type: 'stopping', reason });
    const { delayMs, graceMs } = this.#config.values.shutdown;
    if (this.#isServing && delayMs > 0) {
      this.#listeners.leave();
      await delay(delayMs, undefined, { signal: this.#leaving.signal }).catch(() => {});
    }
    await this.#listeners.stop(graceMs);
    await this.#deliveries.close();
    this.#adoptions.flush();
    await this.#admin.close();
    this.#metrics.close();
    this.#discovery.close();
    this.#promoter.close();
    this.#statuses.close();
    await this.#registry.close();
    this.#credentials.close();
    this.#frontDoor.close();
    await this.#watching.watcher?.telemetry.close();
  }

  #whyNotReady(): string | undefined {
    const { name, region } = this.#config.values.gateway;
    const self = formatHop({ name, region });
    if (this.#isClosing) return `${self} is shutting down.`;
    if (isReady(this.#registry.snapshot, false)) return undefined;
    const names = this.#discovery.names.filter(({ isKnown }) => !isKnown).map(({ query }) => query.name);
    const waiting = names.length === 0 ? '' : ` It has no addresses of ${names.join(', ')} yet.`;
    return `${self} has no available target in any region.${waiting}`;
  }
}
