/** Sends spans to an OTLP receiver. Loads OpenTelemetry's SDK: import it only when tracing is on. */
import { setTimeout as delay } from 'node:timers/promises';
import {
  type Context,
  createTraceState,
  ROOT_CONTEXT,
  type SpanContext,
  TraceFlags,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  BatchSpanProcessor,
  ParentBasedSampler,
  type SpanExporter,
  type SpanProcessor,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import type { TracingConfig } from './sections.ts';
import { formatTraceparent, parseTraceparent, TRACEPARENT, TRACESTATE } from './trace-context.ts';

const DEFAULT_PATH = '/v1/traces';
/** Spans are sent together after this long, or when there are this many. */
const EXPORT_INTERVAL_MS = 1_000;
const EXPORT_SPANS = 512;
/** Time limit for one batch, including retries; then its spans are lost. */
const EXPORT_TIMEOUT_MS = 10_000;
/** How long closing waits for the last spans. */
const CLOSE_TIMEOUT_MS = 2_000;
const EXPORT_SUCCEEDED = 0;
/** Longer texts (paths, names) are cut. */
const MAX_ATTRIBUTE_LENGTH = 1_024;
/** Links of one span: the producers of a poll's records. */
export const MAX_LINKS = 128;

export interface TracingOptions extends TracingConfig {
  /** `name`, or `region/name`: the process within the service. */
  instance: string;
  region: string | undefined;
  /** The receiver rejects spans (reported once, not for each batch), or accepts them again (`undefined`). */
  onTrouble: (reason: string | undefined) => void;
}

export class Tracing {
  readonly tracer: Tracer;
  readonly #provider: TracerProvider;
  #isInTrouble = false;
  #isClosed = false;
  /** Spans that wait to be sent. */
  #waitingCount = 0;
  /** Spans that the full queue or the receiver rejected. */
  lostCount = 0;

  constructor({
    endpoint,
    headers,
    serviceName,
    sampleRatio,
    maxQueuedSpans,
    instance,
    region,
    onTrouble,
  }: TracingOptions) {
    const exporter = new OTLPTraceExporter({ url: urlOf(endpoint), headers, timeoutMillis: EXPORT_TIMEOUT_MS });
    this.#provider = new TracerProvider({
      resource: resourceFromAttributes({
        'service.name': serviceName,
        'service.instance.id': instance,
        ...(region === undefined ? {} : { 'causeway.region': region }),
      }),
      sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(sampleRatio) }),
      spanLimits: { attributeValueLengthLimit: MAX_ATTRIBUTE_LENGTH, linkCountLimit: MAX_LINKS },
      spanProcessors: [
        this.#bounded(
          new BatchSpanProcessor({
            exporter: this.#counted(exporter, onTrouble),
            scheduledDelayMillis: EXPORT_INTERVAL_MS,
            maxExportBatchSize: EXPORT_SPANS,
            exportTimeoutMillis: EXPORT_TIMEOUT_MS,
            maxQueueSize: maxQueuedSpans,
          }),
          maxQueuedSpans,
        ),
      ],
    });
    this.tracer = this.#provider.getTracer('causeway');
  }

  /** Sends the remaining spans, for two seconds at most. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await Promise.race([this.#provider.shutdown().catch(() => {}), delay(CLOSE_TIMEOUT_MS, undefined, { ref: false })]);
  }

  /** The processor has the same bound, but does not count the spans that it rejects. */
  #bounded(processor: SpanProcessor, maxQueuedSpans: number): SpanProcessor {
    return {
      onStart: (span, context) => processor.onStart(span, context),
      onEnd: (span) => {
        if ((span.spanContext().traceFlags & TraceFlags.SAMPLED) === 0) return;
        if (this.#waitingCount >= maxQueuedSpans) {
          this.lostCount += 1;
          return;
        }
        this.#waitingCount += 1;
        processor.onEnd(span);
      },
      forceFlush: () => processor.forceFlush(),
      shutdown: () => processor.shutdown(),
    };
  }

  #counted(exporter: SpanExporter, onTrouble: TracingOptions['onTrouble']): SpanExporter {
    return {
      export: (spans, onResult) => {
        this.#waitingCount -= spans.length;
        exporter.export(spans, (result) => {
          const hasFailed = result.code !== EXPORT_SUCCEEDED;
          if (hasFailed) this.lostCount += spans.length;
          if (hasFailed !== this.#isInTrouble && !this.#isClosed) {
            this.#isInTrouble = hasFailed;
            onTrouble(hasFailed ? (result.error?.message ?? 'unknown failure') : undefined);
          }
          onResult(result);
        });
      },
      forceFlush: () => exporter.forceFlush?.() ?? Promise.resolve(),
      shutdown: () => exporter.shutdown(),
    };
  }
}

function urlOf(endpoint: string): string {
  const url = new URL(endpoint);
  if (url.pathname === '/') url.pathname = DEFAULT_PATH;
  return url.href;
}

/** The position of a request in its trace, from its headers; without them, the root of a new trace. */
export function contextOf(headers: Readonly<Record<string, string | string[] | undefined>>): Context {
  const context = spanContextOf(headers[TRACEPARENT], headers[TRACESTATE]);
  return context === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, context);
}

/** `undefined` for an invalid traceparent. */
export function spanContextOf(
  traceparent: string | string[] | undefined,
  tracestate: string | string[] | undefined,
): SpanContext | undefined {
  const parent = parseTraceparent(traceparent);
  if (parent === undefined) return undefined;
  const { traceId, spanId, isSampled } = parent;
  const traceFlags = isSampled ? TraceFlags.SAMPLED : TraceFlags.NONE;
  const state = Array.isArray(tracestate) ? tracestate.join(',') : tracestate;
  const isRemote = true;
  if (state === undefined || state === '') return { traceId, spanId, traceFlags, isRemote };
  return { traceId, spanId, traceFlags, isRemote, traceState: createTraceState(state) };
}

/** The headers that carry a span's position to the next process. */
export function headersOfSpan({ traceId, spanId, traceFlags, traceState }: SpanContext): {
  traceparent: string;
  tracestate: string | undefined;
} {
  const isSampled = (traceFlags & TraceFlags.SAMPLED) !== 0;
  const state = traceState?.serialize();
  return {
    traceparent: formatTraceparent({ traceId, spanId, isSampled }),
    tracestate: state === '' ? undefined : state,
  };
}
