/** What the controller of a Deployment does next (kubernetes/pkg/controller/deployment/rolling.go). Pure. */
import { DEFAULT_BOUND, type Deployment } from './objects.ts';

/** A pod, as a controller sees it. */
export interface PodView {
  readonly revision: string;
  readonly isReady: boolean;
  /** Ready for `minReadySeconds`. */
  readonly isAvailable: boolean;
  readonly isTerminating: boolean;
}

export interface DeploymentBounds {
  replicas: number;
  maxSurge: number;
  maxUnavailable: number;
  revision: string;
}

export function boundsOf({ spec }: Deployment, replicas: number, revision: string): DeploymentBounds {
  const { maxSurge = DEFAULT_BOUND, maxUnavailable = DEFAULT_BOUND } = spec.strategy?.rollingUpdate ?? {};
  return {
    replicas,
    revision,
    maxSurge: countOf(maxSurge, replicas, Math.ceil),
    maxUnavailable: countOf(maxUnavailable, replicas, Math.floor),
  };
}

/** Terminating pods do not count: a Deployment does not wait for their end. */
export function decideDeployment<P extends PodView>(
  { replicas, maxSurge, maxUnavailable, revision }: DeploymentBounds,
  pods: readonly P[],
): { createCount: number; remove: P[] } {
  const live = pods.filter(({ isTerminating }) => !isTerminating);
  const current = live.filter((pod) => pod.revision === revision);
  const old = live.filter((pod) => pod.revision !== revision);
  const createCount = Math.max(0, Math.min(replicas - current.length, replicas + maxSurge - live.length));
  // Too many after a scale-down: first those that are not ready, then the youngest.
  const surplus = Math.max(0, current.length - replicas);
  const remove = current.toReversed().sort(notReadyFirst).slice(0, surplus);
  const minAvailable = replicas - maxUnavailable;
  const unavailableCurrent = current.filter(({ isAvailable }) => !isAvailable).length;
  const removableOld = live.length - minAvailable - unavailableCurrent;
  const unhealthyOld = old.filter(({ isReady }) => !isReady).slice(0, Math.max(0, removableOld));
  const spareAvailable = live.filter(({ isAvailable }) => isAvailable).length - minAvailable;
  const healthyOld = old.filter((pod) => !unhealthyOld.includes(pod)).slice(0, Math.max(0, spareAvailable));
  return { createCount, remove: [...remove, ...unhealthyOld, ...healthyOld] };
}

function countOf(bound: number | string, replicas: number, round: (count: number) => number): number {
  return typeof bound === 'number' ? bound : round((Number.parseFloat(bound) / 100) * replicas);
}

function notReadyFirst(a: PodView, b: PodView): number {
  return Number(a.isReady) - Number(b.isReady);
}
