/** The endpoints of a Service: which of its pods get traffic (kubernetes/staging/src/k8s.io/endpointslice/utils.go). Pure. */
import { type Container, matches, type PodTemplate, type Service } from './objects.ts';

interface EndpointPod {
  readonly name: string;
  readonly address: string;
  readonly template: PodTemplate;
  readonly container: Container;
  readonly isReady: boolean;
  readonly isTerminating: boolean;
  readonly isGone: boolean;
}

export interface Endpoint {
  name: string;
  address: string;
  container: Container;
}

/** What DNS answers for the name of a headless Service: with `publishNotReadyAddresses` every pod until it is gone. */
export function published(service: Service, pods: readonly EndpointPod[]): Endpoint[] {
  const { publishNotReadyAddresses = false } = service.spec;
  return endpoints(
    selected(service, pods).filter(
      ({ isReady, isTerminating }) => publishNotReadyAddresses || (isReady && !isTerminating),
    ),
  );
}

/** Where kube-proxy sends connections: to ready pods, and without any to pods that terminate and still serve. */
export function served(service: Service, pods: readonly EndpointPod[]): Endpoint[] {
  const serving = selected(service, pods).filter(({ isReady }) => isReady);
  const staying = serving.filter(({ isTerminating }) => !isTerminating);
  return endpoints(staying.length > 0 ? staying : serving);
}

function selected({ spec: { selector } }: Service, pods: readonly EndpointPod[]): EndpointPod[] {
  return pods.filter(({ isGone, template }) => !isGone && matches(selector, template.metadata.labels));
}

function endpoints(pods: readonly EndpointPod[]): Endpoint[] {
  return pods.map(({ name, address, container }) => ({ name, address, container }));
}
