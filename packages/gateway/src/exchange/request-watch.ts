/** The seam for the access log and for traces: both follow single requests, if they are on. */
import type { Target } from '../regions/target.ts';
import type { ExchangeOutcome } from '../stats.ts';
import type { ClientRequest } from './client-request.ts';
import type { Outcome } from './outcome.ts';

export interface Watcher {
  /** `undefined` for requests that are not followed: probes. */
  begin(request: ClientRequest): RequestWatch | undefined;
}

/** Follows one request: its attempts in turn, and its end. */
export interface RequestWatch {
  /** Returns the headers of an attempt: the given ones, with those that identify request and trace. */
  attempting(target: Target, headers: readonly string[]): string[];
  attempted(outcome: Outcome): void;
  finished(end: RequestEnd): void;
}

export interface RequestEnd {
  /** Of the last attempt; `none` without one. */
  region: string;
  outcome: ExchangeOutcome;
  /** 0: the client got no response. */
  status: number;
  /** Of the bodies. */
  receivedBytes: number;
  sentBytes: number;
}
