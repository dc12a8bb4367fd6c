/** What follows single requests, for the access log and for traces. While both are off there is none of it. */
import type { IncomingMessage } from 'node:http';
import type { Trust, TrustPolicy } from '@causeway/config/trust.ts';
import type { RequestOutcome } from '@causeway/metrics/request-outcome.ts';
import type { Operation } from '@causeway/protocol/paths.ts';
import type { ProduceResult, RecordToProduce, StoredRecord } from '../records.ts';

export interface Watcher {
  /** `undefined` for what nobody follows: probes. */
  begin(operation: Operation, request: IncomingMessage, believed: Believed): RequestWatch | undefined;
}

/** How far a request is believed, and by which lists. */
export interface Believed {
  trust: Trust;
  policy: TrustPolicy;
}

/** Follows one request; is told what it does, and of its end. */
export interface RequestWatch {
  /** Records are about to be stored. They may get headers. */
  producing(topic: string, records: readonly RecordToProduce[]): void;
  produced(results: readonly ProduceResult[]): void;
  polling(consumer: { group: string; name: string }): void;
  /** Is told the headers of each record of a poll's answer; `undefined` when nobody wants to know. */
  readonly onHeaders: ((headers: StoredRecord['headers']) => void) | undefined;
  /** How many records the answer has. */
  polled(recordCount: number): void;
  /** The body of the answer. */
  responding(bytes: number): void;
  finished(end: RequestEnd): void;
}

export interface RequestEnd {
  /** Of the answer, complete or not. */
  status: number;
  outcome: RequestOutcome;
  /** Of the body. */
  receivedBytes: number;
}
