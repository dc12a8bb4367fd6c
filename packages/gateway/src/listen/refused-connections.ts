/** Reports connections that a listener closed before their first request: each kind at most once a minute. */
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

const REPORT_INTERVAL_MS = 60_000;

export class RefusedConnections {
  readonly #options: RefusedConnectionsOptions;
  readonly #kinds = new Map<DropReason, { connectionCount: number; reportedAtMs: number }>();

  constructor(options: RefusedConnectionsOptions) {
    this.#options = options;
  }

  add(drop: Drop): void {
    const { listener, onReport, now } = this.#options;
    const kind = this.#kinds.get(drop.reason) ?? { connectionCount: 0, reportedAtMs: Number.NEGATIVE_INFINITY };
    this.#kinds.set(drop.reason, kind);
    kind.connectionCount += 1;
    const nowMs = now();
    if (nowMs - kind.reportedAtMs < REPORT_INTERVAL_MS) return;
    kind.reportedAtMs = nowMs;
    const { connectionCount } = kind;
    kind.connectionCount = 0;
    onReport({ listener, connectionCount, reason: describe(drop) });
  }
}

function describe({ reason, address, detail }: Drop): string {
  return reason === 'proxyHeader' ? `a connection of ${address} has no valid PROXY header: ${detail}` : detail;
}
