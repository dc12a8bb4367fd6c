/** The gateway's metrics in the Prometheus format: read from its counters at each scrape. */
import { addCertificateMetrics, type CertificateSource, certificateMetrics } from '@causeway/metrics/certificates.ts';
import type { MetricDeclaration } from '@causeway/metrics/declaration.ts';
import { Exposition } from '@causeway/metrics/exposition.ts';
import { addTelemetryMetrics, TELEMETRY_METRICS, type TelemetryCounts } from '@causeway/telemetry/metrics.ts';
import { ADMIN_METRICS, type AdminCountSources, addAdminMetrics } from './metrics/admin.ts';
import {
  AUTHENTICATION_METRICS,
  type AuthenticationSources,
  addAuthenticationMetrics,
} from './metrics/authentication.ts';
import {
  addClientCredentialMetrics,
  CLIENT_CREDENTIAL_METRICS,
  type ClientCredentialSources,
} from './metrics/client-credentials.ts';
import { addClusterMetrics, CLUSTER_METRICS, type ClusterSources } from './metrics/clusters.ts';
import { addConfigMetrics, CONFIG_METRICS, type ConfigSources } from './metrics/config.ts';
import { addCredentialMetrics, CREDENTIAL_METRICS, type CredentialSources } from './metrics/credentials.ts';
import { addDiscoveryMetrics, DISCOVERY_METRICS, type DiscoverySources } from './metrics/discovery.ts';
import { addHostMetrics, HOST_METRICS, type HostSources } from './metrics/hosts.ts';
import { addQuotaMetrics, QUOTA_METRICS, type QuotaSources } from './metrics/quotas.ts';
import { addRegionMetrics, REGION_METRICS, type RegionSources } from './metrics/regions.ts';
import { addRequestMetrics, REQUEST_METRICS, type RequestSources } from './metrics/requests.ts';

export type MetricsSources = RequestSources &
  RegionSources &
  ClusterSources &
  DiscoverySources &
  HostSources &
  ConfigSources &
  AdminCountSources &
  CredentialSources &
  QuotaSources &
  AuthenticationSources &
  ClientCredentialSources & {
    /** The listeners with TLS. */
    certificates: () => readonly CertificateSource[];
    telemetry: () => TelemetryCounts | undefined;
  };

const CERTIFICATE_METRICS = certificateMetrics('causeway');

/** Every metric of the gateway itself, in the order of the exposition. */
export const GATEWAY_METRICS: readonly MetricDeclaration[] = [
  ...Object.values(REQUEST_METRICS),
  ...Object.values(REGION_METRICS),
  ...Object.values(CLUSTER_METRICS),
  ...Object.values(DISCOVERY_METRICS),
  ...Object.values(HOST_METRICS),
  ...Object.values(AUTHENTICATION_METRICS),
  ...Object.values(CLIENT_CREDENTIAL_METRICS),
  ...Object.values(CONFIG_METRICS),
  ...Object.values(ADMIN_METRICS),
  ...Object.values(CREDENTIAL_METRICS),
  ...Object.values(QUOTA_METRICS),
  ...Object.values(CERTIFICATE_METRICS),
  ...Object.values(TELEMETRY_METRICS),
];

export class Metrics {
  readonly #exposition = new Exposition();

  constructor(sources: MetricsSources) {
    addRequestMetrics(this.#exposition, sources);
    addRegionMetrics(this.#exposition, sources);
    addClusterMetrics(this.#exposition, sources);
    addDiscoveryMetrics(this.#exposition, sources);
    addHostMetrics(this.#exposition, sources);
    addAuthenticationMetrics(this.#exposition, sources);
    addClientCredentialMetrics(this.#exposition, sources);
    addConfigMetrics(this.#exposition, sources);
    addAdminMetrics(this.#exposition, sources);
    addCredentialMetrics(this.#exposition, sources);
    addQuotaMetrics(this.#exposition, sources);
    addCertificateMetrics(this.#exposition, CERTIFICATE_METRICS, sources.certificates);
    addTelemetryMetrics(this.#exposition, sources.telemetry);
  }

  async expose(): Promise<{ contentType: string; text: string }> {
    const { contentType } = this.#exposition;
    return { contentType, text: await this.#exposition.text() };
  }

  close(): void {
    this.#exposition.close();
  }
}
