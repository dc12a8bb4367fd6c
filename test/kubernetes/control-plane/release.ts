/** One release of the chart in a namespace of its own, as an operator handles it. */
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, parseDocument } from 'yaml';
import { CHART, exampleFile, type KubernetesObject, objectsOf } from '../chart.ts';
import { isReady } from './api.ts';
import type { Cluster } from './cluster.ts';

export const RELEASE = 'causeway';
const PARTS = ['tier1', 'gateway', 'bridge'] as const;
export type Part = (typeof PARTS)[number];

/** A place in a part's own YAML, and its new value. */
export interface ConfigChange {
  part: Part;
  path: readonly (string | number)[];
  value: unknown;
}

export interface InstallOptions {
  labels?: Record<string, string>;
  args?: readonly string[];
  /** Whether helm waits until all is available, now and later. Default: true. */
  isWaiting?: boolean;
}

export class Release {
  readonly namespace: string;
  /** Those that the example enables. */
  readonly parts: Part[];
  readonly #cluster: Cluster;
  readonly #example: string;
  readonly #waiting: readonly string[];

  private constructor(cluster: Cluster, namespace: string, example: string, isWaiting: boolean) {
    this.#cluster = cluster;
    this.namespace = namespace;
    this.#example = example;
    this.#waiting = isWaiting ? ['--wait'] : [];
    const values = parse(readFileSync(exampleFile(example), 'utf8')) as Record<Part, { enabled?: boolean } | undefined>;
    this.parts = PARTS.filter((part) => values[part]?.enabled);
  }

  /** `helm install` of an example in a new namespace, with further labels and arguments. Errors: what helm says. */
  static async install(
    cluster: Cluster,
    example: string,
    { labels, args = [], isWaiting = true }: InstallOptions = {},
  ): Promise<Release> {
    const release = new Release(cluster, await cluster.newNamespace(labels), example, isWaiting);
    await release.#helm('install', ['--values', exampleFile(example), ...args]);
    return release;
  }

  /** `helm upgrade` with other arguments; `change` is made in the example's values. */
  async upgrade({ args = [], change }: { args?: readonly string[]; change?: ConfigChange }): Promise<void> {
    const values = change === undefined ? exampleFile(this.#example) : this.#changedValues(change);
    await this.#helm('upgrade', ['--values', values, ...args]);
  }

  async rollback(revision: number): Promise<void> {
    await this.#cluster.helm('rollback', RELEASE, `${revision}`, '--namespace', this.namespace, ...this.#waiting);
  }

  async uninstall(): Promise<void> {
    await this.#cluster.helm('uninstall', RELEASE, '--namespace', this.namespace, '--wait');
  }

  /** The objects that helm sent. */
  async manifest(): Promise<KubernetesObject[]> {
    return objectsOf(await this.#cluster.helm('get', 'manifest', RELEASE, '--namespace', this.namespace));
  }

  /** How many pods a part should have. */
  async replicas(part: Part): Promise<number> {
    return (await this.workload(part))['spec'].replicas as number;
  }

  /** The Deployment or the StatefulSet of a part. */
  async workload(part: Part): Promise<KubernetesObject> {
    return await this.#cluster.api.get(`${this.workloadPath(part)}`);
  }

  workloadPath(part: Part): string {
    const kind = part === 'bridge' ? 'statefulsets' : 'deployments';
    return `/apis/apps/v1/namespaces/${this.namespace}/${kind}/${RELEASE}-${part}`;
  }

  async pods(part?: Part): Promise<KubernetesObject[]> {
    return await this.#cluster.pods(this.namespace, part);
  }

  /** Of all pods that are not about to end, whether all are ready and as many as the parts should have. */
  async isComplete(): Promise<boolean> {
    const states = await Promise.all(
      this.parts.map(async (part) => {
        const pods = (await this.pods(part)).filter(isLiving);
        return pods.length === (await this.replicas(part)) && pods.every(isReady);
      }),
    );
    return !states.includes(false);
  }

  /** Of each pod that lives, by its unique id. */
  async podIds(part?: Part): Promise<string[]> {
    return (await this.pods(part))
      .filter(isLiving)
      .map(({ metadata }) => metadata.uid ?? '')
      .sort();
  }

  /** The YAML of a part in its ConfigMap. */
  async config(part: Part): Promise<string> {
    const { data } = await this.#cluster.api.get(`/api/v1/namespaces/${this.namespace}/configmaps/${RELEASE}-${part}`);
    return data[part === 'bridge' ? 'bridge.yaml' : 'gateway.yaml'] as string;
  }

  async #helm(command: string, args: readonly string[]): Promise<void> {
    await this.#cluster.helm(command, RELEASE, CHART, '--namespace', this.namespace, ...this.#waiting, ...args);
  }

  #changedValues({ part, path, value }: ConfigChange): string {
    const values = parseDocument(readFileSync(exampleFile(this.#example), 'utf8'));
    const config = values.getIn([part, 'config']);
    if (typeof config === 'string') {
      const text = parseDocument(config);
      text.setIn(path, value);
      values.setIn([part, 'config'], text.toString({ lineWidth: 0 }));
    } else {
      values.setIn([part, 'config', ...path], value);
    }
    const file = join(mkdtempSync(join(this.#cluster.directory, 'values-')), 'values.yaml');
    writeFileSync(file, values.toString({ lineWidth: 0 }));
    return file;
  }
}

export function isLiving({ metadata }: KubernetesObject): boolean {
  return metadata.deletionTimestamp === undefined;
}
