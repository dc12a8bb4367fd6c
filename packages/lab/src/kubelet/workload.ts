/** A Deployment or a StatefulSet with its pods: creates and deletes them until they are what the object says. */
import { randomBytes } from 'node:crypto';
import { boundsOf, decideDeployment } from './deployment.ts';
import { type Deployment, revisionOf, type StatefulSet } from './objects.ts';
import type { Pod, PodSpec } from './pod.ts';
import { decideStatefulSet } from './stateful-set.ts';

export interface WorkloadOptions {
  createPod: (spec: Omit<PodSpec, 'address'>) => Pod;
  /** A pod changed, came or went. */
  onChange: () => void;
}

export class Workload {
  readonly #options: WorkloadOptions;
  #object: Deployment | StatefulSet;
  #replicas: number;
  #pods: Pod[] = [];
  #isReconciling = false;
  #isClosed = false;

  constructor(object: Deployment | StatefulSet, options: WorkloadOptions) {
    this.#object = object;
    this.#options = options;
    this.#replicas = object.spec.replicas ?? 1;
    this.#reconcileSoon();
  }

  /** Those that are not gone, the oldest first. */
  get pods(): readonly Pod[] {
    return this.#pods;
  }

  /** Whether all pods are those of the object, available, and no others are left. */
  get isSettled(): boolean {
    const revision = revisionOf(this.#object.spec.template);
    return (
      this.#pods.length === this.#replicas &&
      this.#pods.every((pod) => pod.isAvailable && !pod.isTerminating && pod.revision === revision)
    );
  }

  /** `kubectl apply` of another version of the object; a changed template begins a rolling update. */
  apply(object: Deployment | StatefulSet): void {
    this.#object = object;
    this.#replicas = object.spec.replicas ?? 1;
    this.#reconcileSoon();
  }

  /** `kubectl rollout restart`: the same pods, made again one by one. */
  restart(): void {
    const { template } = this.#object.spec;
    const annotations = { ...template.metadata.annotations, 'kubectl.kubernetes.io/restartedAt': stamp() };
    const next = { ...template, metadata: { ...template.metadata, annotations } };
    this.#object = { ...this.#object, spec: { ...this.#object.spec, template: next } } as Deployment | StatefulSet;
    this.#reconcileSoon();
  }

  /** `kubectl scale`. */
  scale(replicas: number): void {
    this.#replicas = replicas;
    this.#reconcileSoon();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all(this.#pods.map((pod) => pod.close()));
  }

  #reconcileSoon(): void {
    if (this.#isReconciling) return;
    this.#isReconciling = true;
    queueMicrotask(() => {
      this.#isReconciling = false;
      if (!this.#isClosed) this.#reconcile();
    });
  }

  #reconcile(): void {
    this.#pods = this.#pods.filter(({ isGone }) => !isGone);
    const { template } = this.#object.spec;
    const revision = revisionOf(template);
    const { name } = this.#object.metadata;
    if (this.#object.kind === 'Deployment') {
      const bounds = boundsOf(this.#object, this.#replicas, revision);
      const { createCount, remove } = decideDeployment(bounds, this.#pods);
      for (let count = 0; count < createCount; count += 1) this.#create(`${name}-${revision}-${stamp()}`, 0, revision);
      for (const pod of remove) pod.delete();
    } else {
      const isParallel = this.#object.spec.podManagementPolicy === 'Parallel';
      const { createOrdinals, remove } = decideStatefulSet(
        { replicas: this.#replicas, isParallel, revision },
        this.#pods,
      );
      for (const ordinal of createOrdinals) this.#create(`${name}-${ordinal}`, ordinal, revision);
      for (const pod of remove) pod.delete();
    }
    this.#options.onChange();
  }

  #create(name: string, ordinal: number, revision: string): void {
    const { template, minReadySeconds = 0 } = this.#object.spec;
    const onChange = (): void => this.#reconcileSoon();
    const pod = this.#options.createPod({ name, ordinal, revision, template, minReadySeconds, onChange });
    this.#pods.push(pod);
    pod.start();
  }
}

function stamp(): string {
  return randomBytes(3).toString('hex');
}
