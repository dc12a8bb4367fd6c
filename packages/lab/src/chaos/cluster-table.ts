/** The results of scenarios with two Kafka clusters as a table of text. */
import type { ClusterResult } from './cluster-run.ts';

const COLUMNS: readonly { title: string; width: number; value: (result: ClusterResult) => string }[] = [
  { title: 'acked', width: 6, value: ({ summary }) => String(summary.acknowledged) },
  { title: 'lost', width: 5, value: ({ summary }) => String(summary.lost) },
  { title: 'with cluster', width: 13, value: ({ accounts }) => String(accounts.lostWithCluster) },
  { title: 'reported', width: 9, value: ({ accounts }) => String(accounts.reportedRecords) },
  { title: 'failed: produce', width: 16, value: ({ summary }) => String(summary.produceErrors) },
  { title: 'consumer', width: 9, value: ({ summary }) => String(summary.consumerErrors) },
  { title: 're-created', width: 11, value: ({ summary }) => String(summary.extraCreates) },
  { title: 'duplicates', width: 11, value: ({ summary }) => String(summary.duplicates) },
  { title: 'stored twice', width: 13, value: ({ summary }) => String(summary.storedTwice ?? '-') },
  { title: 'RTO', width: 7, value: ({ summary }) => seconds(summary.longestProduceGapMs) },
  { title: 'gap', width: 7, value: ({ summary }) => seconds(summary.longestGapMs) },
  { title: 'promotions', width: 11, value: ({ promotions }) => String(promotions) },
  { title: 'refused: fenced', width: 16, value: ({ probes }) => String(probes.refused.fenced ?? 0) },
  { title: 'standby', width: 8, value: ({ probes }) => String(probes.refused.standby ?? 0) },
];
const NAME_WIDTH = 18;

export function formatClusterHeader(): string {
  return `${'scenario'.padEnd(NAME_WIDTH)}${COLUMNS.map(({ title, width }) => title.padStart(width)).join('')}`;
}

/** One line, and one for each violated claim. */
export function formatClusterRow(result: ClusterResult): string {
  const cells = COLUMNS.map(({ value, width }) => value(result).padStart(width)).join('');
  const verdict = result.faults.length === 0 ? '  ok' : '  FAILED';
  return [`${result.name.padEnd(NAME_WIDTH)}${cells}${verdict}`, ...result.faults.map((fault) => `    ${fault}`)].join(
    '\n',
  );
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(2)}s`;
}
