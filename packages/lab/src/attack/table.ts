/** The results of attacks as a table of text. */
import type { AttackResult } from './run.ts';
import { inMib } from './verdict.ts';

const NAME_WIDTH = 17;
const COLUMNS: readonly { title: string; width: number; value: (result: AttackResult) => string }[] = [
  { title: 'acked', width: 7, value: ({ window }) => String(window.acknowledged) },
  {
    title: 'errors',
    width: 8,
    value: ({ window }) => String(window.errors.reduce((sum, { count }) => sum + count, 0)),
  },
  { title: 'p99', width: 9, value: ({ window }) => `${Math.round(window.p99Ms)} ms` },
  { title: 'max', width: 10, value: ({ window }) => `${Math.round(window.maxMs)} ms` },
  { title: 'gap', width: 8, value: ({ window }) => `${(window.longestGapMs / 1_000).toFixed(2)} s` },
  { title: 'tier-1', width: 19, value: (result) => vitalsOf(result, (name) => name.startsWith('tier-1')) },
  { title: 'gateways', width: 19, value: (result) => vitalsOf(result, (name) => /^(east|west) gateway/.test(name)) },
  { title: 'bridges', width: 19, value: (result) => vitalsOf(result, (name) => name.endsWith('bridge')) },
  { title: 'lab', width: 9, value: ({ ownLateMs }) => `${Math.round(ownLateMs)} ms` },
];

/** The most memory and the longest delay of an event loop of one tier. */
function vitalsOf({ vitals }: AttackResult, isOfLevel: (name: string) => boolean): string {
  const level = vitals.filter(({ name }) => isOfLevel(name));
  const rssBytes = Math.max(0, ...level.map((process) => process.rssBytes));
  const lateMs = Math.max(0, ...level.map((process) => process.lateMs));
  return `${inMib(rssBytes)}, ${Math.round(lateMs)} ms`;
}

export function formatHeader(): string {
  return `${'attack'.padEnd(NAME_WIDTH)}${COLUMNS.map(({ title, width }) => title.padStart(width)).join('')}`;
}

/** One line, and one more for each violated claim. */
export function formatRow(result: AttackResult): string {
  const cells = COLUMNS.map(({ value, width }) => value(result).padStart(width)).join('');
  const verdict = result.faults.length === 0 ? '  ok' : '  FAILED';
  return [`${result.name.padEnd(NAME_WIDTH)}${cells}${verdict}`, ...result.faults.map((fault) => `    ${fault}`)].join(
    '\n',
  );
}
