/** What follows single requests, for the access log and for traces. While both are off there is none of it. */
import type { Target } from '../regions/target.ts';
import type { ExchangeOutcome } from '../stats.ts';
import type { ClientRequest } from './client-request.ts';
import type { Outcome } from './outcome.ts';

export interface Watcher {
  /** `undefined` for requests that are not followed: probes. */
  begin(request: ClientRequest): RequestWatch | undefined;
}

/** Follows one request; is told of its attempts in turn, and of its end. */
export interface RequestWatch {
  /** The headers of an attempt, from those that it would have without. */
  attempting(target: Target, headers: readonly string[]): string[];
  attempted(outcome: Outcome): void;
  finished(end: RequestEnd): void;
}

export interface RequestEnd {
  /** The last that was asked; `none` where no region was. */
  region: string;
  outcome: ExchangeOutcome;
  /** 0: the client got no answer. */
  status: number;
  /** Of the bodies. */
  receivedBytes: number;
  sentBytes: number;
}
