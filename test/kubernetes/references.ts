/** What schemas cannot tell and an API server or a cluster would: whether names are unique and legal, and whether references fit. */
import type { KubernetesObject } from './chart.ts';

// biome-ignore lint/suspicious/noExplicitAny: parts of objects, whose shape the schemas of Kubernetes check.
type Part = any;

/** A label of DNS, by RFC 1123. */
const LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
/** A StatefulSet adds its revision's hash to its name, for the label controller-revision-hash. */
const MAX_STATEFUL_SET_NAME = 52;
const MAX_PORT_NAME = 15;

/** Problems of objects that are in one namespace, each as `Kind name: text`. */
export function referenceProblems(objects: readonly KubernetesObject[]): string[] {
  const pods = objects.filter(({ spec }) => spec?.template?.spec !== undefined);
  return objects.flatMap((object) => {
    const problems = [
      ...nameProblems(object),
      ...(pods.includes(object) ? podProblems(object['spec'], objects) : []),
      ...selectorProblems(object, pods),
      ...(object.kind === 'Service' ? serviceProblems(object, pods) : []),
      ...(object.kind === 'Ingress' ? ingressProblems(object, objects) : []),
      ...(/^(?:HTTP|TLS)Route$/.test(object.kind) ? routeProblems(object, objects) : []),
    ];
    return problems.map((problem) => `${object.kind} ${object.metadata.name}: ${problem}`);
  });
}

/** Two objects of one kind with one name, in the list of all. */
export function duplicateProblems(objects: readonly KubernetesObject[]): string[] {
  return duplicates(objects.map(({ kind, metadata: { name, namespace = '' } }) => `${kind} ${namespace} ${name}`));
}

function nameProblems({ kind, metadata: { name, labels = {} } }: KubernetesObject): string[] {
  const problems = [];
  if (kind === 'Service' && !/^[a-z]/.test(name)) problems.push('the name must begin with a letter');
  if (/^(?:Service|StatefulSet|Deployment|Namespace)$/.test(kind) && !LABEL.test(name))
    problems.push('no label of DNS');
  if (kind === 'StatefulSet' && name.length > MAX_STATEFUL_SET_NAME)
    problems.push('too long for the label of a revision');
  for (const [key, value] of Object.entries(labels)) {
    if (!/^(?:[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/.test(value)) problems.push(`label ${key}: ${value}`);
  }
  return problems;
}

function podProblems(workload: Part, objects: readonly KubernetesObject[]): string[] {
  const pod = workload.template.spec;
  const claims: string[] = (workload.volumeClaimTemplates ?? []).map(({ metadata }: Part) => metadata.name);
  const volumes: string[] = [...(pod.volumes ?? []).map(({ name }: Part) => name), ...claims];
  const used = new Set<string>();
  const problems = duplicates(volumes).map((name) => `two volumes ${name}`);
  for (const name of volumes) if (!LABEL.test(name)) problems.push(`volume ${name}: no label of DNS`);
  const containers: Part[] = [...(pod.initContainers ?? []), ...pod.containers];
  for (const container of containers) {
    const { ports = [], env = [], volumeMounts = [] } = container;
    const names: string[] = ports.map(({ name }: Part) => name);
    problems.push(
      ...duplicates(names).map((name) => `two ports ${name}`),
      ...duplicates(ports.map(({ containerPort, protocol }: Part) => `${containerPort} ${protocol}`)),
      ...duplicates(env.map(({ name }: Part) => `variable ${name}`)),
      ...duplicates(volumeMounts.map(({ mountPath }: Part) => `mount ${mountPath.replace(/\/$/, '')}`)),
      ...names.filter((name) => name.length > MAX_PORT_NAME).map((name) => `port ${name}: the name is too long`),
    );
    for (const { name } of volumeMounts) {
      used.add(name);
      if (!volumes.includes(name)) problems.push(`there is no volume ${name}`);
    }
    for (const key of ['startupProbe', 'livenessProbe', 'readinessProbe']) {
      const port = (container[key]?.httpGet ?? container[key]?.tcpSocket)?.port;
      if (port !== undefined && !portsOf([container]).has(port)) problems.push(`${key}: there is no port ${port}`);
    }
  }
  problems.push(...volumes.filter((name) => !used.has(name)).map((name) => `nothing mounts ${name}`));
  for (const { configMap } of pod.volumes ?? []) {
    if (configMap !== undefined && !has(objects, 'ConfigMap', configMap.name)) problems.push(`no ${configMap.name}`);
  }
  const account = pod.serviceAccountName;
  if (account !== undefined && !has(objects, 'ServiceAccount', account)) problems.push(`no account ${account}`);
  return problems;
}

/** Selectors of workloads, Services, budgets and policies find pods, and a workload finds its own. */
function selectorProblems(object: KubernetesObject, pods: readonly KubernetesObject[]): string[] {
  const { kind, spec } = object;
  const isOwner = pods.includes(object) && kind !== 'Job';
  const labels = kind === 'Service' ? spec.selector : (spec?.podSelector ?? spec?.selector)?.matchLabels;
  if (labels === undefined || kind === 'ServiceMonitor') return [];
  const found = pods.filter((pod) => matches(pod, labels));
  const problems = found.length === 0 ? ['its selector finds no pods'] : [];
  if (isOwner && (found.length !== 1 || found[0] !== object)) problems.push('its selector finds pods of others');
  return problems;
}

function serviceProblems({ spec, metadata }: KubernetesObject, pods: readonly KubernetesObject[]): string[] {
  const ports: Part[] = spec.ports;
  const containers = pods
    .filter((pod) => matches(pod, spec.selector))
    .flatMap((pod) => pod['spec'].template.spec.containers);
  const known = portsOf(containers);
  const problems = [...duplicates(ports.map(({ name }) => name)), ...duplicates(ports.map(({ port }) => `${port}`))];
  if (ports.length > 1 && ports.some(({ name }) => name === undefined)) problems.push('a port has no name');
  for (const { name, port, targetPort = port } of ports) {
    if (!known.has(targetPort)) problems.push(`port ${name}: no container has ${targetPort}`);
    // A headless Service translates nothing.
    if (spec.clusterIP === 'None' && numberOf(containers, targetPort) !== port)
      problems.push(`port ${name} is not ${port}`);
  }
  return problems.map((problem) => `${metadata.name}: ${problem}`);
}

function ingressProblems({ spec }: KubernetesObject, objects: readonly KubernetesObject[]): string[] {
  return spec.rules
    .flatMap(({ http }: Part) => http.paths)
    .flatMap(({ backend: { service } }: Part) =>
      backendProblems(service.name, service.port.name ?? service.port.number, objects),
    );
}

function routeProblems({ spec }: KubernetesObject, objects: readonly KubernetesObject[]): string[] {
  return spec.rules
    .flatMap(({ backendRefs }: Part) => backendRefs)
    .flatMap(({ name, port }: Part) => backendProblems(name, port, objects));
}

function backendProblems(name: string, port: string | number, objects: readonly KubernetesObject[]): string[] {
  const service = objects.find((object) => object.kind === 'Service' && object.metadata.name === name);
  const isThere = service?.['spec'].ports.some((candidate: Part) => candidate.name === port || candidate.port === port);
  return isThere ? [] : [`there is no port ${port} of a Service ${name}`];
}

function matches(workload: KubernetesObject, labels: Record<string, string>): boolean {
  const own = workload['spec'].template.metadata?.labels ?? {};
  return Object.entries(labels).every(([key, value]) => own[key] === value);
}

/** Names and numbers. */
function portsOf(containers: readonly Part[]): Set<string | number> {
  return new Set(
    containers.flatMap(({ ports = [] }) => ports.flatMap((port: Part) => [port.name, port.containerPort])),
  );
}

function numberOf(containers: readonly Part[], port: string | number): number | undefined {
  const ports: Part[] = containers.flatMap(({ ports = [] }) => ports);
  return ports.find(({ name, containerPort }) => name === port || containerPort === port)?.containerPort;
}

function has(objects: readonly KubernetesObject[], kind: string, name: string): boolean {
  return objects.some((object) => object.kind === kind && object.metadata.name === name);
}

function duplicates(values: readonly string[]): string[] {
  return values
    .filter((value, index) => value !== undefined && values.indexOf(value) !== index)
    .map((value) => `twice: ${value}`);
}
