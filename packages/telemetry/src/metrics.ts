/** Metrics of lines and spans that the access log and the traces lost. */
import { counter } from '@causeway/metrics/declaration.ts';
import type { Exposition } from '@causeway/metrics/exposition.ts';

export const TELEMETRY_METRICS = {
  droppedLines: counter(
    'causeway_access_log_dropped_lines_total',
    'Lines of the access log that were not written because the disk was too slow.',
  ),
  lostSpans: counter(
    'causeway_trace_lost_spans_total',
    'Spans of traces that were not sent: the receiver rejected them, or the queue was full.',
  ),
};

/** Counts since the start. */
export interface TelemetryCounts {
  readonly droppedLineCount: number;
  readonly lostSpanCount: number;
}

/** `counts`: `undefined` while access log and traces are off. */
export function addTelemetryMetrics(exposition: Exposition, counts: () => TelemetryCounts | undefined): void {
  exposition.addValue(TELEMETRY_METRICS.droppedLines, () => counts()?.droppedLineCount ?? 0);
  exposition.addValue(TELEMETRY_METRICS.lostSpans, () => counts()?.lostSpanCount ?? 0);
}
