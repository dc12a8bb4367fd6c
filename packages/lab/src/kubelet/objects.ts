/** Objects of Kubernetes, as far as the kubelet of the lab reads them, with the defaults of the API server. */
import { createHash } from 'node:crypto';

export interface Deployment {
  kind: 'Deployment';
  metadata: Metadata;
  spec: {
    replicas?: number;
    minReadySeconds?: number;
    strategy?: { rollingUpdate?: { maxSurge?: number | string; maxUnavailable?: number | string } };
    template: PodTemplate;
  };
}

export interface StatefulSet {
  kind: 'StatefulSet';
  metadata: Metadata;
  spec: {
    replicas?: number;
    minReadySeconds?: number;
    podManagementPolicy?: 'OrderedReady' | 'Parallel';
    template: PodTemplate;
  };
}

export interface Service {
  kind: 'Service';
  metadata: Metadata;
  spec: {
    /** `None`: headless. */
    clusterIP?: string;
    publishNotReadyAddresses?: boolean;
    selector: Labels;
    ports: readonly { port: number; targetPort?: number | string }[];
  };
}

/** Its files by name. */
export interface ConfigMap {
  kind: 'ConfigMap';
  metadata: Metadata;
  data: Record<string, string>;
}

export type KubernetesObject = Deployment | StatefulSet | Service | ConfigMap;

export interface Metadata {
  name: string;
}

export type Labels = Record<string, string>;

export interface PodTemplate {
  metadata: { labels: Labels; annotations?: Record<string, string> };
  spec: {
    /** One. */
    containers: Container[];
    terminationGracePeriodSeconds?: number;
    volumes?: { name: string; configMap?: { name: string } }[];
  };
}

export interface Container {
  name: string;
  args: string[];
  env?: EnvironmentEntry[];
  ports: { name: string; containerPort: number }[];
  volumeMounts?: { name: string; mountPath: string }[];
  lifecycle?: { preStop?: { sleep?: { seconds: number } } };
  startupProbe?: Probe;
  livenessProbe?: Probe;
  readinessProbe?: Probe;
}

export interface EnvironmentEntry {
  name: string;
  value?: string;
  valueFrom?: {
    fieldRef?: { fieldPath: string };
    secretKeyRef?: { name: string; key: string };
  };
}

/** Defaults: {@link PROBE_DEFAULTS}. */
export interface Probe {
  httpGet: { path: string; port: number | string };
  initialDelaySeconds?: number;
  periodSeconds?: number;
  timeoutSeconds?: number;
  failureThreshold?: number;
  successThreshold?: number;
}

export const PROBE_DEFAULTS = {
  initialDelaySeconds: 0,
  periodSeconds: 10,
  timeoutSeconds: 1,
  failureThreshold: 3,
  successThreshold: 1,
} as const;

export const DEFAULT_GRACE_PERIOD_SECONDS = 30;
/** Of Deployments. */
export const DEFAULT_BOUND = '25%';

/** The one container of a pod. */
export function containerOf({ spec: { containers } }: PodTemplate): Container {
  const [container] = containers;
  if (container === undefined || containers.length > 1) throw new TypeError('a pod of the lab has one container');
  return container;
}

/** The number behind the name of a port. */
export function portOf(container: Container, port: number | string): number {
  if (typeof port === 'number') return port;
  const found = container.ports.find(({ name }) => name === port);
  if (found === undefined) throw new TypeError(`the container ${container.name} has no port ${port}`);
  return found.containerPort;
}

/** Identifies a template: a pod of another revision is out of date. */
export function revisionOf(template: PodTemplate): string {
  return createHash('sha256').update(JSON.stringify(template)).digest('hex').slice(0, 10);
}

export function matches(selector: Labels, labels: Labels): boolean {
  return Object.entries(selector).every(([key, value]) => labels[key] === value);
}
