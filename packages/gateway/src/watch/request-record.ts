/** Records one request and its attempts, for its line in the access log and the spans of its trace. */

import type { ClientRequest } from '../exchange/client-request.ts';
import type { Outcome } from '../exchange/outcome.ts';
import type { RequestEnd, RequestWatch } from '../exchange/request-watch.ts';
import type { Target } from '../regions/target.ts';
import type { AttemptRecord } from './attempt-record.ts';
import type { RequestTrace, TraceHeaders } from './request-trace.ts';

/** Longer paths are cut in the log. */
const MAX_PATH_LENGTH = 1_024;
const MAX_FORWARDED_LENGTH = 256;

export interface RecordOptions {
  request: ClientRequest;
  requestId: string;
  /** Of the client's traceparent, or of the trace that this gateway began. */
  traceId: string | undefined;
  trace: RequestTrace | undefined;
  /** Milliseconds, never going back. */
  now: () => number;
  /** Called when the request has ended. */
  onFinished: (record: RequestRecord, end: RequestEnd) => void;
  /** The headers of an attempt: the given ones, with the request's id and its place in the trace. */
  headersOf: (headers: readonly string[], traceparent: TraceHeaders | undefined) => string[];
}

export class RequestRecord implements RequestWatch {
  readonly #options: RecordOptions;
  readonly #startedAt = Date.now();
  readonly #startMs: number;
  readonly attempts: AttemptRecord[] = [];
  #open: Target | undefined;
  #openedMs = 0;

  constructor(options: RecordOptions) {
    this.#options = options;
    this.#startMs = options.now();
  }

  attempting(target: Target, headers: readonly string[]): string[] {
    const { trace, headersOf } = this.#options;
    this.#open = target;
    this.#openedMs = this.#options.now();
    return headersOf(headers, trace?.attempting(target, this.attempts));
  }

  attempted(outcome: Outcome): void {
    if (this.#open !== undefined) this.#close(this.#open, outcome);
  }

  finished(end: RequestEnd): void {
    if (this.#open !== undefined) {
      this.#close(this.#open, end.outcome === 'clientGone' ? { kind: 'clientGone' } : { kind: 'abandoned' });
    }
    this.#options.trace?.finished(end, this.attempts.length);
    this.#options.onFinished(this, end);
  }

  /** The line of the access log. It has no body, no query, and no header that may hold secrets. */
  entry({ region, outcome, status, receivedBytes, sentBytes }: RequestEnd): object {
    const { request, requestId, traceId, now } = this.#options;
    const { message, url, path, trust, clientAddress, principalName } = request;
    const forwardedFor = trust === 'client' ? undefined : message.headers['x-forwarded-for'];
    return {
      at: new Date(this.#startedAt).toISOString(),
      requestId,
      traceId,
      client: clientAddress,
      principal: principalName,
      forwardedFor: forwardedFor === undefined ? undefined : String(forwardedFor).slice(0, MAX_FORWARDED_LENGTH),
      protocol: `HTTP/${message.httpVersion}`,
      method: message.method,
      operation: url.operation,
      path: (path.split('?', 1)[0] ?? '').slice(0, MAX_PATH_LENGTH),
      status: status === 0 ? null : status,
      outcome,
      region,
      target: this.attempts.at(-1)?.target,
      attempts: this.attempts,
      receivedBytes,
      sentBytes,
      durationMs: rounded(now() - this.#startMs),
    };
  }

  #close(target: Target, outcome: Outcome | { kind: 'abandoned' }): void {
    this.#open = undefined;
    this.attempts.push({
      region: target.region,
      target: target.url,
      outcome: outcome.kind,
      ...('status' in outcome ? { status: outcome.status } : {}),
      ...('reason' in outcome ? { reason: outcome.reason } : {}),
      durationMs: rounded(this.#options.now() - this.#openedMs),
    });
    this.#options.trace?.attempted(this.attempts.at(-1) as AttemptRecord);
  }
}

/** To microseconds. */
function rounded(durationMs: number): number {
  return Math.round(durationMs * 1_000) / 1_000;
}
