/** The Kafka clusters: which one is active and why, what replication lacks, what was lost, and the operator's buttons. */
import type { AdminAccess, KafkaCluster, KafkaClusters, System } from '@causeway/protocol/admin/model.ts';
import type { LossReport } from '@causeway/protocol/clusters.ts';
import { type ComponentChild, h } from 'preact';
import type { DialogRequest } from './change-dialog.ts';
import {
  certaintyOf,
  conditionOfCluster,
  type Flow,
  flowTo,
  formatSeconds,
  isLate,
  isLossKnown,
  lagWords,
  recordsOf,
  reportsOf,
  UNKNOWN_RECORDS,
  waitingWords,
} from './clusters-model.ts';
import { formatCount, formatDuration, formatTime, plural } from './format.ts';
import { markBadge } from './icons.ts';
import { memo } from './memo.ts';
import { tableHead } from './table-head.ts';

interface ClustersProps {
  clusters: KafkaClusters;
  adminAccess: System['adminAccess'];
  /** `null` while it is unknown. */
  access: AdminAccess | null;
  /** By the gateway's clock. */
  nowMs: number;
  onAsk: (request: DialogRequest) => void;
}

/** How a cluster became the active one. */
const KINDS = { initial: 'the first promotion', forced: 'by force', orderly: 'a switch-over' } as const;

export const ClustersView = memo((props: ClustersProps): ComponentChild => {
  const { clusters } = props;
  const { promoteAfterMs } = clusters;
  const waiting = waitingWords(clusters);
  const who =
    promoteAfterMs === null
      ? 'Only operators promote another one.'
      : `Another one is promoted when the active one has been down for ${formatSeconds(promoteAfterMs / 1_000)}.`;
  return h(
    'section',
    { class: 'panel clusters-panel', 'aria-labelledby': 'clusters-title' },
    h('div', { class: 'panel-head' }, h('h2', { id: 'clusters-title' }, 'Kafka clusters'), h('small', null, who)),
    waiting === '' ? null : h('p', { class: 'hint hint-bad', 'data-testid': 'waiting' }, waiting),
    h(
      'div',
      { class: 'clusters' },
      inOrder(clusters).map((part) => partView(part, props)),
    ),
    reportsOf(clusters).map((report) => h(Loss, { key: report.promotion.number, report })),
  );
});

type Part = { kind: 'cluster'; cluster: KafkaCluster } | { kind: 'flow'; to: KafkaCluster; isBackward: boolean };

/** Two clusters keep their places, and the arrow turns. Of more, the active one comes first. */
function inOrder({ members, active }: KafkaClusters): Part[] {
  const isPair = members.length === 2;
  const sorted = isPair ? members : members.toSorted((a, b) => Number(b.isActive) - Number(a.isActive));
  return sorted.flatMap((cluster, index): Part[] => {
    const part: Part = { kind: 'cluster', cluster };
    if (index === 0) return [part];
    const isBackward = isPair && cluster.name === active;
    return [{ kind: 'flow', to: isBackward ? (sorted[0] ?? cluster) : cluster, isBackward }, part];
  });
}

function partView(part: Part, { clusters, adminAccess, access, nowMs, onAsk }: ClustersProps): ComponentChild {
  if (part.kind === 'flow') return flowView(part, clusters, nowMs);
  const { cluster } = part;
  const { name, regions } = cluster;
  const condition = conditionOfCluster(cluster, clusters);
  const since = condition.since === null ? '' : ` for ${formatDuration(nowMs - Date.parse(condition.since))}`;
  const isViewer = access?.role === 'viewer';
  return h(
    'article',
    {
      key: name,
      class: `cluster cluster-${condition.mark}`,
      'data-cluster': name,
      'aria-label': `Kafka cluster ${name}`,
    },
    h('h3', null, name, markBadge(condition.mark, condition.words + since)),
    condition.reason === '' ? null : h('p', { class: 'reason' }, condition.reason),
    h(
      'dl',
      { class: 'facts' },
      fact('Regions', regions.length === 0 ? 'none' : regions.join(', ')),
      cluster.isActive ? activeFact(clusters, cluster) : formerFact(cluster),
    ),
    isViewer || cluster.isActive ? null : actions(cluster, adminAccess.canChange, onAsk),
  );
}

/** Since when, by whom and why. */
function activeFact({ since, by, reason, promotion }: KafkaClusters, { promoted }: KafkaCluster): ComponentChild {
  const kind = promoted === null || promotion === 0 ? '' : `, ${KINDS[promoted.kind]}`;
  const who = by === null ? '' : ` by ${by}`;
  return fact(
    since === null ? 'Active' : `Active since ${formatTime(new Date(since))}`,
    promotion === 0 ? 'as the configuration says' : `promotion ${promotion}${who}${kind}`,
    reason,
  );
}

function formerFact({ promoted }: KafkaCluster): ComponentChild {
  if (promoted === null) return null;
  const { at, by, kind, reason } = promoted;
  return fact(`Last promoted at ${formatTime(new Date(at))}`, `by ${by}, ${KINDS[kind]}`, reason);
}

function fact(name: string, value: string, detail = ''): ComponentChild {
  return h(
    'div',
    null,
    h('dt', null, name),
    h('dd', null, value),
    detail === '' ? null : h('dd', { class: 'reason' }, detail),
  );
}

function actions(
  { name, mode, canServe }: KafkaCluster,
  canChange: boolean,
  onAsk: ClustersProps['onAsk'],
): ComponentChild {
  const button = (kind: 'promote' | 'rejoin', label: string): ComponentChild =>
    h(
      'button',
      {
        type: 'button',
        // Only its bridges can do it.
        disabled: !canChange || !canServe,
        'aria-label': `${label} ${name}`,
        onClick: () => onAsk({ kind, cluster: name }),
      },
      label,
    );
  return h('div', { class: 'actions' }, mode === 'fenced' ? button('rejoin', 'Rejoin') : button('promote', 'Promote'));
}

function flowView(
  { to, isBackward }: Extract<Part, { kind: 'flow' }>,
  clusters: KafkaClusters,
  nowMs: number,
): ComponentChild {
  const flow = flowTo(to, clusters, nowMs);
  return h(
    'div',
    {
      key: `flow ${to.name}`,
      class: `flow flow-${flow.kind === 'measured' && isLate(flow.status) ? 'late' : flow.kind}${isBackward ? ' flow-back' : ''}`,
      role: 'group',
      'aria-label': `Replication from ${clusters.active} to ${to.name}`,
      'data-flow': to.name,
    },
    h('span', { class: 'flow-title' }, `Replication from ${clusters.active} to ${to.name}`),
    h('i', { class: 'flow-arrow', 'aria-hidden': 'true' }),
    flowFigures(flow, to.name),
  );
}

function flowFigures(flow: Flow, to: string): ComponentChild {
  if (flow.kind === 'none') return h('p', { class: 'reason' }, flow.reason);
  const { status } = flow;
  const topics = status === null || status.topics.length === 0 ? null : topicTable(status.topics, to);
  if (flow.kind === 'measured') {
    return [
      isLate(flow.status) ? h('p', null, markBadge('degraded', 'far behind')) : null,
      h('p', { class: 'flow-lag' }, h('b', null, lagWords(flow.status)), h('span', null, 'would be lost now (RPO)')),
      topics,
    ];
  }
  const age =
    flow.ageMs === null ? '' : `${formatDuration(flow.ageMs)} ago: ${status === null ? '' : lagWords(status)}`;
  return [
    h('p', { class: 'flow-problem' }, markBadge('degraded', 'cannot be measured')),
    h('p', { class: 'reason' }, flow.problem),
    age === ''
      ? null
      : h('p', { class: 'flow-lag' }, h('b', null, age), h('span', null, 'was missing by the last measurement')),
    topics,
  ];
}

function topicTable(
  topics: readonly { topic: string; records: number; seconds: number }[],
  to: string,
): ComponentChild {
  return h(
    'details',
    null,
    h('summary', null, `${plural(topics.length, 'topic')} behind`),
    h(
      'div',
      { class: 'table-scroll', tabIndex: 0, role: 'region', 'aria-label': `Topics that ${to} lacks records of` },
      h(
        'table',
        null,
        tableHead(['Topic', 'Records', 'Behind']),
        h(
          'tbody',
          null,
          topics.map(({ topic, records, seconds }) =>
            h(
              'tr',
              { key: topic },
              h('td', { class: 'topic' }, topic),
              h('td', { class: 'number' }, formatCount(records)),
              h('td', { class: 'number' }, formatSeconds(seconds)),
            ),
          ),
        ),
      ),
    ),
  );
}

const LOSS_HEADS = ['Topic', 'Partition', 'First offset', 'Last offset', 'Records'];
/** Rows of a report. */
const SHOWN_RANGES = 100;

/** What a forced promotion lost. */
function Loss({ report }: { report: LossReport }): ComponentChild {
  const { lost, promotion, at, ranges } = report;
  const records = recordsOf(report);
  const sure = report.isFinal ? '' : ', as far as known';
  const counted = records === 0 ? 'nothing' : `${plural(records, 'record')} of ${plural(ranges.length, 'partition')}`;
  const what = isLossKnown(report) ? `${counted}${sure}` : UNKNOWN_RECORDS;
  const title = `Lost with ${lost}, when ${promotion.cluster} was promoted at ${formatTime(new Date(at))}: ${what}`;
  return h(
    'div',
    { class: 'loss', 'data-loss': promotion.number },
    h('h3', null, markBadge(records > 0 ? 'down' : report.isFinal ? 'up' : 'degraded', title)),
    h('p', { class: 'reason' }, certaintyOf(report)),
    ranges.length === 0 ? null : rangeTable(report),
  );
}

function rangeTable({ ranges, lost }: LossReport): ComponentChild {
  const more = ranges.length - SHOWN_RANGES;
  return h(
    'details',
    { open: ranges.length <= 5 },
    h('summary', null, 'Which records'),
    h(
      'div',
      { class: 'table-scroll', tabIndex: 0, role: 'region', 'aria-label': `Records lost with ${lost}` },
      h(
        'table',
        null,
        tableHead(LOSS_HEADS),
        h(
          'tbody',
          null,
          ranges.slice(0, SHOWN_RANGES).map(({ topic, partition, from, to, records }) =>
            h(
              'tr',
              { key: `${topic} ${partition}` },
              h('td', { class: 'topic' }, topic),
              [partition, from, Math.max(from, to - 1), records].map((value, index) =>
                h('td', { key: index, class: 'number' }, formatCount(value)),
              ),
            ),
          ),
        ),
      ),
      more > 0 ? h('p', { class: 'hint' }, `${plural(more, 'more range')}: see /api/clusters.`) : null,
    ),
  );
}
