/** Follows the requests of a gateway, for the access log and for traces. */
import { isManagement } from '@causeway/protocol/operations/table.ts';
import { REQUEST_ID_HEADER, requestIdOf } from '@causeway/telemetry/request-id.ts';
import { Telemetry, type TelemetryOptions } from '@causeway/telemetry/telemetry.ts';
import { parseTraceparent, TRACEPARENT, TRACESTATE } from '@causeway/telemetry/trace-context.ts';
import type { ClientRequest } from '../exchange/client-request.ts';
import type { RequestEnd, RequestWatch, Watcher } from '../exchange/request-watch.ts';
import { RequestRecord } from './request-record.ts';
import type { RequestTraces, TraceHeaders } from './request-trace.ts';

export interface WatchOptions extends TelemetryOptions {
  /** Milliseconds, never going back. */
  now: () => number;
  random: () => number;
}

export class RequestWatcher implements Watcher {
  readonly telemetry: Telemetry;
  readonly #options: WatchOptions;
  readonly #traces: RequestTraces | undefined;

  private constructor(options: WatchOptions, telemetry: Telemetry, traces: RequestTraces | undefined) {
    this.#options = options;
    this.telemetry = telemetry;
    this.#traces = traces;
  }

  /** `undefined` if access log and traces are off; then nothing is loaded. Errors: of the access log's file. */
  static async start(options: WatchOptions): Promise<RequestWatcher | undefined> {
    const telemetry = await Telemetry.open(options);
    if (telemetry?.tracing === undefined) return telemetry && new RequestWatcher(options, telemetry, undefined);
    const { RequestTraces } = await import('./request-trace.ts');
    return new RequestWatcher(options, telemetry, new RequestTraces(telemetry.tracing.tracer));
  }

  begin(request: ClientRequest): RequestWatch | undefined {
    if (isManagement(request.url.operation)) return undefined;
    const { headers } = request.message;
    const requestId = requestIdOf(headers[REQUEST_ID_HEADER]);
    const trace = this.#traces?.begin(request);
    return new RequestRecord({
      request,
      requestId,
      trace,
      traceId: trace?.traceId ?? parseTraceparent(headers[TRACEPARENT])?.traceId,
      now: this.#options.now,
      onFinished: (record, end) => this.#write(record, end),
      headersOf: (own, context) => headersOf(own, requestId, context),
    });
  }

  #write(record: RequestRecord, end: RequestEnd): void {
    const { accessLog, random } = this.#options;
    const { log } = this.telemetry;
    if (log === undefined || accessLog === undefined) return;
    const isRemarkable =
      end.status >= 500 || end.outcome === 'gatewayError' || end.outcome === 'clientGone' || record.attempts.length > 1;
    if (isRemarkable || random() < accessLog.sampleRatio) log.write(record.entry(end));
  }
}

/** An attempt's headers with the request's id, and with the span of this gateway in place of the client's. */
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
