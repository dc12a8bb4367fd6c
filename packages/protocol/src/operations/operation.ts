/** An entry in the table of operations: everything that the system knows about one operation. */
import type { Content, RequestBody } from './content.ts';

export type Method = 'GET' | 'POST' | 'DELETE';

/**
 * - `management`: health and metrics. Each process responds for itself, even when it is overloaded.
 * - `service`: version and description of the API.
 * - `topics`: reads and creates topics.
 * - `produce`: stores records.
 * - `consumer`: creates a consumer, or operates on one.
 */
export type OperationKind = 'management' | 'service' | 'topics' | 'produce' | 'consumer';

/**
 * Whether a gateway repeats a request that may have been executed:
 *
 * - `read`: always, even after a timeout, since no client can prolong it.
 * - `repeatable`: yes, except after a timeout at a target that responds to probes: the request waits by its client's wish.
 * - `stores`: as `retry.produce` of the gateway's configuration says.
 */
export type RetryClass = 'read' | 'repeatable' | 'stores';

/**
 * What a principal needs, by the rules of a gateway. `consume`: of the group, and of every topic that the operation names; the others: of the topic.
 */
export type Right = 'produce' | 'consume' | 'describe' | 'createTopics';

export interface OperationEntry<Id extends string = string> {
  /** The `operationId` of the OpenAPI document, and the label of metrics, logs and traces. */
  readonly operation: Id;
  /** HEAD is served wherever GET is. */
  readonly method: Method;
  /** The path template (RFC 6570, level 1), as in `/topics/{topic}`. Also the route in traces. */
  readonly path: string;
  readonly kind: OperationKind;
  readonly retry: RetryClass;
  /** Absent: every principal may. */
  readonly right?: Right;
  /** Absent: the operation ignores a body. */
  readonly body?: RequestBody;
  readonly summary: string;
  readonly tags: readonly string[];
  readonly query?: Readonly<Record<string, object>>;
  /** Headers of a request, beside those of every one. */
  readonly headers?: Readonly<Record<string, object>>;
  /** The status of a success. */
  readonly status: number;
  readonly response?: Content;
  /** Headers of a success that clients may want to read. */
  readonly responseHeaders?: Readonly<Record<string, object>>;
  /**
   * Statuses of errors, except 400 for an invalid URL, and 413 and 415 for a body. 403 comes from
   * Kafka, or from the rules of a gateway; 503 may also mean
   * that the bridge is overloaded.
   */
  readonly errors?: readonly number[];
  /** What a status means here, where the number alone does not say it. */
  readonly meanings?: Readonly<Partial<Record<number, string>>>;
}

/** Keeps the names of the operations as literal types. */
export function defineOperations<const Id extends string>(
  entries: readonly OperationEntry<Id>[],
): readonly OperationEntry<Id>[] {
  return entries;
}
