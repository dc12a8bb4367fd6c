/**
 * The table of operations of the REST API. The URL parser, the routers of gateway and bridge, retries, metrics, traces and
 * the OpenAPI document read it. To add an operation, add an entry to the file of its kind beside this one, and a handler to the
 * bridge.
 */
import {
  CLUSTERS_PATH,
  PREPARE_PATH,
  PROMOTE_PATH,
  REJOIN_PATH,
  REPLICATION_ENDED_PATH,
  TAIL_PATH,
} from '../clusters.ts';
import { DELIVERED_PATH, SESSIONS_PATH } from '../routing.ts';
import { CONSUMER_OPERATIONS } from './consumers.ts';
import type { Method, OperationEntry, RetryClass, Right } from './operation.ts';
import { SERVICE_OPERATIONS } from './service.ts';
import { TOPIC_OPERATIONS } from './topics.ts';

export const OPERATIONS = [...SERVICE_OPERATIONS, ...TOPIC_OPERATIONS, ...CONSUMER_OPERATIONS];

export type NamedOperation = (typeof OPERATIONS)[number]['operation'];

/** The operation of a request. `unknown`: the API has no such path, or not with this method. */
export type Operation = NamedOperation | 'unknown';

const ENTRIES: ReadonlyMap<string, OperationEntry<NamedOperation>> = new Map(
  OPERATIONS.map((entry) => [entry.operation, entry]),
);

export function entryOf(operation: NamedOperation): OperationEntry<NamedOperation> {
  const entry = ENTRIES.get(operation);
  if (entry === undefined) throw new TypeError(`no operation ${operation}`);
  return entry;
}

/** The path template of an operation, as in OpenAPI and OpenTelemetry: `/topics/{topic}`. */
export function routeTemplateOf(operation: Operation): string | undefined {
  return ENTRIES.get(operation)?.path;
}

export function retryClassOf(operation: Operation): RetryClass | 'unknown' {
  return ENTRIES.get(operation)?.retry ?? 'unknown';
}

/** Whether the operation stores records. */
export function isProduce(operation: Operation): boolean {
  return ENTRIES.get(operation)?.kind === 'produce';
}

/** The right that an operation needs; `undefined`: every principal may. */
export function rightOf(operation: Operation): Right | undefined {
  return ENTRIES.get(operation)?.right;
}

const ENFORCED_BY_BRIDGES: ReadonlySet<string> = new Set(
  [...ENTRIES.values()].flatMap(({ operation, path, right }) =>
    right === undefined || path.includes('{topic}') ? [] : [operation],
  ),
);

/** Whether a bridge decides, too, whether the principal may: by whose the consumer is, and by topics that the URL does not name. */
export function isEnforcedByBridge(operation: Operation): boolean {
  return ENFORCED_BY_BRIDGES.has(operation);
}

/** Whether the operation is about the process itself. Monitoring requests these all the time. */
export function isManagement(operation: Operation): boolean {
  return ENTRIES.get(operation)?.kind === 'management';
}

/** Requests that only gateways send, to bridges. For clients, these paths do not exist. */
export const INTERNAL_OPERATIONS = [
  /** Confirms a delivery. The bridge responds 204 whether it knows the consumer or not. */
  {
    internal: 'confirmDelivery',
    method: 'POST',
    path: `/consumers/{group}/instances/{instance}${DELIVERED_PATH}`,
  },
  /** Lists the consumers of a bridge, for gateways that send `causeway-operator`; query `filter`, `limit`. */
  { internal: 'listSessions', method: 'GET', path: SESSIONS_PATH },
  /** Of the bridge's Kafka cluster, for gateways that send `causeway-operator`, as are the next five. */
  { internal: 'clusterStatus', method: 'GET', path: CLUSTERS_PATH },
  { internal: 'promoteCluster', method: 'POST', path: PROMOTE_PATH },
  { internal: 'rejoinCluster', method: 'POST', path: REJOIN_PATH },
  { internal: 'prepareReplication', method: 'POST', path: PREPARE_PATH },
  { internal: 'endReplication', method: 'POST', path: REPLICATION_ENDED_PATH },
  { internal: 'readTail', method: 'POST', path: TAIL_PATH },
] as const satisfies readonly { internal: string; method: Method; path: string }[];

const CLUSTER_OPERATIONS: ReadonlySet<InternalOperation> = new Set([
  'clusterStatus',
  'promoteCluster',
  'rejoinCluster',
  'prepareReplication',
  'endReplication',
  'readTail',
]);

/** Whether the request is about the Kafka cluster of the bridges that get it: any bridge of the region can serve it, and none elsewhere. */
export function isClusterOperation(internal: InternalOperation | undefined): boolean {
  return internal !== undefined && CLUSTER_OPERATIONS.has(internal);
}

export type InternalOperation = (typeof INTERNAL_OPERATIONS)[number]['internal'];
