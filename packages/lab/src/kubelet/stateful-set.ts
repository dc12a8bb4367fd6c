/** What the controller of a StatefulSet does next (kubernetes/pkg/controller/statefulset/stateful_set_control.go). Pure. */
import type { PodView } from './deployment.ts';

export interface OrdinalPodView extends PodView {
  readonly ordinal: number;
}

export interface StatefulSetBounds {
  replicas: number;
  isParallel: boolean;
  revision: string;
}

/** A pod counts until it is gone: its successor has the same name. */
export function decideStatefulSet<P extends OrdinalPodView>(
  bounds: StatefulSetBounds,
  pods: readonly P[],
): { createOrdinals: number[]; remove: P[] } {
  const byOrdinal = new Map(pods.map((pod) => [pod.ordinal, pod]));
  const createOrdinals = ordinalsToCreate(bounds, byOrdinal);
  const remove = [...condemned(bounds, pods), ...outdated(bounds, byOrdinal)];
  return { createOrdinals, remove };
}

function ordinalsToCreate({ replicas, isParallel }: StatefulSetBounds, pods: ReadonlyMap<number, PodView>): number[] {
  const missing: number[] = [];
  for (let ordinal = 0; ordinal < replicas; ordinal += 1) {
    const pod = pods.get(ordinal);
    if (pod === undefined) missing.push(ordinal);
    if (!isParallel && !isHealthy(pod)) break;
  }
  return missing;
}

/** Beyond `replicas`: all at once, or the last one alone, while the others are healthy. */
function condemned<P extends OrdinalPodView>({ replicas, isParallel }: StatefulSetBounds, pods: readonly P[]): P[] {
  const beyond = pods.filter(({ ordinal }) => ordinal >= replicas).sort((a, b) => b.ordinal - a.ordinal);
  if (isParallel) return beyond.filter(({ isTerminating }) => !isTerminating);
  const isQuiet = pods.every((pod) => pod === beyond[0] || isHealthy(pod));
  return isQuiet ? beyond.slice(0, 1).filter(({ isTerminating }) => !isTerminating) : [];
}

/** From the last to the first, each after all behind it are available again. */
function outdated<P extends OrdinalPodView>(
  { replicas, revision }: StatefulSetBounds,
  pods: ReadonlyMap<number, P>,
): P[] {
  for (let ordinal = replicas - 1; ordinal >= 0; ordinal -= 1) {
    const pod = pods.get(ordinal);
    if (pod !== undefined && pod.revision !== revision && !pod.isTerminating) return [pod];
    if (!isHealthy(pod)) return [];
  }
  return [];
}

function isHealthy(pod: PodView | undefined): boolean {
  return pod?.isAvailable === true && !pod.isTerminating;
}
