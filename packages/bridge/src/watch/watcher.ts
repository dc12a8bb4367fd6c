/** Follows the requests of a bridge for the access log and for traces, as far as they are on. */
import type { IncomingMessage } from 'node:http';
import { isTrusted, plainAddress, trustedNetworks } from '@causeway/config/networks.ts';
import type { Operation } from '@causeway/protocol/paths.ts';
import { formatBridge } from '@causeway/protocol/routing.ts';
import { AccessLog } from '@causeway/telemetry/access-log.ts';
import { REQUEST_ID_HEADER, requestIdOf } from '@causeway/telemetry/request-id.ts';
import { parseTraceparent, TRACEPARENT } from '@causeway/telemetry/trace-context.ts';
import type { Tracing } from '@causeway/telemetry/tracing.ts';
import type { BridgeConfig } from '../config.ts';
import type { RequestEnd, RequestWatch, Watcher } from '../routes/request-watch.ts';
import { RequestRecord } from './request-record.ts';
import type { RequestTraces } from './request-trace.ts';

export interface WatchOptions {
  config: Pick<BridgeConfig, 'accessLog' | 'tracing' | 'bridge' | 'trust'>;
  /** Lines or spans cannot be written, or can be again (`undefined`). */
  onTrouble: (what: 'access log' | 'traces', reason: string | undefined) => void;
}

interface Parts {
  log: AccessLog | undefined;
  tracing: Tracing | undefined;
  traces: RequestTraces | undefined;
}

/** Asked by machines all the time. */
const NOT_FOLLOWED: ReadonlySet<Operation> = new Set(['healthy', 'ready', 'metrics']);

export class RequestWatcher implements Watcher {
  readonly #parts: Parts;
  readonly #sampleRatio: number;
  readonly #isTrusted: (address: string) => boolean;

  private constructor({ accessLog, trust }: WatchOptions['config'], parts: Parts) {
    this.#parts = parts;
    this.#sampleRatio = accessLog?.sampleRatio ?? 0;
    const networks = trustedNetworks(trust.peers);
    this.#isTrusted = (address) => isTrusted(networks, address);
  }

  /** `undefined` while both are off; nothing is loaded then. Errors: of the access log's file. */
  static async start({ config, onTrouble }: WatchOptions): Promise<RequestWatcher | undefined> {
    const { accessLog, tracing, bridge } = config;
    if (accessLog === undefined && tracing === undefined) return undefined;
    const log =
      accessLog && (await AccessLog.open({ ...accessLog, onTrouble: (reason) => onTrouble('access log', reason) }));
    if (tracing === undefined) return new RequestWatcher(config, { log, tracing: undefined, traces: undefined });
    const { Tracing } = await import('@causeway/telemetry/tracing.ts');
    const { RequestTraces } = await import('./request-trace.ts');
    const started = new Tracing({
      ...{ ...tracing, instance: formatBridge(bridge), region: bridge.region },
      onTrouble: (reason) => onTrouble('traces', reason),
    });
    return new RequestWatcher(config, { log, tracing: started, traces: new RequestTraces(started.tracer) });
  }

  begin(operation: Operation, request: IncomingMessage): RequestWatch | undefined {
    if (NOT_FOLLOWED.has(operation)) return undefined;
    const { headers, socket } = request;
    const address = plainAddress(socket.remoteAddress);
    const trace = this.#parts.traces?.begin(operation, request, address);
    const parent = headers[TRACEPARENT];
    return new RequestRecord({
      ...{ operation, request, address, trace },
      isTrusted: this.#isTrusted(address),
      requestId: requestIdOf(headers[REQUEST_ID_HEADER]),
      traceId: trace?.traceId ?? (typeof parent === 'string' ? parseTraceparent(parent)?.traceId : undefined),
      onFinished: (record, end) => this.#write(record, end),
    });
  }

  /** Lines that were dropped since the disk was too slow. */
  get droppedLineCount(): number {
    return this.#parts.log?.droppedCount ?? 0;
  }

  /** Spans that no receiver took. */
  get lostSpanCount(): number {
    return this.#parts.tracing?.lostCount ?? 0;
  }

  /** After a rotation. */
  reopen(): void {
    this.#parts.log?.reopen();
  }

  /** Sends and writes what is left, within bounds. */
  async close(): Promise<void> {
    await Promise.all([this.#parts.log?.close(), this.#parts.tracing?.close()]);
  }

  #write(record: RequestRecord, end: RequestEnd): void {
    const { log } = this.#parts;
    if (log === undefined) return;
    const isRemarkable = end.outcome === 'serverError' || end.outcome === 'aborted';
    if (isRemarkable || Math.random() < this.#sampleRatio) log.write(record.entry(end));
  }
}
