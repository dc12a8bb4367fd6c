/** Composes what serves operators: rates and their history, states of regions, regional gateways, and the server. */

import type { ListenTls } from '@causeway/config/listen-tls.ts';
import type { TrustPolicy } from '@causeway/config/trust.ts';
import type { Certificates } from '@causeway/http/certificates.ts';
import type { Listener, System } from '@causeway/protocol/admin/model.ts';
import { type AdminSection, peerTokenOf } from '../config/admin.ts';
import { ADMIN_LISTENER } from '../config/listeners.ts';
import type { Affinity } from '../consumers/affinity.ts';
import type { Discovery } from '../discovery/discovery.ts';
import type { EventLog } from '../events.ts';
import { createCertificates, describeCertificates } from '../listen/certificates.ts';
import type { Registry } from '../regions/registry.ts';
import type { RequestStats } from '../stats.ts';
import { AdminClient, type AdminPeers } from './admin-client.ts';
import { AdminServer } from './api.ts';
import type { ClusterRoutesOptions } from './cluster-routes.ts';
import type { ConfigRoutesOptions } from './config-routes.ts';
import { Consumers } from './consumers.ts';
import { RateHistory } from './history.ts';
import { RateSampler } from './rates.ts';
import { RegionStates } from './region-state.ts';
import { RegionalGateways } from './regional-gateways.ts';
import { describeTopology } from './topology.ts';

export interface AdminSources extends ConfigRoutesOptions, ClusterRoutesOptions {
  host: string;
  port: number;
  /** As configured at the start. */
  tls: ListenTls | undefined;
  /** Regional gateways, and bridges. */
  peers: AdminPeers;
  /** As configured now: another object after each reload. */
  settings: () => AdminSection;
  registry: Registry;
  discovery: Discovery;
  affinity: Affinity;
  stats: RequestStats;
  events: EventLog;
  metrics: () => Promise<{ contentType: string; text: string }>;
  answerTimeoutMs: () => number;
  whyNotReady: () => string | undefined;
  listeners: () => readonly Listener[];
  retryBudget: () => System['retryBudget'];
  configStatus: () => System['config'];
  /** As configured now. */
  trust: () => TrustPolicy;
  /** Milliseconds, never going back. */
  now: () => number;
  upstreamTls: () => System['upstreamTls'];
}

/** Its section in the configuration. */
const KEY = 'admin';

export class Admin {
  readonly #rates: RateSampler;
  readonly #client: AdminClient;
  readonly #regional: RegionalGateways;
  readonly #server: AdminServer;
  readonly #certificates: Certificates | undefined;

  constructor(sources: AdminSources) {
    const { registry, stats, events, settings } = sources;
    const token = (): string | undefined => peerTokenOf(settings());
    const startedAt = new Date();
    const regionStates = new RegionStates();
    const rates = new RateSampler({ stats, targets: () => registry.targets() });
    const client = new AdminClient({ token, peers: sources.peers });
    const regional = new RegionalGateways({ targets: () => registry.targets(), client, events });
    const certificates = createCertificates({ name: ADMIN_LISTENER, key: KEY, tls: sources.tls }, events);
    const server = new AdminServer({
      ...sources,
      certificates,
      token,
      regional,
      connect: client.connect,
      consumers: new Consumers({ registry, client }),
      history: new RateHistory({ rates, regions: () => registry.config.regions.map(({ name }) => name) }),
      topology: () =>
        describeTopology({
          ...sources,
          rates,
          regionStates,
          startedAt,
          adminAccess: () => server.access,
          admin: () => ({
            name: ADMIN_LISTENER,
            url: server.url,
            protocols: ['http/1.1'],
            connectionCount: server.connectionCount,
            tls: describeCertificates(certificates),
          }),
          behind: (target) => regional.behind(target),
        }),
    });
    // Notes since when a region is in its state at the time of the flip, not of the next request.
    events.subscribe(() => regionStates.update(registry.snapshot.regions));
    this.#rates = rates;
    this.#client = client;
    this.#regional = regional;
    this.#server = server;
    this.#certificates = certificates;
  }

  /** For metrics; empty without TLS. */
  get certificates(): { name: string; certificates: Certificates }[] {
    return this.#certificates === undefined ? [] : [{ name: ADMIN_LISTENER, certificates: this.#certificates }];
  }

  /** Changes, and refused requests. */
  get counts(): AdminServer['counts'] {
    return this.#server.counts;
  }

  /** Errors: those of `net.Server`, such as `EADDRINUSE`. */
  start(): Promise<{ url: string }> {
    this.#rates.start();
    this.#regional.start();
    this.#certificates?.start();
    return this.#server.start();
  }

  async close(): Promise<void> {
    this.#regional.close();
    await this.#server.close();
    this.#certificates?.close();
    this.#rates.close();
    await this.#client.close();
  }
}
