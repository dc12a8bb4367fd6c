/** Follows single requests for the access log and traces. Does not exist while both are off. */
import type { IncomingMessage } from 'node:http';
import type { Trust, TrustPolicy } from '@causeway/config/trust.ts';
import type { RequestOutcome } from '@causeway/metrics/request-outcome.ts';
import type { Operation } from '@causeway/protocol/operations/table.ts';
import type { ProduceResult, RecordToProduce, StoredRecord } from '../records.ts';

export interface Watcher {
  /** `undefined` for requests that are not followed: probes. */
  begin(operation: Operation, request: IncomingMessage, believed: Believed): RequestWatch | undefined;
}

/** How far a request is trusted, and by which policy. */
export interface Believed {
  trust: Trust;
  policy: TrustPolicy;
}

/** Follows one request from its beginning to its end. */
export interface RequestWatch {
  /** Records are about to be stored. The watch may add headers to them. */
  producing(topic: string, records: readonly RecordToProduce[]): void;
  produced(results: readonly ProduceResult[]): void;
  polling(consumer: { group: string; name: string }): void;
  /** Gets the headers of each record in the response to a poll; `undefined` when they are not needed. */
  readonly onHeaders: ((headers: StoredRecord['headers']) => void) | undefined;
  /** The response has `recordCount` records. */
  polled(recordCount: number): void;
  /** The body of the response has `bytes`. */
  responding(bytes: number): void;
  finished(end: RequestEnd): void;
}

export interface RequestEnd {
  /** Of the response, complete or not. */
  status: number;
  outcome: RequestOutcome;
  /** Bytes of the body. */
  receivedBytes: number;
}
