/** Kafka clusters as values: the state of each, what flows between them, and what would be lost. Pure. */
import type { KafkaCluster, KafkaClusters } from '@causeway/protocol/admin/model.ts';
import type { LossReport, ReplicationStatus } from '@causeway/protocol/clusters.ts';
import { formatDuration, plural } from './format.ts';
import type { Condition } from './marks.ts';

export function conditionOfCluster(cluster: KafkaCluster, clusters: KafkaClusters): Condition {
  const { active, since, promotion } = clusters;
  const { mode, canServe, isActive, problem } = cluster;
  const reason = problem ?? '';
  if (isActive) {
    if (!canServe) return { mark: 'down', words: 'active, cannot serve', since: null, reason: reason || NO_REGION };
    if (mode === 'active' || mode === 'unknown') return { mark: 'up', words: 'active', since, reason };
    if (mode === 'pausing') {
      return { mark: 'degraded', words: 'pausing', since: null, reason: 'It is being handed over: requests wait.' };
    }
    const other = `Its bridges do not take requests: they report ${mode}.`;
    return { mark: 'degraded', words: 'active by this gateway alone', since: null, reason: reason || other };
  }
  if (!canServe) {
    const before = mode === 'unknown' ? '' : ` Its bridges last reported ${mode}.`;
    return { mark: 'down', words: 'cannot serve', since: null, reason: `${sentence(reason || NO_REGION)}${before}` };
  }
  if (mode === 'fenced') {
    return { mark: 'down', words: 'fenced', since: null, reason: `It may have records that ${active} lacks.` };
  }
  if (mode === 'standby') {
    return { mark: 'drained', words: 'standby', since: null, reason: reason || waitForEnd(cluster, clusters) };
  }
  if (mode === 'unknown') return { mark: 'unknown', words: 'unknown', since: null, reason };
  const other = `Its bridges have not learned of promotion ${promotion} yet.`;
  return { mark: 'degraded', words: mode, since: null, reason: reason || other };
}

/** Why replication may not have begun after a promotion. */
function waitForEnd({ replication }: KafkaCluster, { active, isReplicationEnded }: KafkaClusters): string {
  if (isReplicationEnded !== false || replication === null || !isLate(replication)) return '';
  return `MirrorMaker may still fill ${active}, so nothing fills this one: npm run mirror-maker beside ${active} reports when that has ended.`;
}

const NO_REGION = 'No region of it can serve';

/** Replication from the active cluster to another one. */
export type Flow =
  | { kind: 'measured'; status: ReplicationStatus }
  /** `status`: the last figures, which no longer hold. */
  | { kind: 'unmeasured'; problem: string; status: ReplicationStatus | null; ageMs: number | null }
  /** Replication does not fill it. */
  | { kind: 'none'; reason: string };

/** A standby's own measurement counts: it is still there when the active cluster is not. `nowMs` is the gateway's time. */
export function flowTo(cluster: KafkaCluster, { active, members }: KafkaClusters, nowMs: number): Flow {
  const { name, mode } = cluster;
  if (mode === 'fenced') return { kind: 'none', reason: `${name} is fenced: nothing fills it until it rejoins.` };
  const reports = [cluster, ...members.filter(({ isActive }) => isActive)].flatMap((reporter) => {
    const { replication, problem, reportedAt } = reporter;
    if (replication === null || replication.from !== active || replication.to !== name) return [];
    const agoMs = reportedAt === null ? 0 : Math.max(0, nowMs - Date.parse(reportedAt));
    const ageMs = replication.measuredAgoMs === null ? null : replication.measuredAgoMs + agoMs;
    return [{ status: replication, why: replication.problem ?? problem, ageMs }];
  });
  const current = reports.find(({ why }) => why === null);
  if (current !== undefined) return { kind: 'measured', status: current.status };
  const [last] = reports.toSorted((a, b) => (a.ageMs ?? Infinity) - (b.ageMs ?? Infinity));
  if (last === undefined) {
    return { kind: 'unmeasured', problem: cluster.problem ?? 'no bridge measures it', status: null, ageMs: null };
  }
  const { status, why, ageMs } = last;
  return { kind: 'unmeasured', problem: why ?? '', status: ageMs === null ? null : status, ageMs };
}

/** `12 records, 0.4 s`; without records, whatever the seconds: nothing. */
export function lagWords({ records, seconds }: Pick<ReplicationStatus, 'records' | 'seconds'>): string {
  return records === 0 ? 'nothing' : `${plural(records, 'record')}, ${formatSeconds(seconds)}`;
}

/** As the alert on it: replication takes a second or two. */
const LATE_SECONDS = 30;

export function isLate({ records, seconds }: Pick<ReplicationStatus, 'records' | 'seconds'>): boolean {
  return records > 0 && seconds > LATE_SECONDS;
}

/** What would be lost if the active cluster died now, or is lost if it has. It may have acknowledged more since it was measured. */
export function lossWords(flow: Flow): string {
  if (flow.kind === 'measured') return `${lagWords(flow.status)}, as last measured`;
  if (flow.kind === 'none' || flow.status === null || flow.ageMs === null) return UNKNOWN_RECORDS;
  return `${UNKNOWN_RECORDS}; ${formatDuration(flow.ageMs)} ago it was ${lagWords(flow.status)}`;
}

/** "0.4 s", "12 s", "4 min 5 s". */
export function formatSeconds(seconds: number): string {
  return seconds < 10 ? `${Math.round(seconds * 10) / 10} s` : formatDuration(seconds * 1_000);
}

/** The written reports of losses, the last one first. Both clusters may report the same loss: a final report counts. */
export function reportsOf({ members }: KafkaClusters): LossReport[] {
  const reports = members.flatMap(({ report }) => (report === null ? [] : [report]));
  reports.sort((a, b) => b.promotion.number - a.promotion.number || Number(b.isFinal) - Number(a.isFinal));
  const idOf = ({ promotion }: LossReport): string => `${promotion.number} ${promotion.cluster}`;
  return reports.filter((report, index) => reports.findIndex((other) => idOf(other) === idOf(report)) === index);
}

export function recordsOf({ ranges }: Pick<LossReport, 'ranges'>): number {
  return ranges.reduce((sum, { records }) => sum + records, 0);
}

export const UNKNOWN_RECORDS = 'an unknown number of records';

/** Whether a report says what was lost: a bridge that has never seen the ends of the lost cluster reports no ranges. */
export function isLossKnown({ isFinal, endsAgeMs }: LossReport): boolean {
  return isFinal || endsAgeMs !== null;
}

/** How sure a report is. */
export function certaintyOf({ isFinal, endsAgeMs, lost }: LossReport): string {
  if (isFinal) return 'Final: counted in the lost cluster, after it returned.';
  const more = `${lost} itself shows what else it acknowledged, once it is back.`;
  if (endsAgeMs === null) return `Not final: its ends were never seen; ${more}`;
  return `Not final: as of ${formatSeconds(endsAgeMs / 1_000)} before the promotion; ${more}`;
}

/** Why requests wait. */
export function waitingWords({ awaited, waitingCount, active }: KafkaClusters): string {
  if (awaited === null) return '';
  const why = {
    firstProbes: 'the gateway has just started',
    switchOver: `no bridge of ${active} takes requests: it is being handed over, or has just been promoted`,
    promotion: `${active} is down, and another cluster may be promoted`,
  }[awaited];
  return `${plural(waitingCount, 'request')} ${waitingCount === 1 ? 'waits' : 'wait'}: ${why}.`;
}

function sentence(text: string): string {
  const opened = `${text.charAt(0).toUpperCase()}${text.slice(1)}`;
  return /[.!?]$/.test(opened) ? opened : `${opened}.`;
}
