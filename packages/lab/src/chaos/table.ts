/** The results of scenarios as a table of text. */
import type { KeyedSummary } from '../exactly-once/history-check.ts';
import type { ScenarioResult } from './run.ts';

const COLUMNS: readonly { title: string; width: number; value: (result: ScenarioResult) => string }[] = [
  { title: 'acked', width: 6, value: ({ summary }) => String(summary.acknowledged) },
  { title: 'lost', width: 5, value: ({ summary }) => String(summary.lost) },
  { title: 'failed: produce', width: 16, value: ({ summary }) => String(summary.produceErrors) },
  { title: 'consumer', width: 9, value: ({ summary }) => String(summary.consumerErrors) },
  { title: 're-created', width: 11, value: ({ summary }) => String(summary.extraCreates) },
  { title: 'duplicates', width: 11, value: ({ summary }) => String(summary.duplicates) },
  { title: 'stored twice', width: 13, value: ({ summary }) => String(summary.storedTwice ?? '-') },
  { title: 'most to one', width: 12, value: ({ summary }) => String(summary.mostDuplicatesToOne) },
  { title: 'gap', width: 7, value: ({ summary }) => seconds(summary.longestGapMs) },
  { title: 'wait', width: 7, value: ({ summary }) => seconds(summary.longestWaitMs) },
  { title: 'adopted', width: 8, value: ({ adoptions }) => String(adoptions.count) },
  { title: 'median', width: 8, value: ({ adoptions }) => (adoptions.medianMs ? seconds(adoptions.medianMs) : '-') },
  {
    title: 'read+claim+wait+join',
    width: 22,
    value: ({ adoptions: { stageMeansMs } }) =>
      stageMeansMs.size === 0 ? '-' : `${[...stageMeansMs.values()].map((ms) => ms.toFixed(0)).join('+')} ms`,
  },
];
const NAME_WIDTH = 20;

export function formatHeader(): string {
  return `${'scenario'.padEnd(NAME_WIDTH)}${COLUMNS.map(({ title, width }) => title.padStart(width)).join('')}`;
}

/** One line, one more about keys if there are any, and one for each violated claim. */
export function formatRow(result: ScenarioResult): string {
  const cells = COLUMNS.map(({ value, width }) => value(result).padStart(width)).join('');
  const verdict = result.faults.length === 0 ? '  ok' : '  FAILED';
  const { keyed, summary, faults } = result;
  return [
    `${result.name.padEnd(NAME_WIDTH)}${cells}${verdict}`,
    ...(keyed === undefined ? [] : [`    ${inWords(keyed)}; ${summary.uncommitted ?? '-'} records not committed`]),
    ...faults.map((fault) => `    ${fault}`),
  ].join('\n');
}

function inWords({ keys, requests, replayed, replayedAtOnce }: KeyedSummary): string {
  return `${keys} keys, ${requests} requests; ${replayed} answers repeated, ${replayedAtOnce} of them at the first request`;
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(2)}s`;
}
