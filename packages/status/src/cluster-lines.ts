/** The Kafka clusters as lines: which one is active and why, what the others lack, and what was lost. Pure. */
import type { KafkaCluster, KafkaClusters } from '@causeway/protocol/admin/model.ts';
import type { LossReport, ReplicationStatus } from '@causeway/protocol/clusters.ts';
import { age } from './age.ts';
import type { Colour, Paint } from './paint.ts';

/** `at`: when the gateway took the picture. */
export function clusterLines(clusters: KafkaClusters, { at, paint }: { at: string; paint: Paint }): string[] {
  const { members, awaited, waitingCount } = clusters;
  const lines = members.flatMap((cluster) => [
    memberLine(cluster, clusters, paint),
    ...whyLines(cluster, clusters, at),
    ...lagLines(cluster, clusters, { at, paint }),
  ]);
  const waiting = awaited === null ? [] : [paint('red', `waiting     ${waitingCount} requests: ${WAITS[awaited]}`)];
  return [...lines, ...waiting, ...reportsOf(members).flatMap((report) => lossLines(report, { at, paint }))];
}

/** The last one first. Both clusters may report the same loss: a final report counts. */
function reportsOf(members: readonly KafkaCluster[]): LossReport[] {
  const reports = members.flatMap(({ report }) => (report === null ? [] : [report]));
  reports.sort((a, b) => b.promotion.number - a.promotion.number || Number(b.isFinal) - Number(a.isFinal));
  const idOf = ({ promotion }: LossReport): string => `${promotion.number} ${promotion.cluster}`;
  return reports.filter((report, index) => reports.findIndex((other) => idOf(other) === idOf(report)) === index);
}

const WAITS = {
  firstProbes: 'the gateway has just started',
  switchOver: 'no bridge of the active cluster takes requests',
  promotion: 'the active cluster is down, and another one may be promoted',
} as const;

/** `cluster     west ● active   regions: west`. */
function memberLine(cluster: KafkaCluster, { active }: KafkaClusters, paint: Paint): string {
  const { name, regions, problem } = cluster;
  const { mark, words, colour } = stateOf(cluster, active);
  const where = regions.length === 0 ? 'no region of this gateway' : `regions: ${regions.join(', ')}`;
  return `cluster     ${name} ${paint(colour, `${mark} ${words}`)}   ${where}${problem === null ? '' : `   ${problem}`}`;
}

function stateOf(
  { name, isActive, canServe, mode }: KafkaCluster,
  active: string,
): { mark: string; words: string; colour: Colour } {
  if (!canServe) {
    const before = mode === 'unknown' ? '' : `, last reported ${mode}`;
    return { mark: '○', words: `${isActive ? 'active, but ' : ''}cannot serve${before}`, colour: 'red' };
  }
  if (isActive && (mode === 'active' || mode === 'unknown')) return { mark: '●', words: 'active', colour: 'green' };
  if (isActive) return { mark: '◐', words: `active by this gateway, ${mode} by its bridges`, colour: 'yellow' };
  if (mode === 'standby') return { mark: '●', words: 'standby', colour: 'green' };
  const remark =
    mode === 'fenced' ? `: it may have records that ${active} lacks; npm run clusters -- rejoin ${name}` : '';
  return {
    mark: mode === 'fenced' ? '○' : '◐',
    words: `${mode}${remark}`,
    colour: mode === 'fenced' ? 'red' : 'yellow',
  };
}

/** Since when, by whom and why. */
function whyLines({ isActive, promoted }: KafkaCluster, clusters: KafkaClusters, at: string): string[] {
  if (!isActive) return [];
  const { since, by, promotion, reason } = clusters;
  const how = promoted === null || promotion === 0 ? '' : ` (${promoted.kind})`;
  const which = promotion === 0 ? 'by the configuration' : `by promotion ${promotion}${how}`;
  const when = since === null ? '' : ` for ${age(since, at)}, since ${clockOf(since)} UTC`;
  return [`  active ${which}${when}${by === null ? '' : `, ${by}`}: ${reason}`];
}

/** What replication lacks: measured by the standby, or by the active one while the standby reports nothing. */
function lagLines(
  cluster: KafkaCluster,
  { active, members, isReplicationEnded }: KafkaClusters,
  { at, paint }: { at: string; paint: Paint },
): string[] {
  if (cluster.isActive || cluster.mode === 'fenced') return [];
  const reports = [cluster, ...members.filter(({ isActive }) => isActive)].flatMap((reporter) => {
    const { replication, problem, reportedAt } = reporter;
    if (replication === null || replication.from !== active || replication.to !== cluster.name) return [];
    return [{ replication, why: replication.problem ?? problem, reportedAt }];
  });
  const current = reports.find(({ why }) => why === null);
  if (current !== undefined) {
    const { replication } = current;
    const topics = replication.topics.slice(0, SHOWN_TOPICS).map(({ topic, records }) => `${topic} ${records}`);
    const which =
      topics.length === 0 ? '' : ` (${topics.join(', ')}${replication.topics.length > topics.length ? ', …' : ''})`;
    const isWaiting = isReplicationEnded === false && replication.records > 0 && replication.seconds > LATE_SECONDS;
    const why = `  MirrorMaker may still fill ${active}; when it has stopped: npm run clusters -- replication-ended ${active}`;
    return [`  lacks ${lag(replication)} of ${active}${which}: RPO`, ...(isWaiting ? [paint('yellow', why)] : [])];
  }
  const [last] = reports;
  const why = last?.why ?? cluster.problem ?? 'no bridge measures it';
  const measuredAgoMs = last?.replication.measuredAgoMs ?? null;
  if (last === undefined || measuredAgoMs === null)
    return [paint('yellow', `  lacks an unknown number of records of ${active}: ${why}`)];
  const measuredAt = new Date(Date.parse(last.reportedAt ?? at) - measuredAgoMs).toISOString();
  return [
    paint(
      'yellow',
      `  lacks an unknown number of records of ${active}: ${why}; ${age(measuredAt, at)} ago it was ${lag(last.replication)}`,
    ),
  ];
}

/** As the alert on it: replication takes a second or two. */
const LATE_SECONDS = 30;
const SHOWN_TOPICS = 5;
const SHOWN_RANGES = 10;

/** `12 records, 0.4 s`. */
function lag({ records, seconds }: Pick<ReplicationStatus, 'records' | 'seconds'>): string {
  return records === 0 ? 'nothing' : `${count(records)}, ${Math.round(seconds * 10) / 10} s`;
}

function lossLines(report: LossReport, { at, paint }: { at: string; paint: Paint }): string[] {
  const { lost, promotion, ranges, isFinal } = report;
  const records = ranges.reduce((sum, range) => sum + range.records, 0);
  const seen =
    report.endsAgeMs === null
      ? 'its ends were never seen'
      : `its ends were seen ${(report.endsAgeMs / 1_000).toFixed(1)} s before`;
  const sure = isFinal ? 'final' : `not final, ${seen}`;
  const known = `${count(records)}${isFinal ? '' : ', as far as known,'}`;
  const what = isFinal || report.endsAgeMs !== null ? known : 'an unknown number of records';
  const title = `lost        ${what} of ${lost} by promotion ${promotion.number} of ${promotion.cluster}, ${age(report.at, at)} ago (${sure})`;
  const rest = ranges.length - SHOWN_RANGES;
  return [
    paint(records > 0 ? 'red' : isFinal ? 'dim' : 'yellow', title),
    ...ranges
      .slice(0, SHOWN_RANGES)
      .map(
        ({ topic, partition, from, to, records: inRange }) =>
          `  └ ${topic} partition ${partition}, offsets ${from} to ${Math.max(from, to - 1)}: ${count(inRange)}`,
      ),
    ...(rest > 0 ? [`  └ ${rest} more ranges: GET /api/clusters`] : []),
  ];
}

function count(records: number): string {
  return `${records} ${records === 1 ? 'record' : 'records'}`;
}

function clockOf(time: string): string {
  return time.slice(11, 19);
}
