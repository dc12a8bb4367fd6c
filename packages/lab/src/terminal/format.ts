/** The lab's texts: events of processes, the live line and the final table. */
import { stripVTControlCharacters } from 'node:util';
import { assertNever } from '@causeway/protocol/assert-never.ts';
import type { ReplicationStatus } from '@causeway/protocol/clusters.ts';
import type { RegionState } from '../chaos/region-switch.ts';
import { LabError } from '../errors.ts';
import type { KeyedSummary } from '../exactly-once/history-check.ts';
import { describeExit, type ProcessEvent, type ProcessExit } from '../stack/process.ts';
import { REGION_NAMES, type RegionName } from '../stack/regions.ts';
import type { ClientErrorCount } from '../traffic/books.ts';
import type { LedgerCounts, LedgerSummary, LossSummary } from '../traffic/ledger.ts';

export type Colour = 'green' | 'red' | 'yellow' | 'dim' | 'bold';
/** Colours a text, or not. */
export type Paint = (colour: Colour, text: string) => string;

/** Of the first column of every text. */
export const NAME_WIDTH = 16;

/** `east bridge      ready after 0.6 s (process 4711)`. */
export function formatProcessEvent(event: ProcessEvent, paint: Paint): string {
  const name = `  ${event.name.padEnd(NAME_WIDTH)}`;
  const process = paint('dim', `(process ${event.pid})`);
  switch (event.type) {
    case 'started':
      return `${name} ${event.isRestart ? 'starting again' : 'starting'} ${process}`;
    case 'ready':
      return `${name} ${paint('green', event.isRestart ? 'ready again' : 'ready')} after ${seconds(event.afterMs)} ${process}`;
    case 'exited':
      switch (event.reason) {
        case 'killed':
          return `${name} ${paint('red', `killed by the lab with ${describeExit(event)}`)} ${process}`;
        case 'stopped':
          return `${name} stopped ${isOrderly(event) ? '' : `(${describeExit(event)}) `}${process}`;
        case 'unexpected':
          return `${name} ${paint('red', `died: ${describeExit(event)}`)} ${process}, its log is ${event.logFile}`;
        default:
          return assertNever(event.reason);
      }
    default:
      return assertNever(event);
  }
}

/** A JVM that handles SIGTERM exits with 128 + 15. */
function isOrderly({ exitCode }: ProcessExit): boolean {
  return exitCode === 0 || exitCode === 143;
}

/** Introduces the traffic. */
export function formatTraffic({ recordsPerSecond, topic, group }: TrafficFacts): string {
  return [
    `  Traffic: one producer, ${recordsPerSecond} records a second into the topic ${topic}, and two`,
    `  consumers in the group ${group}. They are ordinary HTTP clients, and know`,
    '  only the address of the tier-1 gateway.',
    '',
  ].join('\n');
}

export interface TrafficFacts {
  recordsPerSecond: number;
  topic: string;
  group: string;
}

const DOTS: Record<RegionState, { colour: Colour; dot: string }> = {
  up: { colour: 'green', dot: '●' },
  restoring: { colour: 'yellow', dot: '◐' },
  down: { colour: 'red', dot: '○' },
};

/**
 * `12 s  produced 240  acknowledged 240  delivered 238  duplicates 0  errors 0  gap 0.1 s  east ● west ●`, with shorter words
 * when that is wider than `columns`.
 */
export function formatLiveLine(
  elapsedMs: number,
  counts: LedgerCounts,
  { regions, clusters, paint, columns }: LiveFacts,
): string {
  const line = (words: typeof LONG_WORDS, paintLine: Paint): string => {
    const errors = `${words.errors} ${counts.clientErrors}`;
    return [
      `${Math.round(elapsedMs / 1_000)} s`,
      `${words.produced} ${counts.produced}`,
      `${words.acknowledged} ${counts.acknowledged}`,
      `${words.delivered} ${counts.delivered}`,
      `${words.duplicates} ${counts.duplicates}`,
      counts.clientErrors > 0 ? paintLine('red', errors) : errors,
      `gap ${seconds(counts.longestGapMs)}`,
      formatRegions(regions, paintLine),
      ...(clusters === undefined ? [] : [formatClusters(clusters, words)]),
    ].join(words.separator);
  };
  const unpainted: Paint = (_, text) => text;
  return line(line(LONG_WORDS, unpainted).length < columns ? LONG_WORDS : SHORT_WORDS, paint);
}

interface LiveFacts {
  regions: Record<RegionName, RegionState>;
  /** Of a lab with two. */
  clusters?: ClustersNow | undefined;
  paint: Paint;
  columns: number;
}

export interface ClustersNow {
  /** `undefined` before the first promotion. */
  active: RegionName | undefined;
  /** What the other one lacks; `undefined` while it is not measured. */
  lag: Pick<ReplicationStatus, 'records' | 'seconds' | 'problem'> | undefined;
}

/** `active east  RPO 3 records 0.4 s`: the active cluster, and what the other one lacks. */
function formatClusters({ active, lag }: ClustersNow, { active: word, records, separator }: typeof LONG_WORDS): string {
  const isKnown = lag !== undefined && lag.problem === null;
  const behind = isKnown ? `${lag.records}${records} ${lag.seconds.toFixed(1)} s` : '?';
  return `${word}${active ?? 'none'}${separator}RPO ${behind}`;
}

const LONG_WORDS = {
  produced: 'produced',
  acknowledged: 'acknowledged',
  delivered: 'delivered',
  duplicates: 'duplicates',
  errors: 'errors',
  active: 'active ',
  records: ' records',
  separator: '  ',
};

const SHORT_WORDS: typeof LONG_WORDS = {
  produced: 'sent',
  acknowledged: 'acked',
  delivered: 'got',
  duplicates: 'dup',
  errors: 'err',
  active: '→',
  records: '',
  separator: ' ',
};

/** `east ● west ○`. */
export function formatRegions(regions: Record<RegionName, RegionState>, paint: Paint): string {
  return REGION_NAMES.map((name) => {
    const { colour, dot } = DOTS[regions[name]];
    return `${name} ${paint(colour, dot)}`;
  }).join(' ');
}

/** The result of a run, one fact for each line. */
export function formatSummary(summary: LedgerSummary, paint: Paint): string {
  const rows: [name: string, value: string, remark?: string | undefined][] = [
    ['produced', String(summary.produced), `in ${seconds(summary.durationMs)}`],
    ['acknowledged', String(summary.acknowledged)],
    ['delivered', String(summary.delivered), deliveredRemark(summary)],
    ['duplicates', String(summary.duplicates), duplicatesRemark(summary)],
    ['lost', marked(summary.lost, paint), lostRemark(summary)],
    ...(summary.losses === undefined ? [] : lossRows(summary.losses)),
    ...(summary.keyed === undefined ? [] : [keysRow(summary.keyed)]),
    ['client errors', marked(summary.clientErrors, paint)],
    ...summary.errors.map((error): [string, string, string] => [
      `  ${error.operation}`,
      String(error.count),
      errorRemark(error),
    ]),
    ['longest gap', seconds(summary.longestGapMs), 'without any delivery'],
    ['produce latency', `${Math.round(summary.produceP99Ms)} ms`, `p99; at most ${milliseconds(summary.produceMaxMs)}`],
  ];
  const lines = rows.map(([name, value, remark]) =>
    `  ${name.padEnd(NAME_WIDTH)} ${padValue(value)}   ${remark === undefined ? '' : paint('dim', remark)}`.trimEnd(),
  );
  return ['', paint('bold', '  Result'), ...lines, ''].join('\n');
}

/** What two clusters are measured by: recovery point and recovery time. */
function lossRows({
  reportCount,
  reportedRecords,
  isFinal,
  lostWithCluster,
  longestProduceGapMs,
}: LossSummary): [string, string, string][] {
  const remark =
    reportCount === 0
      ? 'no cluster was lost'
      : `acknowledged by the lost cluster alone; its report has ${reportedRecords}${isFinal ? '' : ' so far'}`;
  return [
    ['RPO', String(lostWithCluster), remark],
    ['RTO', seconds(longestProduceGapMs), 'longest time without an acknowledged record'],
  ];
}

function keysRow({ keys, requests, replayed }: KeyedSummary): [string, string, string] {
  return ['keys', String(keys), `${requests} requests, of which ${replayed} got the answer of an earlier one`];
}

const VALUE_WIDTH = 8;

/** Right-aligned by visible width: colour codes take no room. */
function padValue(value: string): string {
  const width = stripVTControlCharacters(value).length;
  return `${' '.repeat(Math.max(0, VALUE_WIDTH - width))}${value}`;
}

function marked(count: number, paint: Paint): string {
  return paint(count === 0 ? 'green' : 'red', String(count));
}

function deliveredRemark({ deliveredTo }: LedgerSummary): string {
  return Object.entries(deliveredTo)
    .map(([consumer, count]) => `${consumer} ${count}`)
    .join(', ');
}

function duplicatesRemark({ storedTwice }: LedgerSummary): string | undefined {
  return storedTwice ? `${storedTwice} of them are twice in Kafka` : undefined;
}

function lostRemark(summary: LedgerSummary): string {
  const { acknowledged, undelivered, notStored, losses } = summary;
  if (notStored === undefined) return `${undelivered} not delivered; Kafka could not be read back`;
  const lostWithCluster = losses?.lostWithCluster ?? 0;
  if (lostWithCluster > 0 && summary.lost === 0)
    return 'the active Kafka holds all others, read back with another client';
  if (undelivered === 0 && notStored === 0) return `Kafka holds all ${acknowledged}, read back with another client`;
  return `${undelivered} not delivered, ${notStored} not in Kafka`;
}

/** `HTTP 502: No region is available.` */
export function errorRemark({ kind, message }: ClientErrorCount): string {
  return message === undefined ? kind : `${kind}: ${message}`;
}

/** The verdict on a run; `isGood` decides the exit code of a run that ended without a request to stop. */
export function judge(summary: LedgerSummary): { isGood: boolean; sentence: string } {
  if (summary.notStored === undefined) return { isGood: false, sentence: 'Kafka could not be read back.' };
  const faults = [
    ...(summary.lost > 0
      ? [plural(summary.lost, 'acknowledged record was lost', 'acknowledged records were lost')]
      : []),
    ...(summary.clientErrors > 0 ? [plural(summary.clientErrors, 'request failed', 'requests failed')] : []),
    ...(summary.keyed === undefined ? [] : keyFaults(summary, summary.keyed)),
  ];
  if (faults.length > 0) return { isGood: false, sentence: `${faults.join(' and ')}.` };
  if (summary.delivered === 0) return { isGood: false, sentence: 'Nothing was delivered.' };
  const { lostWithCluster = 0 } = summary.losses ?? {};
  if (lostWithCluster > 0) {
    const count = plural(lostWithCluster, 'acknowledged record', 'acknowledged records');
    return { isGood: true, sentence: `The lost cluster took ${count} with it, as its report says; no other was lost.` };
  }
  if (summary.keyed !== undefined)
    return { isGood: true, sentence: 'No record was lost or is twice in Kafka, and no request failed.' };
  return { isGood: true, sentence: 'No record was lost, and no request failed.' };
}

function keyFaults({ storedTwice }: LedgerSummary, { faults: [example, ...others] }: KeyedSummary): string[] {
  return [
    ...(storedTwice ? [plural(storedTwice, 'record is twice in Kafka', 'records are twice in Kafka')] : []),
    ...(example === undefined ? [] : [others.length === 0 ? example : `${example} (and ${others.length} more)`]),
  ];
}

function plural(count: number, one: string, many: string): string {
  return `${count} ${count === 1 ? one : many}`;
}

/** One sentence, with its cause if that adds something. */
export function formatError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (!(error instanceof LabError)) return error.stack ?? error.message;
  return error.cause instanceof Error ? `${error.message} (${error.cause.message})` : error.message;
}

/** `0.4 s`. */
export function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}

function milliseconds(ms: number): string {
  return ms < 1_000 ? `${Math.round(ms)} ms` : seconds(ms);
}
