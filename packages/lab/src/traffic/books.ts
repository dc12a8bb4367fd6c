/** The interface between clients and the ledger of a run, and errors counted by operation and kind. */

import type { AcknowledgedPlace } from './loss-reports.ts';

/** The requests of the lab's clients, by the API's operation names. */
export type ClientOperation =
  | 'send'
  | 'createConsumer'
  | 'subscribe'
  | 'assign'
  | 'seekToBeginning'
  | 'poll'
  | 'commit'
  | 'deleteConsumer';

/** A request that failed for the client. */
export interface ClientError {
  operation: ClientOperation;
  /** `HTTP 503`, `connection refused`. */
  kind: string;
  /** The message of the response, if it has one. */
  message?: string | undefined;
}

/** The count of errors of one operation and kind, with the message of the first. */
export interface ClientErrorCount extends ClientError {
  count: number;
}

/** Events of a producer. */
export interface ProducerBooks {
  /** The number of the next record, counted from 1. */
  nextRecord(): number;
  /** `place`: where the response says that it is. */
  acknowledge(record: number, latencyMs: number, place?: AcknowledgedPlace | undefined): void;
  clientError(error: ClientError): void;
}

/** A record that a consumer received. */
export interface Delivery {
  /** Its number in its run; 0 where the records of all runs count. */
  record: number;
  partition: number;
  offset: number;
}

/** Events of a consumer. */
export interface ConsumerBooks {
  /** A `POST /consumers` was sent. */
  creating(): void;
  /** A poll got a response, also one without records. */
  delivered(consumer: string, deliveries: readonly Delivery[]): void;
  clientError(error: ClientError): void;
}

export class ErrorCounts {
  readonly #counts = new Map<string, ClientErrorCount>();

  add(error: ClientError): void {
    const key = `${error.operation} ${error.kind}`;
    const entry = this.#counts.get(key);
    if (entry === undefined) this.#counts.set(key, { ...error, count: 1 });
    else entry.count += 1;
  }

  list(): ClientErrorCount[] {
    return [...this.#counts.values()];
  }

  total(isCounted: (error: ClientError) => boolean = () => true): number {
    return this.list().reduce((total, error) => total + (isCounted(error) ? error.count : 0), 0);
  }
}
