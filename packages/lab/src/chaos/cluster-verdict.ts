/** Decides whether what a scenario with two Kafka clusters found fulfils its claims. Pure. */
import { REGION_NAMES } from '../stack/regions.ts';
import type { ClusterAccounts } from './cluster-accounts.ts';
import type { ProbeCounts } from './cluster-probe.ts';
import type { ClusterAllowance } from './cluster-scenario.ts';
import type { FleetSummary } from './fleet-ledger.ts';
import { faultsOf } from './verdict.ts';

export interface ClusterFindings {
  /** Without the records that are in a report. */
  summary: FleetSummary;
  accounts: Omit<ClusterAccounts, 'tail'>;
  /** Of both bridges. */
  probes: ProbeCounts;
  promotions: number;
  reportCount: number;
  /** Switch-overs that were refused though they should not be, or the other way round. */
  refusals: readonly string[];
  /** Repeated deliveries of records that the promoted cluster knew to be delivered. */
  excessRepeats: number;
  /** Repeated deliveries of records that were committed, or that a bridge commits before it gives a consumer up. */
  committedRepeats: number;
  /** After a promotion: repeated deliveries of records that the consumer before had acknowledged. */
  lateRepeats: number;
  /** See `MachinePace`. */
  slowness: number;
}

/** Violated claims, a sentence each; empty for a scenario that passed. */
export function faultsOfClusters(found: ClusterFindings, allowed: ClusterAllowance): string[] {
  const { summary, accounts, probes, promotions, reportCount, refusals, slowness } = found;
  const { excessRepeats, lateRepeats, committedRepeats } = found;
  const { fixedMs, workMs, duplicates } = allowed;
  const maxGapMs = Math.round(fixedMs + workMs * slowness);
  const { reportedRecords, standingRecords, isFinal, silentlyMissing, wronglyReported } = accounts;
  const fenced = probes.refused.fenced ?? 0;
  return [
    ...faultsOf(
      { summary: { ...summary, lateDuplicates: lateRepeats }, slowness },
      {
        detectionMs: fixedMs,
        workMs,
        duplicates: 'lastBatch',
        brokenConnections: 'none',
      },
    ),
    ...(summary.longestProduceGapMs > maxGapMs
      ? [`nothing was acknowledged for ${Math.round(summary.longestProduceGapMs)} ms (allowed ${maxGapMs})`]
      : []),
    ...REGION_NAMES.filter((name) => silentlyMissing[name] > 0).map(
      (name) => `${silentlyMissing[name]} acknowledged records are not in ${name}'s Kafka, and in no report`,
    ),
    ...(reportCount === allowed.losses ? [] : [`${reportCount} reports of losses (expected ${allowed.losses})`]),
    ...(isFinal ? [] : ['the report is not final, though the lost cluster returned']),
    ...(reportedRecords === standingRecords
      ? []
      : [`the report counts ${reportedRecords} records, and ${standingRecords} are in its ranges`]),
    ...(wronglyReported > 0 ? [`${wronglyReported} records are reported as lost, and were not`] : []),
    ...(duplicates === 'uncommitted' && committedRepeats > 0
      ? [`${committedRepeats} duplicates of committed records`]
      : []),
    ...(excessRepeats > 0 ? [`${excessRepeats} duplicates of records that the last sync knew to be delivered`] : []),
    ...(promotions === allowed.promotions ? [] : [`${promotions} promotions (expected ${allowed.promotions})`]),
    ...refusals,
    ...(probes.accepted > 0 ? [`${probes.accepted} writes were accepted by a cluster that does not serve`] : []),
    ...(allowed.losses > 0 && fenced === 0 ? ['no write to the fenced cluster was tried'] : []),
  ];
}
