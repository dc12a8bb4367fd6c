/** The account of each request from its arrival to the end of its response: metrics, access log, trace, held memory. */

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Trust, TrustPolicy } from '@causeway/config/trust.ts';
import { peerOf } from '@causeway/http/connection.ts';
import { trustOf } from '@causeway/http/trust.ts';
import { outcomeOfStatus } from '@causeway/metrics/request-outcome.ts';
import type { Operation } from '@causeway/protocol/operations/table.ts';
import type { Metrics } from '../metrics.ts';
import type { Load } from './load.ts';
import type { RequestWatch, Watcher } from './request-watch.ts';

export interface VisitsOptions {
  load: Load;
  metrics: Metrics;
  trust: TrustPolicy;
  /** For the access log and traces; `undefined` while both are off. */
  watcher: Watcher | undefined;
}

export class Visits {
  readonly #options: VisitsOptions;

  constructor(options: VisitsOptions) {
    this.#options = options;
  }

  /** Counts the request as in flight until its response is complete or its client is gone. */
  begin(operation: Operation, request: IncomingMessage, response: ServerResponse): Visit {
    const { load, metrics, trust: policy, watcher } = this.#options;
    const trust = trustOf(policy, peerOf(request.socket), request);
    const watch = watcher?.begin(operation, request, { trust, policy });
    const visit = new Visit({ operation, trust, watch, load });
    load.requestCount += 1;
    response.once('close', () => {
      load.requestCount -= 1;
      visit.end();
      const outcome = response.writableFinished ? outcomeOfStatus(response.statusCode) : 'clientGone';
      metrics.countRequest(operation, outcome, performance.now() - visit.startedAtMs);
      watch?.finished({ status: response.statusCode, outcome, receivedBytes: visit.receivedBytes });
    });
    return visit;
  }

  /** Counts a response to a request that was not visited: a preflight, or bytes that are no request. */
  count(status: number): void {
    this.#options.metrics.countRequest('unknown', outcomeOfStatus(status), 0);
  }
}

/** One request in flight. */
export class Visit {
  readonly operation: Operation;
  readonly startedAtMs = performance.now();
  /** How far the request is trusted. */
  readonly trust: Trust;
  readonly watch: RequestWatch | undefined;
  /** Of its body, as the client sent it. */
  receivedBytes = 0;
  readonly #load: Load;
  #heldBytes = 0;
  #isOver = false;
  /** Made at its first use. */
  #over: AbortController | undefined;

  constructor({
    operation,
    trust,
    watch,
    load,
  }: Pick<Visit, 'operation' | 'trust'> & { watch: RequestWatch | undefined; load: Load }) {
    this.operation = operation;
    this.trust = trust;
    this.watch = watch;
    this.#load = load;
  }

  /** Aborts when the request has its response, or its client is gone. */
  get over(): AbortSignal {
    this.#over ??= new AbortController();
    if (this.#isOver) this.#over.abort();
    return this.#over.signal;
  }

  /** Counts bytes of its body in memory until it ends; fewer, if negative. */
  hold(bytes: number): void {
    // What it held was given back at its end.
    if (this.#isOver) return;
    this.#heldBytes += bytes;
    this.#load.hold(bytes);
  }

  end(): void {
    this.#isOver = true;
    this.#load.hold(-this.#heldBytes);
    this.#over?.abort();
  }
}
