/** How a stack is started. */
import type { PeerPortsOf } from './cluster-pair.ts';
import type { StackPorts } from './ports.ts';
import type { ProcessEvent } from './process.ts';
import type { RegionHost } from './programs.ts';
import type { RegionName } from './regions.ts';

export type StackEvent = ProcessEvent | { type: 'progress'; text: string; isUpdate: boolean };

export interface StackOptions {
  /** Default: the documented ones, tier-1 at 8080. */
  ports?: StackPorts | undefined;
  /** For logs, Kafka's data and `stack.json`; emptied at the start. Default: `.causeway` in the repository. */
  directory?: string | undefined;
  /** The YAML of gateways and bridges. Default: `config/demo` in the repository, `config/secure` or `config/two-clusters`. */
  configDirectory?: string | undefined;
  /** TLS on every hop, with certificates of the lab's own authority. Default: false. */
  isSecure?: boolean | undefined;
  /** Tenants with tokens and rules of their own, and a guest. Default: no authentication. */
  tenantCount?: number | undefined;
  /** Gateways make a key for each produce request without one (`retry.produce: exactly-once`). Default: false. */
  isExactlyOnce?: boolean | undefined;
  /** Addresses besides loopback that certificates are for. */
  addresses?: readonly string[] | undefined;
  /** `HOST:PORT` of an existing Kafka, instead of the lab's own; only without `isSecure`. */
  bootstrap?: string | undefined;
  /** Of each cluster. Default: 1. */
  brokerCount?: 1 | 3 | undefined;
  /** With two, each region has a Kafka of its own, and MirrorMaker fills that of the region that stands by. Default: 1. */
  clusterCount?: 1 | 2 | undefined;
  /** With two clusters: each is reached from the other region over a `PeerLink`, by MirrorMaker, and by bridges if the YAML says so. */
  peerPorts?: PeerPortsOf | undefined;
  /** Broker properties on top of the lab's. */
  kafkaProperties?: Readonly<Record<string, string>> | undefined;
  /** Regions that do not run on loopback. */
  regionHosts?: Readonly<Partial<Record<RegionName, RegionHost>>> | undefined;
  /** Environment of gateways and bridges, on top of this process's own. */
  env?: Readonly<Record<string, string>> | undefined;
  onEvent?: ((event: StackEvent) => void) | undefined;
  /** Cancels the start; everything that was started is stopped before `startStack` throws. */
  signal?: AbortSignal | undefined;
}
