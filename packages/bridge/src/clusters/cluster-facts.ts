/** What a cluster's log says: the view of the rules, with what operators and the replication need to know of it. Pure. */
import {
  comparePromotions,
  isSamePromotion,
  type LossReport,
  type Promotion,
  type PromotionKind,
} from '@causeway/protocol/clusters.ts';
import type { ClusterFact, RecordNote, TopicPoint } from './log-records.ts';
import { applyRecord, type ClusterView, EMPTY_VIEW } from './rules.ts';

/** The promotion that a cluster's own log had last. */
export interface PromotedFact extends RecordNote {
  promotion: Promotion;
  how: PromotionKind;
}

export interface ClusterFacts {
  readonly view: ClusterView;
  readonly promoted: PromotedFact | undefined;
  /** Where the topics of the cluster ended when it was {@link promoted}: what follows is of its own time. Empty for the first promotion. */
  readonly point: readonly TopicPoint[];
  /** Points of promotions that are not in the log yet, by their ids. */
  readonly openPoints: ReadonlyMap<string, readonly TopicPoint[]>;
  /** Who was the first to begin the highest promotion by force. */
  readonly promoting: { readonly id: string; readonly promotion: Promotion } | undefined;
  /** Whether the other cluster followed {@link promoted} since. */
  readonly isPeerJoined: boolean;
  /** Whether MirrorMaker stopped filling the cluster since; the first active one was never filled. */
  readonly isReplicationEnded: boolean;
  /** The last first. */
  readonly reports: readonly LossReport[];
}

export const NO_FACTS: ClusterFacts = {
  view: EMPTY_VIEW,
  promoted: undefined,
  point: [],
  openPoints: new Map(),
  promoting: undefined,
  isPeerJoined: false,
  isReplicationEnded: false,
  reports: [],
};
const MAX_REPORTS = 10;

/** The facts after one more record of the log of cluster `name`. */
export function withFact(facts: ClusterFacts, fact: ClusterFact, name: string): ClusterFacts {
  switch (fact.kind) {
    case 'report': {
      const others = facts.reports.filter(({ promotion }) => !isSamePromotion(promotion, fact.report.promotion));
      return { ...facts, reports: [fact.report, ...others].slice(0, MAX_REPORTS) };
    }
    case 'peerJoined':
      return isSamePromotion(facts.promoted?.promotion, fact.promotion) ? { ...facts, isPeerJoined: true } : facts;
    case 'replicationEnded':
      return isSamePromotion(facts.promoted?.promotion, fact.promotion)
        ? { ...facts, isReplicationEnded: true }
        : facts;
    case 'promoting': {
      const { id, promotion } = fact;
      const isFirst = facts.promoting === undefined || comparePromotions(promotion, facts.promoting.promotion) > 0;
      return isFirst ? { ...facts, promoting: { id, promotion } } : facts;
    }
    case 'point': {
      const topics = [...(facts.openPoints.get(fact.id) ?? []), ...fact.topics];
      return { ...facts, openPoints: new Map(facts.openPoints).set(fact.id, topics) };
    }
    case 'rule':
      return withRecord(facts, fact, name);
  }
}

function withRecord(facts: ClusterFacts, fact: Extract<ClusterFact, { kind: 'rule' }>, name: string): ClusterFacts {
  const { record, note, pointId } = fact;
  const view = applyRecord(facts.view, record, name);
  if (record.kind !== 'promoted' || view === facts.view) return { ...facts, view };
  const { promotion, how } = record;
  return {
    view,
    promoted: { promotion, how, ...note },
    // The first record of a promotion counts: nothing of the cluster's own time is before its point.
    point: (pointId === undefined ? undefined : facts.openPoints.get(pointId)) ?? [],
    openPoints: new Map(),
    promoting: facts.promoting,
    isPeerJoined: false,
    isReplicationEnded: how === 'initial',
    reports: facts.reports,
  };
}
