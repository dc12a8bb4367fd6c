/** The lines of a client that runs for ever. */
import type { ClientError, ErrorCounts } from './books.ts';
import type { ConsumeCounts, ProduceCounts } from './steady-books.ts';

/** `acknowledged 199  errors 0  gap 0.1 s  p99 17 ms`. */
export function formatProduce({ acknowledged, errors, gapMs, p99Ms }: ProduceCounts): string {
  return `acknowledged ${acknowledged}  errors ${errors}  gap ${seconds(gapMs)}  p99 ${Math.round(p99Ms)} ms`;
}

/** `delivered 199  duplicates 0  missing 0  errors 0  gap 0.1 s`. */
export function formatConsume({ delivered, duplicates, missing, errors, gapMs }: ConsumeCounts): string {
  return `delivered ${delivered}  duplicates ${duplicates}  missing ${missing}  errors ${errors}  gap ${seconds(gapMs)}`;
}

/** `send  HTTP 503: No region is available.`. */
export function formatClientError({ operation, kind, message }: ClientError): string {
  return `${operation}  ${kind}${message === undefined ? '' : `: ${message}`}`;
}

/** A line for each kind of error, with the message of its first. */
export function formatErrorCounts(errors: ErrorCounts): string[] {
  return errors.list().map(({ count, ...error }) => `  ${count} × ${formatClientError(error)}`);
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}
