/** Access log and tracing of one program, if they are on: opened, counted and closed together. */
import { AccessLog } from './access-log.ts';
import type { TelemetryCounts } from './metrics.ts';
import type { AccessLogConfig, TracingConfig } from './sections.ts';
import type { Tracing } from './tracing.ts';

export interface TelemetryOptions {
  accessLog: AccessLogConfig | undefined;
  tracing: TracingConfig | undefined;
  /** `name`, or `region/name`: the process that wrote a line or a span. */
  instance: string;
  region: string | undefined;
  /** Lines or spans cannot be written, or can be written again (`undefined`). */
  onTrouble: (what: 'accessLog' | 'tracing', reason: string | undefined) => void;
}

export class Telemetry implements TelemetryCounts {
  readonly log: AccessLog | undefined;
  readonly tracing: Tracing | undefined;

  private constructor(log: AccessLog | undefined, tracing: Tracing | undefined) {
    this.log = log;
    this.tracing = tracing;
  }

  /** `undefined` while both are off; the tracing library is loaded only when tracing is on. Errors: those of the access log's file. */
  static async open({ accessLog, tracing, onTrouble, ...who }: TelemetryOptions): Promise<Telemetry | undefined> {
    if (accessLog === undefined && tracing === undefined) return undefined;
    const log =
      accessLog && (await AccessLog.open({ ...accessLog, onTrouble: (reason) => onTrouble('accessLog', reason) }));
    if (tracing === undefined) return new Telemetry(log, undefined);
    const { Tracing } = await import('./tracing.ts');
    return new Telemetry(log, new Tracing({ ...tracing, ...who, onTrouble: (reason) => onTrouble('tracing', reason) }));
  }

  /** Lines that were dropped because the disk was too slow. */
  get droppedLineCount(): number {
    return this.log?.droppedCount ?? 0;
  }

  /** Spans that were lost. */
  get lostSpanCount(): number {
    return this.tracing?.lostCount ?? 0;
  }

  /** Reopens the access log after a rotation. */
  reopen(): void {
    this.log?.reopen();
  }

  /** Sends and writes the remaining spans and lines, within bounds. */
  async close(): Promise<void> {
    await Promise.all([this.log?.close(), this.tracing?.close()]);
  }
}
