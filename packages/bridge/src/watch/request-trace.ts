/** The spans of one request: the bridge's own, and what it does with Kafka (semantic conventions of HTTP and messaging). */
import type { IncomingMessage } from 'node:http';
import { peerOf } from '@causeway/http/connection.ts';
import { type Operation, routeTemplateOf } from '@causeway/protocol/operations/table.ts';
import { TRACEPARENT, TRACESTATE } from '@causeway/telemetry/trace-context.ts';
import { contextOf, headersOfSpan, MAX_LINKS, spanContextOf } from '@causeway/telemetry/tracing.ts';
import { type Context, type Span, SpanKind, SpanStatusCode, type Tracer, trace } from '@opentelemetry/api';
import type { RequestEnd } from '../http/request-watch.ts';
import type { ProduceResult, RecordHeader, RecordToProduce, StoredRecord } from '../records.ts';

const TRACEPARENT_KEY = Buffer.from(TRACEPARENT);
const TRACESTATE_KEY = Buffer.from(TRACESTATE);

export interface TracedClient {
  address: string;
  principal: string | undefined;
}

export class RequestTraces {
  readonly #tracer: Tracer;

  constructor(tracer: Tracer) {
    this.#tracer = tracer;
  }

  begin(operation: Operation, request: IncomingMessage, client: TracedClient): RequestTrace {
    return new RequestTrace(this.#tracer, { operation, request, client });
  }
}

export class RequestTrace {
  readonly #tracer: Tracer;
  readonly #span: Span;
  readonly #context: Context;
  /** The work with Kafka. */
  #kafkaSpan: Span | undefined;
  /** Producers that the poll's span is linked to. */
  readonly #linked = new Set<string>();

  constructor(
    tracer: Tracer,
    { operation, request, client }: { operation: Operation; request: IncomingMessage; client: TracedClient },
  ) {
    this.#tracer = tracer;
    const method = request.method ?? 'GET';
    const route = routeTemplateOf(operation);
    const parent = contextOf(request.headers);
    const name = route === undefined ? method : `${method} ${route}`;
    this.#span = tracer.startSpan(name, { kind: SpanKind.SERVER }, parent);
    this.#context = trace.setSpan(parent, this.#span);
    if (!this.isRecording) return;
    this.#span.setAttributes({
      'http.request.method': method,
      'url.path': request.url?.split('?', 1)[0] ?? '',
      'url.scheme': peerOf(request.socket).scheme,
      'client.address': client.address,
      ...(client.principal === undefined ? {} : { 'enduser.id': client.principal }),
      'causeway.operation': operation,
      ...(route === undefined ? {} : { 'http.route': route }),
    });
  }

  /** Not for what is not sampled: it is sent only to carry the trace's id. */
  get isRecording(): boolean {
    return this.#span.isRecording();
  }

  get traceId(): string {
    return this.#span.spanContext().traceId;
  }

  /** The span of the records' way to Kafka; they take its place in the trace along, unless the client gave them another. */
  producing(topic: string, records: readonly RecordToProduce[]): void {
    const span = this.#startKafka(`send ${topic}`, SpanKind.PRODUCER, {
      'messaging.operation.name': 'send',
      'messaging.operation.type': 'send',
      'messaging.destination.name': topic,
      'messaging.batch.message_count': records.length,
    });
    const { traceparent, tracestate } = headersOfSpan((span ?? this.#span).spanContext());
    const headers: RecordHeader[] = [[TRACEPARENT_KEY, Buffer.from(traceparent)]];
    if (tracestate !== undefined) headers.push([TRACESTATE_KEY, Buffer.from(tracestate)]);
    for (const record of records) {
      if (record.headers === undefined) record.headers = headers;
      else if (!record.headers.some(([key]) => key.equals(TRACEPARENT_KEY))) {
        record.headers = [...record.headers, ...headers];
      }
    }
  }

  produced(results: readonly ProduceResult[]): void {
    const span = this.#kafkaSpan;
    if (span === undefined) return;
    const partitions = new Set(results.map((result) => ('offset' in result ? result.partition : undefined)));
    const [first] = results;
    if (partitions.size === 1 && first !== undefined && 'offset' in first) {
      span.setAttribute('messaging.destination.partition.id', String(first.partition));
      if (results.length === 1) span.setAttribute('messaging.kafka.offset', Number(first.offset));
    }
    const failed = results.find((result) => 'errorCode' in result);
    this.#endKafka(failed === undefined ? undefined : String(failed.errorCode));
  }

  polling({ group, name }: { group: string; name: string }): void {
    this.#startKafka(`poll ${group}`, SpanKind.CLIENT, {
      'messaging.operation.name': 'poll',
      'messaging.operation.type': 'receive',
      'messaging.consumer.group.name': group,
      'messaging.client.id': name,
    });
  }

  /** To the place in a trace that a record's headers name, if they do. */
  linkTo(headers: StoredRecord['headers']): void {
    if (this.#kafkaSpan === undefined || this.#linked.size >= MAX_LINKS) return;
    const parent = headers.find(([key]) => key?.equals(TRACEPARENT_KEY) === true)?.[1]?.toString('latin1');
    if (parent === undefined || this.#linked.has(parent)) return;
    const state = headers.find(([key]) => key?.equals(TRACESTATE_KEY) === true)?.[1]?.toString('latin1');
    const context = spanContextOf(parent, state);
    if (context === undefined) return;
    this.#linked.add(parent);
    this.#kafkaSpan.addLink({ context });
  }

  polled(recordCount: number): void {
    this.#kafkaSpan?.setAttribute('messaging.batch.message_count', recordCount);
  }

  finished({ status, outcome }: RequestEnd): void {
    const isAnswered = outcome !== 'clientGone';
    const errorType = !isAnswered ? outcome : status >= 500 ? String(status) : undefined;
    // Records of a request that wants no response are still on their way.
    if (!isAnswered || status !== 204)
      this.#endKafka(isAnswered && status < 400 ? undefined : (errorType ?? String(status)));
    if (isAnswered) this.#span.setAttribute('http.response.status_code', status);
    end(this.#span, errorType);
  }

  #startKafka(name: string, kind: SpanKind, attributes: Record<string, string | number>): Span | undefined {
    if (!this.isRecording) return undefined;
    const options = { kind, attributes: { 'messaging.system': 'kafka', ...attributes } };
    const span = this.#tracer.startSpan(name, options, this.#context);
    this.#kafkaSpan = span;
    return span;
  }

  #endKafka(errorType: string | undefined): void {
    const span = this.#kafkaSpan;
    if (span === undefined) return;
    this.#kafkaSpan = undefined;
    end(span, errorType);
  }
}

function end(span: Span, errorType: string | undefined): void {
  if (errorType !== undefined) {
    span.setAttribute('error.type', errorType);
    span.setStatus({ code: SpanStatusCode.ERROR });
  }
  span.end();
}
