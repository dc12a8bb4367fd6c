/** What the dialog says about changes of Kafka clusters: what a promotion costs, and what a fenced cluster has alone. */
import type { KafkaClusters, Promoted, Rejoined, System } from '@causeway/protocol/admin/model.ts';
import type { LossReport } from '@causeway/protocol/clusters.ts';
import type { ClusterChange } from './api-client.ts';
import type { ChangeText } from './change-text.ts';
import { flowTo, isLossKnown, lagWords, lossWords, recordsOf, reportsOf, UNKNOWN_RECORDS } from './clusters-model.ts';
import { plural } from './format.ts';

type ClusterRequest = Pick<ClusterChange, 'kind' | 'cluster'>;

export function textOfClusterChange({ kind, cluster }: ClusterRequest, system: System | null): ChangeText {
  const title = `${kind === 'promote' ? 'Promote' : 'Rejoin'} ${cluster}`;
  const clusters = system?.clusters;
  if (system === null || clusters == null) return { title, submit: title, effect: '', warning: '' };
  return kind === 'rejoin'
    ? { title, submit: title, ...rejoinText(cluster, clusters) }
    : { title, submit: title, ...promoteText(cluster, clusters, Date.parse(system.at)) };
}

function promoteText(name: string, clusters: KafkaClusters, nowMs: number): Pick<ChangeText, 'effect' | 'warning'> {
  const { active, members } = clusters;
  const cluster = members.find((member) => member.name === name);
  const isActiveGone = members.find((member) => member.isActive)?.canServe === false;
  const flow = cluster === undefined ? undefined : flowTo(cluster, clusters, nowMs);
  const lasts = 'It lasts, whatever the configuration says.';
  if (isActiveGone) {
    const loss = flow === undefined ? '' : lossWords(flow);
    return {
      effect: `No region of ${active} can serve. All clients move to ${name} at once, and ${active} is fenced when it returns. ${lasts}`,
      warning: `What ${name} lacks is lost: ${loss}.`,
    };
  }
  const lag =
    flow?.kind === 'measured'
      ? `${name} lacks ${lagWords(flow.status)} now (RPO), and gets it first.`
      : `What ${name} lacks now cannot be measured.`;
  return {
    effect: `A switch-over: requests wait until ${name} has everything of ${active}, then all clients move to it. Nothing is lost. If ${name} does not catch up, ${active} stays active. ${lasts}`,
    warning: lag,
  };
}

function rejoinText(name: string, clusters: KafkaClusters): Pick<ChangeText, 'effect' | 'warning'> {
  const { active } = clusters;
  const report = reportsOf(clusters).find(({ lost }) => lost === name);
  return {
    effect: `${name} stands by again, and is filled once MirrorMaker runs from ${active}. Its bridges count what it has and ${active} lacks${report === undefined ? '' : ` (${aloneWords(report)})`} for the report, and save none of it.`,
    warning: `To save those records first, use npm run clusters -- rejoin ${name} in place of this button.`,
  };
}

/** Labels of the box that the operator may tick after a refusal. */
export const FORCE_LABELS = {
  promote: 'Promote it all the same: what it lacks is lost',
  rejoin: 'The other cluster is gone: rejoin without a report, so that this one can be promoted',
} as const;

/** After the change. */
export function doneWithCluster(change: ClusterChange, answer: Promoted | Rejoined): string {
  const { report } = answer;
  if (change.kind === 'rejoin') {
    const what = report === null ? 'It is unknown which records it has alone.' : `It has alone: ${aloneWords(report)}.`;
    return `${change.cluster} stands by. ${what}`;
  }
  const { promotion } = answer;
  const loss = report === null ? 'Nothing was lost.' : `Lost with ${report.lost}: ${aloneWords(report)}.`;
  const isForced = 'kind' in answer && answer.kind === 'forced';
  return `${promotion.cluster} is active, by promotion ${promotion.number}. ${isForced && report === null ? 'What was lost is unknown.' : loss}`;
}

function aloneWords(report: LossReport): string {
  const records = recordsOf(report);
  if (!isLossKnown(report)) return UNKNOWN_RECORDS;
  if (records === 0) return report.isFinal ? 'nothing' : 'nothing, as far as known';
  return `${plural(records, 'record')}${report.isFinal ? '' : ', as far as known'}`;
}
