/** What the clients of a run tell whoever keeps the books, and errors counted by operation and kind. */

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
  /** What the answer said, if it said something. */
  message?: string | undefined;
}

/** How many of one operation and kind, with the message of the first. */
export interface ClientErrorCount extends ClientError {
  count: number;
}

/** What a producer tells. */
export interface ProducerBooks {
  /** The number of the next record, counted from 1. */
  nextRecord(): number;
  acknowledge(record: number, latencyMs: number): void;
  clientError(error: ClientError): void;
}

/** A record of this run as a consumer got it. */
export interface Delivery {
  record: number;
  partition: number;
  offset: number;
}

/** What a consumer tells. */
export interface ConsumerBooks {
  /** A `POST /consumers` was sent. */
  creating(): void;
  /** A poll was answered, be it without records. */
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
