/** Follows the requests of a bridge for the access log and for traces, as far as they are on. */
import type { IncomingMessage } from 'node:http';
import { clientAddress } from '@causeway/config/client-address.ts';
import { peerOf } from '@causeway/http/connection.ts';
import { isManagement, type Operation } from '@causeway/protocol/operations/table.ts';
import { formatBridge } from '@causeway/protocol/routing.ts';
import { REQUEST_ID_HEADER, requestIdOf } from '@causeway/telemetry/request-id.ts';
import { Telemetry } from '@causeway/telemetry/telemetry.ts';
import { parseTraceparent, TRACEPARENT } from '@causeway/telemetry/trace-context.ts';
import type { BridgeConfig } from '../config.ts';
import type { Believed, RequestEnd, RequestWatch, Watcher } from '../http/request-watch.ts';
import { principalOf, RequestRecord } from './request-record.ts';
import type { RequestTraces } from './request-trace.ts';

export interface WatchOptions {
  config: Pick<BridgeConfig, 'accessLog' | 'tracing' | 'bridge'>;
  /** Lines or spans cannot be written, or can be again (`undefined`). */
  onTrouble: (what: 'access log' | 'traces', reason: string | undefined) => void;
}

export class RequestWatcher implements Watcher {
  readonly telemetry: Telemetry;
  readonly #traces: RequestTraces | undefined;
  readonly #sampleRatio: number;

  private constructor({ accessLog }: WatchOptions['config'], telemetry: Telemetry, traces: RequestTraces | undefined) {
    this.telemetry = telemetry;
    this.#traces = traces;
    this.#sampleRatio = accessLog?.sampleRatio ?? 0;
  }

  /** `undefined` while access log and traces are off; nothing is loaded then. Errors: of the access log's file. */
  static async start({ config, onTrouble }: WatchOptions): Promise<RequestWatcher | undefined> {
    const { accessLog, tracing, bridge } = config;
    const telemetry = await Telemetry.open({
      accessLog,
      tracing,
      instance: formatBridge(bridge),
      region: bridge.region,
      onTrouble: (what, reason) => onTrouble(what === 'accessLog' ? 'access log' : 'traces', reason),
    });
    if (telemetry?.tracing === undefined) return telemetry && new RequestWatcher(config, telemetry, undefined);
    const { RequestTraces } = await import('./request-trace.ts');
    return new RequestWatcher(config, telemetry, new RequestTraces(telemetry.tracing.tracer));
  }

  begin(operation: Operation, request: IncomingMessage, { trust, policy }: Believed): RequestWatch | undefined {
    if (isManagement(operation)) return undefined;
    const { headers, socket } = request;
    const address = clientAddress(policy, { peerAddress: peerOf(socket).address, trust, headers });
    const trace = this.#traces?.begin(operation, request, { address, principal: principalOf(request, trust) });
    return new RequestRecord({
      operation,
      request,
      address,
      trace,
      trust,
      requestId: requestIdOf(headers[REQUEST_ID_HEADER]),
      traceId: trace?.traceId ?? parseTraceparent(headers[TRACEPARENT])?.traceId,
      onFinished: (record, end) => this.#write(record, end),
    });
  }

  #write(record: RequestRecord, end: RequestEnd): void {
    const { log } = this.telemetry;
    if (log === undefined) return;
    const isRemarkable = end.outcome === '5xx' || end.outcome === 'clientGone';
    if (isRemarkable || Math.random() < this.#sampleRatio) log.write(record.entry(end));
  }
}
