/** The rules that the model of clusters follows: the bridge's decisions, and the order in which it acts on them. */
import {
  applyRecord,
  decideCompletion,
  decideLearned,
  decidePromotion,
  mayAcknowledge,
  modeOf,
} from '@causeway/bridge/clusters/rules.ts';
import { translateOffset, translateSince } from '@causeway/bridge/replication/translate.ts';
import { highestPromotion } from '@causeway/protocol/clusters.ts';

export interface ClusterProtocol {
  applyRecord: typeof applyRecord;
  decideCompletion: typeof decideCompletion;
  decideLearned: typeof decideLearned;
  decidePromotion: typeof decidePromotion;
  mayAcknowledge: typeof mayAcknowledge;
  modeOf: typeof modeOf;
  highestPromotion: typeof highestPromotion;
  translateOffset: typeof translateOffset;
  translateSince: typeof translateSince;
  /** Whether what stands before the point of a promotion counts as copied. */
  isPointCopied: boolean;
  /** Whether a bridge looks again after Kafka stored the records. */
  isCheckedAfterStoring: boolean;
  /** Whether a request is acknowledged under the promotion alone under which it began. */
  isTermKept: boolean;
  /** Whether, with `prefer: consistency`, a confirmation needs the peer's log. */
  isPeerNeeded: boolean;
  /** Whether, with `prefer: consistency`, a cluster that was promoted by force lets more than the lease pass before it serves. */
  isServingLater: boolean;
  /** Whether, with `prefer: consistency`, a cluster that rejoins writes into its peer's log first, and lets more than the lease pass. */
  isPeerInformed: boolean;
  /** Whether a promoter lets more than the lease pass before it reads the end offsets. */
  isLeaseAwaited: boolean;
  /** Whether it waits until replication has everything up to them. */
  isReplicationAwaited: boolean;
  /** Whether it looks whether `handedOver` counts before it promotes. */
  isReadBack: boolean;
  /** Whether bridges of the active cluster end a pause that takes too long. */
  isResuming: boolean;
  /** Whether bridges complete a switch-over whose promoter died. */
  isCompleting: boolean;
  /** Whether a forced promotion is reported before it. */
  isReported: boolean;
  /** Whether a cluster that rejoins lets more than the lease pass before it reads the end of its tail. */
  isTailFinal: boolean;
  /** Whether a promotion names the offset behind which the cluster has records of its own, read before it. */
  hasPoint: boolean;
  /** Whether the log keeps every record that counts, and not the last of each kind. */
  isEveryRecordKept: boolean;
}

export const CLUSTER_PROTOCOL: ClusterProtocol = {
  applyRecord,
  decideCompletion,
  decideLearned,
  decidePromotion,
  mayAcknowledge,
  modeOf,
  highestPromotion,
  translateOffset,
  translateSince,
  isPointCopied: true,
  isCheckedAfterStoring: true,
  isTermKept: true,
  isPeerNeeded: true,
  isServingLater: true,
  isPeerInformed: true,
  isLeaseAwaited: true,
  isReplicationAwaited: true,
  isReadBack: true,
  isResuming: true,
  isCompleting: true,
  isReported: true,
  isTailFinal: true,
  hasPoint: true,
  isEveryRecordKept: true,
};
