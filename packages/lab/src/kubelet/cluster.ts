/**
 * A cluster of Kubernetes, played with real processes: the objects of a chart become pods at addresses of their own, Services become
 * names in a DNS server and forwarders of TCP, and the data path learns of a change only after a while, as it does in a cluster.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { Agent } from 'undici';
import { cacheDirectory } from '../stack/cache-directory.ts';
import type { Reaper } from '../stack/process.ts';
import { ConfigVolumes } from './config-volumes.ts';
import { published, served } from './endpoints.ts';
import type { Deployment, KubernetesObject, Service, StatefulSet } from './objects.ts';
import { portOf } from './objects.ts';
import { Pod, type PodContext, type PodEvent } from './pod.ts';
import { PodAddresses } from './pod-addresses.ts';
import { ServiceProxy } from './service-proxy.ts';
import { Workload } from './workload.ts';

/** The names of a DNS server. */
export interface NameZone {
  set(name: string, addresses: readonly string[]): void;
  remove(name: string): void;
}

export interface ClusterOptions {
  /** For ConfigMaps and logs. */
  directory: string;
  namespace: string;
  /** By the names of Secrets, and of keys in them. */
  secrets: PodContext['secrets'];
  /** What a second of the objects takes: 1,000 in a real cluster. */
  secondMs: number;
  /** How long Services, load balancers and DNS keep what was, in seconds of the objects. */
  dataPathDelaySeconds: number;
  zone: NameZone;
  reaper: Reaper;
}

/** Ports that need no root. */
const FIRST_UNPRIVILEGED_PORT = 1_024;
const PRIVILEGED_PORT_SHIFT = 10_000;

interface RunningService {
  object: Service;
  /** Of a Service that is not headless. */
  address: string | undefined;
  proxies: { proxy: ServiceProxy; targetPort: number | string }[];
  /** What the data path knows or is about to know: it gets changes alone. */
  announced: string;
  names: Set<string>;
}

export class Cluster {
  /** In their order. */
  readonly events: PodEvent[] = [];
  readonly #options: ClusterOptions;
  readonly #addresses: PodAddresses;
  readonly #pods: PodContext;
  readonly #workloads = new Map<string, Workload>();
  readonly #services = new Map<string, RunningService>();
  readonly #pending = new Set<NodeJS.Timeout>();

  private constructor(options: ClusterOptions, addresses: PodAddresses) {
    this.#options = options;
    this.#addresses = addresses;
    const { directory, secondMs, secrets, reaper } = options;
    mkdirSync(directory, { recursive: true });
    this.#pods = {
      secondMs,
      secrets,
      reaper,
      // Compiling takes half of a start.
      env: { NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'] ?? join(cacheDirectory(), 'compiled') },
      volumes: new ConfigVolumes(join(directory, 'config')),
      logDirectory: join(directory, 'logs'),
      agent: new Agent(),
      onEvent: (event) => this.events.push(event),
    };
  }

  /** `ports`: those of the objects. Errors: `portInUse`. */
  static async create(options: ClusterOptions & { ports: readonly number[] }): Promise<Cluster> {
    return new Cluster(options, await PodAddresses.find(options.ports));
  }

  /** `kubectl apply`. Objects of other kinds are ignored. */
  apply(objects: readonly { kind: string }[]): void {
    for (const object of objects as readonly KubernetesObject[]) {
      switch (object.kind) {
        case 'ConfigMap':
          this.#pods.volumes.write(object);
          break;
        case 'Service':
          this.#applyService(object);
          break;
        case 'Deployment':
        case 'StatefulSet':
          this.#applyWorkload(object);
          break;
        default:
      }
    }
  }

  /** A Deployment or a StatefulSet. */
  workload(name: string): Workload {
    const found = this.#workloads.get(name);
    if (found === undefined) throw new TypeError(`there is no workload ${name}`);
    return found;
  }

  /** Of a Service that is not headless. */
  serviceAddress(name: string): string {
    const address = this.#services.get(name)?.address;
    if (address === undefined) throw new TypeError(`there is no Service ${name} with an address`);
    return address;
  }

  /** Where clients outside of the cluster connect; a port that needs root is another one. */
  serviceUrl(name: string): string {
    const [first] = this.#services.get(name)?.object.spec.ports ?? [];
    return `http://${this.serviceAddress(name)}:${listeningPort(first?.port ?? 0)}`;
  }

  get workloads(): readonly Workload[] {
    return [...this.#workloads.values()];
  }

  /** SIGKILL. */
  async close(): Promise<void> {
    await Promise.all(this.workloads.map((workload) => workload.close()));
    for (const timer of this.#pending) clearTimeout(timer);
    for (const { proxies } of this.#services.values()) for (const { proxy } of proxies) proxy.close();
    await this.#pods.agent.destroy();
  }

  #applyWorkload(object: Deployment | StatefulSet): void {
    const known = this.#workloads.get(object.metadata.name);
    if (known !== undefined) {
      known.apply(object);
      return;
    }
    const workload = new Workload(object, {
      createPod: (spec) => new Pod({ ...spec, address: this.#addresses.next() }, this.#pods),
      onChange: () => this.#announce(),
    });
    this.#workloads.set(object.metadata.name, workload);
  }

  #applyService(object: Service): void {
    const { name } = object.metadata;
    const known = this.#services.get(name);
    if (known !== undefined) {
      known.object = object;
      return;
    }
    const isHeadless = object.spec.clusterIP === 'None';
    const address = isHeadless ? undefined : this.#addresses.next();
    const ports = address === undefined ? [] : object.spec.ports;
    const proxies = ports.map(({ port, targetPort = port }) => ({
      targetPort,
      proxy: new ServiceProxy({ host: address ?? '', port: listeningPort(port) }),
    }));
    this.#services.set(name, { object, address, proxies, announced: '', names: new Set() });
    if (address !== undefined) for (const alias of this.#namesOf(name)) this.#options.zone.set(alias, [address]);
  }

  /** Reports changes to the data path, late. */
  #announce(): void {
    const pods = this.workloads.flatMap((workload) => [...workload.pods]);
    for (const service of this.#services.values()) {
      const isHeadless = service.address === undefined;
      const endpoints = (isHeadless ? published : served)(service.object, pods);
      const announced = endpoints.map(({ name, address }) => `${name}=${address}`).join();
      if (announced === service.announced) continue;
      service.announced = announced;
      this.#later(() => {
        if (isHeadless) this.#publish(service, endpoints);
        else this.#forward(service, endpoints);
      });
    }
  }

  #later(work: () => void): void {
    const { dataPathDelaySeconds, secondMs } = this.#options;
    const timer = setTimeout(() => {
      this.#pending.delete(timer);
      work();
    }, dataPathDelaySeconds * secondMs);
    this.#pending.add(timer);
  }

  /** The addresses of the Service's name, and of a name for each pod. */
  #publish(service: RunningService, endpoints: readonly { name: string; address: string }[]): void {
    const addresses = new Map<string, string[]>();
    const add = (name: string, address: string): void => {
      for (const alias of this.#namesOf(name)) addresses.set(alias, [...(addresses.get(alias) ?? []), address]);
    };
    const { name } = service.object.metadata;
    for (const endpoint of endpoints) {
      add(name, endpoint.address);
      add(`${endpoint.name}.${name}`, endpoint.address);
    }
    for (const gone of service.names) if (!addresses.has(gone)) this.#options.zone.remove(gone);
    for (const [alias, list] of addresses) this.#options.zone.set(alias, list);
    service.names = new Set(addresses.keys());
  }

  #forward({ proxies }: RunningService, endpoints: ReturnType<typeof served>): void {
    for (const { proxy, targetPort } of proxies) {
      void proxy.setBackends(
        endpoints.map(({ address, container }) => ({ host: address, port: portOf(container, targetPort) })),
      );
    }
  }

  /** Short and long forms: a pod's resolv.conf completes the short ones. */
  #namesOf(name: string): string[] {
    const { namespace } = this.#options;
    return ['', `.${namespace}`, `.${namespace}.svc`, `.${namespace}.svc.cluster.local`].map((end) => `${name}${end}`);
  }
}

function listeningPort(port: number): number {
  return port < FIRST_UNPRIVILEGED_PORT ? port + PRIVILEGED_PORT_SHIFT : port;
}
