/** Decides whether a scenario's numbers fulfil its claims. Pure. */
import type { ClientErrorCount } from '../traffic/books.ts';
import type { FleetSummary } from './fleet-ledger.ts';
import type { Allowance } from './scenario.ts';

/**
 * Violated claims, a sentence each; empty for a scenario that passed. `slowness`: the slowdown compared with a quiet machine,
 * see `MachinePace`.
 */
export function faultsOf(summary: FleetSummary, allowed: Allowance, slowness: number): string[] {
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
  return faults;
}

function isAllowed({ kind }: ClientErrorCount, { brokenConnections }: Allowance): boolean {
  return brokenConnections === 'ofOwnGateway' && kind === 'connection lost';
}

function describeError({ operation, kind, message, count }: ClientErrorCount): string {
  return `${count} × ${operation}: ${kind}${message === undefined ? '' : ` (${message})`}`;
}
