/** The spans of one request: the gateway's own, and one for each attempt (semantic conventions of HTTP spans). */
import { portOf } from '@causeway/protocol/http-grammar.ts';
import { routeTemplateOf } from '@causeway/protocol/operations/table.ts';
import { contextOf, headersOfSpan } from '@causeway/telemetry/tracing.ts';
import { type Context, type Span, SpanKind, SpanStatusCode, type Tracer, trace } from '@opentelemetry/api';
import type { ClientRequest } from '../exchange/client-request.ts';
import type { RequestEnd } from '../exchange/request-watch.ts';
import type { Target } from '../regions/target.ts';
import { type AttemptRecord, retryReason } from './attempt-record.ts';

/** The headers that make a target's spans children of this one. */
export interface TraceHeaders {
  traceparent: string;
  tracestate: string | undefined;
}

export class RequestTraces {
  readonly #tracer: Tracer;

  constructor(tracer: Tracer) {
    this.#tracer = tracer;
  }

  begin(request: ClientRequest): RequestTrace {
    return new RequestTrace(this.#tracer, request);
  }
}

export class RequestTrace {
  readonly #tracer: Tracer;
  readonly #span: Span;
  readonly #context: Context;
  readonly #method: string;
  readonly #request: ClientRequest;
  /** Name of the spans: a method, and a path without the names of topics and consumers. */
  readonly #name: string;
  #attempt: Span | undefined;

  constructor(tracer: Tracer, request: ClientRequest) {
    const { message, method, url, path, peer, clientAddress } = request;
    this.#tracer = tracer;
    this.#request = request;
    this.#method = method;
    const route = routeTemplateOf(url.operation);
    this.#name = route === undefined ? this.#method : `${this.#method} ${route}`;
    const parent = contextOf(message.headers);
    this.#span = tracer.startSpan(this.#name, { kind: SpanKind.SERVER }, parent);
    this.#context = trace.setSpan(parent, this.#span);
    // A span that is not sampled only carries the trace's id.
    if (!this.#span.isRecording()) return;
    this.#span.setAttributes({
      'http.request.method': this.#method,
      'url.path': path.split('?', 1)[0] ?? '',
      'url.scheme': peer.scheme,
      'network.protocol.version': peer.protocol === 'h2' ? '2' : message.httpVersion,
      'client.address': clientAddress,
      'network.peer.address': peer.address,
      'causeway.operation': url.operation,
      ...(route === undefined ? {} : { 'http.route': route }),
    });
  }

  get traceId(): string {
    return this.#span.spanContext().traceId;
  }

  /** `before`: the attempts that failed. Returns the trace headers of the attempt. */
  attempting(target: Target, before: readonly AttemptRecord[]): TraceHeaders {
    if (!this.#span.isRecording()) return headersOfSpan(this.#span.spanContext());
    const url = new URL(target.url);
    const last = before.at(-1);
    this.#attempt = this.#tracer.startSpan(
      this.#name,
      {
        kind: SpanKind.CLIENT,
        attributes: {
          'http.request.method': this.#method,
          'server.address': url.hostname,
          'server.port': portOf(url),
          'causeway.region': target.region,
          'causeway.target': target.url,
          ...(last === undefined
            ? {}
            : { 'http.request.resend_count': before.length, 'causeway.retry.reason': retryReason(last) }),
        },
      },
      this.#context,
    );
    return headersOfSpan(this.#attempt.spanContext());
  }

  attempted({ outcome, status, reason }: AttemptRecord): void {
    const span = this.#attempt;
    if (span === undefined) return;
    this.#attempt = undefined;
    span.setAttribute('causeway.outcome', outcome);
    if (status !== undefined) span.setAttribute('http.response.status_code', status);
    // For a client span every status from 400 on is an error (semantic conventions).
    if (status === undefined || status >= 400) {
      span.setAttribute('error.type', status === undefined ? outcome : String(status));
      span.setStatus({ code: SpanStatusCode.ERROR, ...(reason === undefined ? {} : { message: reason }) });
    }
    span.end();
  }

  finished({ region, outcome, status }: RequestEnd, attemptCount: number): void {
    const span = this.#span;
    if (!span.isRecording()) return;
    const { principalName } = this.#request;
    if (principalName !== undefined) span.setAttribute('enduser.id', principalName);
    span.setAttributes({
      'causeway.region': region,
      'causeway.outcome': outcome,
      'causeway.attempts': attemptCount,
      ...(status === 0 ? {} : { 'http.response.status_code': status }),
    });
    if (status >= 500 || status === 0) {
      span.setAttribute('error.type', status === 0 ? outcome : String(status));
      span.setStatus({ code: SpanStatusCode.ERROR });
    }
    span.end();
  }
}
