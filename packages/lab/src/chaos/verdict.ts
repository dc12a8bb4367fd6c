/** Decides whether a scenario's numbers fulfil its claims. Pure. */
import type { KeyedSummary } from '../exactly-once/history-check.ts';
import type { ClientErrorCount } from '../traffic/books.ts';
import type { FleetSummary } from './fleet-ledger.ts';
import type { Allowance } from './scenario.ts';

export interface Findings {
  summary: FleetSummary;
  /** Of a run with keys. */
  keyed?: KeyedSummary | undefined;
  /** The slowdown compared with a quiet machine, see `MachinePace`. */
  slowness: number;
}

/** Violated claims, a sentence each; empty for a scenario that passed. */
export function faultsOf({ summary, keyed, slowness }: Findings, allowed: Allowance): string[] {
  const maxGapMs = Math.round(allowed.detectionMs + allowed.workMs * slowness);
  const failures = summary.errors.filter((error) => !isAllowed(error, allowed));
  const faults = [
    ...(summary.acknowledged === 0 ? ['nothing was acknowledged'] : []),
    ...(summary.notStored === undefined ? ['Kafka could not be read back'] : []),
    ...(summary.notStored ? [`${summary.notStored} acknowledged records are not in Kafka`] : []),
    ...Object.entries(summary.undelivered).map(
      ([group, count]) => `${count} acknowledged records were not delivered to group ${group}`,
    ),
    ...failures.map(describeError),
    ...(summary.extraCreates > 0 ? [`${summary.extraCreates} consumers created again`] : []),
    ...(summary.longestGapMs > maxGapMs
      ? [`a group waited ${Math.round(summary.longestGapMs)} ms (allowed ${maxGapMs})`]
      : []),
  ];
  if (allowed.duplicates === 'none' && summary.duplicates > 0) faults.push(`${summary.duplicates} duplicates`);
  if (summary.lateDuplicates > 0) faults.push(`${summary.lateDuplicates} duplicates of acknowledged records`);
  return keyed === undefined ? faults : [...faults, ...faultsOfKeys(summary, keyed)];
}

/** Of a broken promise, some examples are enough. */
const SHOWN_FAULTS = 5;

function faultsOfKeys({ storedTwice, uncommittedDeliveries }: FleetSummary, { keys, faults }: KeyedSummary): string[] {
  const rest = faults.length - SHOWN_FAULTS;
  return [
    ...(keys === 0 ? ['no request had a key'] : []),
    ...(storedTwice ? [`${storedTwice} records are in the topic more than once`] : []),
    ...(uncommittedDeliveries ? [`${uncommittedDeliveries} deliveries of records that are not committed`] : []),
    ...faults.slice(0, SHOWN_FAULTS),
    ...(rest > 0 ? [`${rest} more faults of keys`] : []),
  ];
}

function isAllowed({ kind }: ClientErrorCount, { brokenConnections }: Allowance): boolean {
  return brokenConnections === 'ofOwnGateway' && kind === 'connection lost';
}

function describeError({ operation, kind, message, count }: ClientErrorCount): string {
  return `${count} × ${operation}: ${kind}${message === undefined ? '' : ` (${message})`}`;
}
