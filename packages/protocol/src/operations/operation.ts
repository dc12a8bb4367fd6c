/** What the system knows of an operation of the REST API: one entry holds everything. */
import type { Content, RequestBody } from './content.ts';

export type Method = 'GET' | 'POST' | 'DELETE';

/**
 * - `management`: how the process is; each process answers for itself, even when it is overloaded.
 * - `service`: about the API.
 * - `topics`: reads and creates topics.
 * - `produce`: stores records.
 * - `consumer`: creates a consumer, or is about one.
 */
export type OperationKind = 'management' | 'service' | 'topics' | 'produce' | 'consumer';

/**
 * Whether a gateway repeats a request that may have been executed:
 *
 * - `read`: always, even after a timeout, since no client can prolong it.
 * - `repeatable`: yes, but not after a timeout at a target that is alive; the request waits for what its client asked for.
 * - `stores`: as `retry.produce` of the gateway's configuration says.
 */
export type RetryClass = 'read' | 'repeatable' | 'stores';

export interface OperationEntry<Id extends string = string> {
  /** The `operationId` of the OpenAPI document, and the label of metrics, logs and traces. */
  readonly operation: Id;
  /** HEAD is served where GET is. */
  readonly method: Method;
  /** The template of the path (RFC 6570, level 1): `/topics/{topic}`; the route of traces. */
  readonly path: string;
  readonly kind: OperationKind;
  readonly retry: RetryClass;
  /** Absent: the operation has no body, and ignores one. */
  readonly body?: RequestBody;
  readonly summary: string;
  readonly tags: readonly string[];
  readonly query?: Readonly<Record<string, object>>;
  /** The status of a success. */
  readonly status: number;
  readonly answer?: Content;
  /**
   * Statuses of errors, besides 400 for an invalid URL, and 413 and 415 where there is a body. 403 is Kafka's; 503 also
   * says that the bridge is overloaded.
   */
  readonly errors?: readonly number[];
}

/** Keeps the names of the operations as literal types. */
export function defineOperations<const Id extends string>(
  entries: readonly OperationEntry<Id>[],
): readonly OperationEntry<Id>[] {
  return entries;
}
