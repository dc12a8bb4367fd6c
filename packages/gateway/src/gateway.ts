/** Composition root of a gateway: builds its parts, starts them in order and closes them in reverse. */
import { randomBytes } from 'node:crypto';
import { masked } from '@causeway/config/masked.ts';
import { type Impostor, TrustPolicy } from '@causeway/config/trust.ts';
import { Cors } from '@causeway/http/cors.ts';
import { HeldBytes } from '@causeway/http/held-bytes.ts';
import type { HttpServer } from '@causeway/http/server.ts';
import type { System } from '@causeway/protocol/admin/model.ts';
import { formatHop } from '@causeway/protocol/routing.ts';
import { Admin } from './admin/admin.ts';
import { describeChanges, untilRestart } from './config/changes.ts';
import { findConfigProblems } from './config/load.ts';
import { GatewayConfig } from './config/schema.ts';
import { AdoptionEvents } from './consumers/adoption-events.ts';
import { Affinity } from './consumers/affinity.ts';
import { Deliveries } from './consumers/deliveries.ts';
import { ReturnPace } from './consumers/owners.ts';
import { EventLog } from './events.ts';
import { RetryBudget } from './exchange/budget.ts';
import type { ExchangeContext } from './exchange/context.ts';
import { type Identity, identityOf } from './exchange/identity.ts';
import { TurnBatch } from './exchange/turn-batch.ts';
import type { ClientPeer } from './listen/peer.ts';
import { createClientServer } from './listen/server.ts';
import { Metrics } from './metrics.ts';
import { Registry } from './regions/registry.ts';
import { canServe } from './regions/select.ts';
import { RequestStats } from './stats.ts';
import { transportFactory } from './upstream/create-transport.ts';
import { readVersion } from './version.ts';
import { RequestWatcher } from './watch/watcher.ts';

export interface GatewayOptions {
  config: GatewayConfig;
  /** Named in the topology and in events; nothing is read from it here. */
  configFile: string;
  /** For `${NAME}` in configurations that are to be checked. Default: nothing. */
  env?: Readonly<Record<string, string | undefined>>;
  /** Milliseconds, never going back. */
  now?: () => number;
  random?: () => number;
  /** A bug has shown itself at a request, which was answered with 500. Default: nothing. */
  onFault?: (error: unknown) => void;
}

/** Enough that no client guesses them. */
const INSTANCE_BYTES = 8;

export class Gateway {
  readonly events = new EventLog();
  readonly #registry: Registry;
  readonly #affinity: Affinity;
  readonly #deliveries: Deliveries;
  readonly #adoptions: AdoptionEvents;
  readonly #metrics: Metrics;
  readonly #server: HttpServer<ClientPeer>;
  readonly #now: () => number;
  readonly #random: () => number;
  /** Where requests find it. */
  readonly #watching: { watcher: RequestWatcher | undefined };
  readonly #admin: Admin;
  readonly #configFile: string;
  readonly #reloadCounts = { applied: 0, refused: 0 };
  #config: GatewayConfig;
  #cors: Cors | undefined;
  /** By which it knows a request that has passed it: drawn, so that no client can name it. */
  readonly #instance = randomBytes(INSTANCE_BYTES).toString('hex');
  #trust: TrustPolicy;
  #identity: Identity;
  #configStatus: Omit<System['config'], 'file'>;
  #isClosing = false;
  #closed: Promise<void> | undefined;

  constructor(options: GatewayOptions) {
    const { config, configFile, now = () => performance.now(), random = Math.random, onFault = () => {} } = options;
    this.#config = config;
    this.#configFile = configFile;
    this.#configStatus = { loadedAt: new Date().toISOString(), lastError: null };
    this.#now = now;
    this.#trust = this.#trustPolicy();
    this.#identity = this.#identityNow();
    this.#random = random;
    const stats = new RequestStats();
    const registry = new Registry(config, {
      events: this.events,
      createTransport: transportFactory({ onFault }),
      random,
      now,
    });
    const affinity = new Affinity(config.affinity.maxConsumers, (...move) => this.#adoptions.moved(...move));
    const budget = new RetryBudget(now);
    this.#registry = registry;
    this.#affinity = affinity;
    this.#adoptions = new AdoptionEvents(this.events);

    this.#cors = corsOf(config);
    const held = new HeldBytes({ limits: () => this.#config.limits, now });
    const deliveries = new Deliveries({ identity: () => this.#identity, now });
    this.#deliveries = deliveries;
    const self = this;
    const context: ExchangeContext & { watcher: RequestWatcher | undefined } = {
      regions: registry,
      affinity,
      deliveries,
      returnPace: new ReturnPace(),
      budget,
      stats,
      writes: new TurnBatch(),
      get identity() {
        return self.#identity;
      },
      held,
      get cors() {
        return self.#cors;
      },
      get trust() {
        return self.#trust;
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
    this.#server = createClientServer({
      ...request,
      responseTimeoutMs: () => this.#config.limits.answerTimeoutMs,
      context,
    });
    this.#metrics = new Metrics({
      registry,
      stats,
      affinity,
      budget,
      retrySettings: () => this.#config.retry,
      clients: this.#server.connections,
      held,
      reloadCounts: this.#reloadCounts,
      configStatus: () => this.#configStatus,
      name: formatHop({ name: config.gateway.name, region: config.gateway.region }),
      version: readVersion(),
      telemetry: () => this.#watching.watcher?.telemetry,
    });
    this.#admin = new Admin({
      host: admin.host,
      port: admin.port,
      registry,
      affinity,
      stats,
      events: this.events,
      token: () => this.#config.admin.token,
      allowedHosts: () => this.#config.admin.allowedHosts,
      metrics: () => this.#metrics.expose(),
      answerTimeoutMs: () => this.#config.limits.answerTimeoutMs,
      whyNotReady: () => this.#whyNotReady(),
      connectionCount: () => this.#server.connections.count,
      retryBudget: () => ({ remainingCount: budget.remaining(this.#config.retry), usedCount: budget.usedCount }),
      shownConfig: () => masked(GatewayConfig, this.#config),
      checkConfig: (text) => findConfigProblems(text, options.env ?? {}),
      configStatus: () => ({ file: this.#configFile, ...this.#configStatus }),
    });
  }

  /** Errors: `EADDRINUSE` and the like for either port; then nothing is left running. */
  async start(): Promise<{ url: string; adminUrl: string }> {
    this.#registry.start();
    try {
      this.#watching.watcher = await this.#startWatcher();
      const { url: adminUrl } = await this.#admin.start();
      const { url } = await this.#server.listen(this.#config.listen);
      // Closed while it started.
      if (this.#isClosing) this.#server.close();
      this.events.emit({ type: 'started', url, adminUrl });
      return { url, adminUrl };
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  /** What runs now. */
  get config(): GatewayConfig {
    return this.#config;
  }

  /** Takes over a configuration that was checked; what cannot change while running is told and left. */
  reload(config: GatewayConfig): void {
    if (this.#isClosing) return;
    const changes = describeChanges(this.#config, config);
    this.#config = untilRestart(this.#config, config);
    this.#trust = this.#trustPolicy();
    this.#cors = corsOf(this.#config);
    this.#identity = this.#identityNow();
    this.#affinity.maxConsumers = config.affinity.maxConsumers;
    this.#registry.apply(this.#config);
    this.#reloadCounts.applied += 1;
    this.#configStatus = { loadedAt: new Date().toISOString(), lastError: null };
    this.events.emit({ type: 'reload', file: this.#configFile, changes });
  }

  /** A change of the file could not be used: everything stays as it is, and is told. */
  refuseReload(reason: string): void {
    this.#reloadCounts.refused += 1;
    this.#configStatus = { ...this.#configStatus, lastError: { at: new Date().toISOString(), reason } };
    this.events.emit({ type: 'reloadRefused', file: this.#configFile, reason });
  }

  /** The access log goes on in a new file: the old one was moved away. */
  reopenLogs(): void {
    this.#watching.watcher?.telemetry.reopen();
  }

  #startWatcher(): Promise<RequestWatcher | undefined> {
    const { gateway, accessLog, tracing } = this.#config;
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

  /** Stops taking requests, finishes what is in flight (for `shutdown.graceMs` at most) and ends. */
  close(reason = 'asked to'): Promise<void> {
    this.#closed ??= this.#close(reason);
    return this.#closed;
  }

  async #close(reason: string): Promise<void> {
    this.#isClosing = true;
    this.events.emit({ type: 'stopping', reason });
    await this.#server.stop(this.#config.shutdown.graceMs);
    await this.#deliveries.close();
    this.#adoptions.flush();
    await this.#admin.close();
    this.#metrics.close();
    await this.#registry.close();
    await this.#watching.watcher?.telemetry.close();
  }

  #identityNow(): Identity {
    const { gateway, trust } = this.#config;
    const hop = { region: gateway.region, name: gateway.name };
    return identityOf(hop, { secret: trust.secret, instance: this.#instance });
  }

  #trustPolicy(): TrustPolicy {
    const { proxies, peers, secret } = this.#config.trust;
    const onImpostor = (impostor: Impostor): void => this.events.emit({ type: 'impostor', ...impostor });
    return new TrustPolicy({ proxies, peers, secret, onImpostor, now: this.#now });
  }

  #whyNotReady(): string | undefined {
    const { name, region } = this.#config.gateway;
    const self = formatHop({ name, region });
    if (this.#isClosing) return `${self} is shutting down.`;
    if (!canServe(this.#registry.snapshot, false)) return `${self} has no available target in any region.`;
    return undefined;
  }
}

function corsOf({ cors }: GatewayConfig): Cors | undefined {
  return cors.isEnabled ? new Cors(cors) : undefined;
}
