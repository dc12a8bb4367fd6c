/** Follows the requests of a gateway for the access log and for traces, as far as they are on. */
import type { Operation } from '@causeway/protocol/paths.ts';
import { AccessLog } from '@causeway/telemetry/access-log.ts';
import { REQUEST_ID_HEADER, requestIdOf } from '@causeway/telemetry/request-id.ts';
import type { AccessLogConfig, TracingConfig } from '@causeway/telemetry/sections.ts';
import { parseTraceparent, TRACEPARENT, TRACESTATE } from '@causeway/telemetry/trace-context.ts';
import type { Tracing } from '@causeway/telemetry/tracing.ts';
import type { RequestEnd, RequestWatch, WatchedRequest, Watcher } from '../proxy/request-watch.ts';
import { RequestRecord, type TraceHeaders } from './request-record.ts';
import type { RequestTraces } from './request-trace.ts';

export interface WatchOptions {
  accessLog: AccessLogConfig | undefined;
  tracing: TracingConfig | undefined;
  /** `name`, or `region/name`: who wrote a line or a span. */
  instance: string;
  region: string | undefined;
  /** Milliseconds, never going back. */
  now: () => number;
  random: () => number;
  /** Lines or spans cannot be written, or can be again (`undefined`). */
  onTrouble: (what: 'accessLog' | 'tracing', reason: string | undefined) => void;
}

/** Asked by machines all the time. */
const NOT_FOLLOWED: ReadonlySet<Operation> = new Set(['healthy', 'ready', 'metrics']);

export class RequestWatcher implements Watcher {
  readonly #options: WatchOptions;
  readonly #log: AccessLog | undefined;
  readonly #tracing: Tracing | undefined;
  readonly #traces: RequestTraces | undefined;

  private constructor(
    options: WatchOptions,
    {
      log,
      tracing,
      traces,
    }: { log: AccessLog | undefined; tracing: Tracing | undefined; traces: RequestTraces | undefined },
  ) {
    this.#options = options;
    this.#log = log;
    this.#tracing = tracing;
    this.#traces = traces;
  }

  /** `undefined` while both are off; nothing is loaded then. Errors: of the access log's file. */
  static async start(options: WatchOptions): Promise<RequestWatcher | undefined> {
    const { accessLog, tracing, onTrouble, instance, region } = options;
    if (accessLog === undefined && tracing === undefined) return undefined;
    const log =
      accessLog && (await AccessLog.open({ ...accessLog, onTrouble: (reason) => onTrouble('accessLog', reason) }));
    if (tracing === undefined) return new RequestWatcher(options, { log, tracing: undefined, traces: undefined });
    const { Tracing } = await import('@causeway/telemetry/tracing.ts');
    const { RequestTraces } = await import('./request-trace.ts');
    const started = new Tracing({ ...tracing, instance, region, onTrouble: (reason) => onTrouble('tracing', reason) });
    return new RequestWatcher(options, { log, tracing: started, traces: new RequestTraces(started.tracer) });
  }

  begin(watched: WatchedRequest): RequestWatch | undefined {
    if (NOT_FOLLOWED.has(watched.url.operation)) return undefined;
    const { headers } = watched.request;
    const requestId = requestIdOf(headers[REQUEST_ID_HEADER]);
    const trace = this.#traces?.begin(watched);
    const parent = headers[TRACEPARENT];
    return new RequestRecord({
      ...watched,
      requestId,
      trace,
      traceId: trace?.traceId ?? (typeof parent === 'string' ? parseTraceparent(parent)?.traceId : undefined),
      now: this.#options.now,
      onFinished: (record, end) => this.#write(record, end),
      headersOf: (own, context) => headersOf(own, requestId, context),
    });
  }

  /** Lines that were dropped since the disk was too slow. */
  get droppedLineCount(): number {
    return this.#log?.droppedCount ?? 0;
  }

  /** Spans that no receiver took. */
  get lostSpanCount(): number {
    return this.#tracing?.lostCount ?? 0;
  }

  /** After a rotation. */
  reopen(): void {
    this.#log?.reopen();
  }

  /** Sends and writes what is left, within bounds. */
  async close(): Promise<void> {
    await Promise.all([this.#log?.close(), this.#tracing?.close()]);
  }

  #write(record: RequestRecord, end: RequestEnd): void {
    const { accessLog, random } = this.#options;
    if (this.#log === undefined || accessLog === undefined) return;
    const isRemarkable =
      end.status >= 500 ||
      end.outcome === 'gateway_error' ||
      end.outcome === 'client_gone' ||
      record.attempts.length > 1;
    if (isRemarkable || random() < accessLog.sampleRatio) this.#log.write(record.entry(end));
  }
}

/** An attempt's headers: with the request's id, and below a span of this gateway instead of the client's. */
function headersOf(own: readonly string[], requestId: string, context: TraceHeaders | undefined): string[] {
  const headers: string[] = [];
  for (let index = 0; index + 1 < own.length; index += 2) {
    const name = own[index] as string;
    if (name === REQUEST_ID_HEADER || (context !== undefined && (name === TRACEPARENT || name === TRACESTATE)))
      continue;
    headers.push(name, own[index + 1] as string);
  }
  headers.push(REQUEST_ID_HEADER, requestId);
  if (context === undefined) return headers;
  headers.push(TRACEPARENT, context.traceparent);
  if (context.tracestate !== undefined) headers.push(TRACESTATE, context.tracestate);
  return headers;
}
