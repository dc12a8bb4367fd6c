/** Reports connections that a listener closed before their first request: each kind at most once a minute. */
import { ReportPaces } from '@causeway/config/report-pace.ts';
import type { Drop, DropReason } from '@causeway/http/entrance.ts';

export interface RefusedConnectionsReport {
  listener: string;
  /** Since the last report of the kind, including this one. */
  connectionCount: number;
  reason: string;
}

export interface RefusedConnectionsOptions {
  listener: string;
  onReport: (report: RefusedConnectionsReport) => void;
  /** Milliseconds, never going back. */
  now: () => number;
}

export class RefusedConnections {
  readonly #options: RefusedConnectionsOptions;
  readonly #paces = new ReportPaces<DropReason>();

  constructor(options: RefusedConnectionsOptions) {
    this.#options = options;
  }

  add(drop: Drop): void {
    const { listener, onReport, now } = this.#options;
    const connectionCount = this.#paces.count(drop.reason, now());
    if (connectionCount !== undefined) onReport({ listener, connectionCount, reason: describe(drop) });
  }
}

function describe({ reason, address, detail }: Drop): string {
  return reason === 'proxyHeader' ? `a connection of ${address} has no valid PROXY header: ${detail}` : detail;
}
