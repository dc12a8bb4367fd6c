/** What is known of one request when it ends: the line of the access log, and the spans of its trace. */
import type { IncomingMessage } from 'node:http';
import type { Trust } from '@causeway/config/trust.ts';
import { gatewayHeader } from '@causeway/http/trust.ts';
import type { Operation } from '@causeway/protocol/operations/table.ts';
import { parsePrincipal } from '@causeway/protocol/principal.ts';
import { GATEWAY_HEADER, PRINCIPAL_HEADER } from '@causeway/protocol/routing.ts';
import type { RequestEnd, RequestWatch } from '../http/request-watch.ts';
import type { ProduceResult, RecordToProduce } from '../records.ts';
import type { RequestTrace } from './request-trace.ts';

/** Longer texts are cut in the log. */
const MAX_PATH_LENGTH = 1_024;
const MAX_HEADER_LENGTH = 256;

export interface RecordOptions {
  operation: Operation;
  request: IncomingMessage;
  /** Of the client, before the proxies and gateways that are trusted. */
  address: string;
  /** Whether its word on whom it forwards for is believed. */
  trust: Trust;
  requestId: string;
  /** Of the request's traceparent, or the one that this bridge began. */
  traceId: string | undefined;
  trace: RequestTrace | undefined;
  /** Of ended requests. */
  onFinished: (record: RequestRecord, end: RequestEnd) => void;
}

export class RequestRecord implements RequestWatch {
  readonly onHeaders: RequestWatch['onHeaders'];
  readonly #options: RecordOptions;
  readonly #startedAt = Date.now();
  readonly #startMs = performance.now();
  #producedCount: number | undefined;
  #failedCount: number | undefined;
  #polledCount: number | undefined;
  #sentBytes = 0;

  constructor(options: RecordOptions) {
    this.#options = options;
    const { trace } = options;
    this.onHeaders = trace?.isRecording === true ? (headers) => trace.linkTo(headers) : undefined;
  }

  producing(topic: string, records: readonly RecordToProduce[]): void {
    this.#options.trace?.producing(topic, records);
  }

  produced(results: readonly ProduceResult[]): void {
    this.#failedCount = results.reduce((count, result) => count + ('offset' in result ? 0 : 1), 0);
    this.#producedCount = results.length - this.#failedCount;
    this.#options.trace?.produced(results);
  }

  polling(consumer: { group: string; name: string }): void {
    this.#options.trace?.polling(consumer);
  }

  polled(recordCount: number): void {
    this.#polledCount = recordCount;
    this.#options.trace?.polled(recordCount);
  }

  responding(bytes: number): void {
    this.#sentBytes = bytes;
  }

  finished(end: RequestEnd): void {
    this.#options.trace?.finished(end);
    this.#options.onFinished(this, end);
  }

  /** The line of the access log. Nothing of a body, a query or the headers that may hold secrets is in it. */
  entry({ status, outcome, receivedBytes }: RequestEnd): object {
    const { operation, request, address, trust, requestId, traceId } = this.#options;
    const { headers } = request;
    return {
      at: new Date(this.#startedAt).toISOString(),
      requestId,
      traceId,
      client: address,
      principal: principalOf(request, trust),
      forwardedFor: trust === 'client' ? undefined : cut(headers['x-forwarded-for']),
      gateways: trust === 'gateway' ? cut(headers[GATEWAY_HEADER]) : undefined,
      method: request.method,
      operation,
      path: (request.url ?? '').split('?', 1)[0]?.slice(0, MAX_PATH_LENGTH),
      status: outcome === 'clientGone' ? null : status,
      outcome,
      producedRecords: this.#producedCount,
      failedRecords: this.#failedCount,
      polledRecords: this.#polledCount,
      receivedBytes,
      sentBytes: this.#sentBytes,
      // To microseconds.
      durationMs: Math.round((performance.now() - this.#startMs) * 1_000) / 1_000,
    };
  }
}

/** Of the client, as a gateway has authenticated it. */
export function principalOf(request: Pick<IncomingMessage, 'headers'>, trust: Trust): string | undefined {
  return parsePrincipal(gatewayHeader(trust, request, PRINCIPAL_HEADER));
}

function cut(header: string | string[] | undefined): string | undefined {
  return header === undefined ? undefined : String(header).slice(0, MAX_HEADER_LENGTH);
}
