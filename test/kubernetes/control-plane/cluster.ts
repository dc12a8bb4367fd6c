/** helm and kubectl before a control plane, and namespaces for their releases. */
import { execFile } from 'node:child_process';
import { delimiter, dirname, join } from 'node:path';
import process from 'node:process';
import { promisify } from 'node:util';
import type { KubernetesTools } from '../../harness/kubernetes-tools.ts';
import { until } from '../../harness/until.ts';
import type { KubernetesObject } from '../chart.ts';
import { KubernetesApi } from './api.ts';
import type { ControlPlaneAccess } from './control-plane.ts';

const run = promisify(execFile);

/** Longer than any rollout of the examples on a slow machine. */
const COMMAND_TIMEOUT_MS = 300_000;

/** The namespace admits only pods that Pod Security's profile `restricted` allows. */
const RESTRICTED = {
  'pod-security.kubernetes.io/enforce': 'restricted',
  'pod-security.kubernetes.io/enforce-version': 'latest',
  'pod-security.kubernetes.io/warn': 'restricted',
};

/** What a namespace has without any release. */
const OWN_OBJECTS = new Set(['ConfigMap kube-root-ca.crt', 'ServiceAccount default']);

export class Cluster {
  readonly api: KubernetesApi;
  /** For files of tests; removed with the control plane. */
  readonly directory: string;
  readonly #tools: KubernetesTools;
  readonly #env: NodeJS.ProcessEnv;
  #namespaceCount = 0;

  constructor(access: ControlPlaneAccess, tools: KubernetesTools) {
    const { kubeconfig, directory } = access;
    this.api = new KubernetesApi(access);
    this.directory = directory;
    this.#tools = tools;
    this.#env = {
      ...process.env,
      KUBECONFIG: kubeconfig,
      KUBECACHEDIR: join(directory, 'kubectl'),
      HELM_CACHE_HOME: join(directory, 'helm/cache'),
      HELM_CONFIG_HOME: join(directory, 'helm/config'),
      HELM_DATA_HOME: join(directory, 'helm/data'),
    };
  }

  /** Standard output. Errors: with what helm says. */
  async helm(...args: string[]): Promise<string> {
    return await this.#run(this.#tools.helm, args);
  }

  /** Standard output. Errors: with what kubectl says. */
  async kubectl(...args: string[]): Promise<string> {
    return await this.#run(this.#tools.kubectl, args);
  }

  /** Standard output of a command line as a document has it, which finds both programs. Errors: with what they say. */
  async shell(line: string, { cwd, env }: { cwd: string; env: Record<string, string> }): Promise<string> {
    const directories = [this.#tools.helm, this.#tools.kubectl].map((file) => dirname(file));
    const path = [...directories, process.env['PATH']].join(delimiter);
    const { stdout } = await run('bash', ['-euo', 'pipefail', '-c', line], {
      cwd,
      env: { ...this.#env, ...env, PATH: path },
      timeout: COMMAND_TIMEOUT_MS,
    });
    return stdout;
  }

  /** A new namespace with the profile `restricted`; returns its name. */
  async newNamespace(labels: Record<string, string> = {}): Promise<string> {
    this.#namespaceCount += 1;
    const name = `release-${process.pid}-${this.#namespaceCount}`;
    await this.api.create('/api/v1/namespaces', {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name, labels: { ...RESTRICTED, ...labels } },
    });
    // Before it has one, no pod is admitted.
    await until('the namespace has its ServiceAccount', async () => {
      await this.api.get(`/api/v1/namespaces/${name}/serviceaccounts/default`);
      return true;
    });
    return name;
  }

  async pods(namespace: string, component?: string): Promise<KubernetesObject[]> {
    const selector = component === undefined ? '' : `?labelSelector=app.kubernetes.io/component=${component}`;
    return await this.api.list(`/api/v1/namespaces/${namespace}/pods${selector}`);
  }

  /** `Kind name` of all objects in the namespace that a release or its controllers made; events are no objects of a release. */
  async objectsIn(namespace: string): Promise<string[]> {
    const kinds = await this.api.namespacedKinds();
    const lists = await Promise.all(
      kinds
        .filter(({ kind }) => kind !== 'Event')
        .map(async ({ kind, pathIn }) => {
          const objects = await this.api.list(pathIn(namespace));
          return objects.map(({ metadata: { name } }) => `${kind} ${name}`);
        }),
    );
    return lists.flat().filter((name) => !OWN_OBJECTS.has(name));
  }

  async close(): Promise<void> {
    await this.api.close();
  }

  async #run(command: string, args: readonly string[]): Promise<string> {
    const options = { env: this.#env, timeout: COMMAND_TIMEOUT_MS, maxBuffer: 64 * 1024 * 1024 };
    const { stdout } = await run(command, args, options);
    return stdout;
  }
}
