/**
 * Several Kafka clusters behind one hostname: one is active and serves clients, the others stand by and are filled by replication. A promotion
 * makes another one active. Bridges keep promotions in Kafka, gateways learn them from bridges; docs/disaster-recovery.md explains it.
 */
import { type Static, Type } from 'typebox';

/** What a cluster may be called, in gateways and bridges; MirrorMaker takes it as an alias, too, which is a part of the names of topics. */
export const CLUSTER_NAME_PATTERN = '[A-Za-z0-9_-]{1,100}';

/**
 * One promotion: a cluster became active. The pair is the identity, so that a promotion names one cluster, even if two are
 * promoted at one moment. Number 0: no promotion is known, and the cluster is the one that a gateway's YAML calls active.
 */
export interface Promotion {
  readonly number: number;
  readonly cluster: string;
}

/** Negative if `a` is the lower one. By number; of two with one number, the later name in the order of code units is higher. */
export function comparePromotions(a: Promotion, b: Promotion): number {
  if (a.number !== b.number) return a.number - b.number;
  if (a.cluster === b.cluster) return 0;
  return a.cluster < b.cluster ? -1 : 1;
}

/** Whether `a` and `b` are one promotion. */
export function isSamePromotion(a: Promotion | undefined, b: Promotion | undefined): boolean {
  return a !== undefined && b !== undefined && comparePromotions(a, b) === 0;
}

/** The higher one; `undefined` if neither is known. */
export function highestPromotion(a: Promotion | undefined, b: Promotion | undefined): Promotion | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return comparePromotions(a, b) < 0 ? b : a;
}

/** `2;west`. */
export function formatPromotion({ number, cluster }: Promotion): string {
  return `${number};${cluster}`;
}

const PROMOTION = new RegExp(`^(0|[1-9][0-9]{0,14});(${CLUSTER_NAME_PATTERN})$`);

/** Parses {@link formatPromotion}; `undefined` for other texts. */
export function parsePromotion(text: string | undefined): Promotion | undefined {
  const [, number, cluster] = PROMOTION.exec(text ?? '') ?? [];
  return number === undefined || cluster === undefined ? undefined : { number: Number(number), cluster };
}

/**
 * Between gateways and bridges, on requests, probes and responses: the highest promotion that the sender knows ({@link formatPromotion}).
 * The receiver follows a higher one than its own.
 */
export const PROMOTION_HEADER = 'causeway-promotion';

/**
 * In a response to a probe: the Kafka cluster behind the target, and its mode ({@link formatClusterMode}). A regional gateway sends what the
 * bridges of its own region agree on.
 */
export const CLUSTER_HEADER = 'causeway-cluster';

/**
 * - `unassigned`: no promotion is known, neither of this cluster nor of another.
 * - `active`: serves clients.
 * - `pausing`: a switch-over to another cluster is under way; writes wait.
 * - `standby`: another cluster is active, and replication fills this one.
 * - `fenced`: it was active until another cluster was promoted without it. It may have records that the other one lacks, and refuses
 *   clients until an operator lets it rejoin.
 */
export const CLUSTER_MODES = ['unassigned', 'active', 'pausing', 'standby', 'fenced'] as const;
export type ClusterMode = (typeof CLUSTER_MODES)[number];

export interface ClusterModeReport {
  readonly cluster: string;
  readonly mode: ClusterMode;
}

/** `west;standby`. */
export function formatClusterMode({ cluster, mode }: ClusterModeReport): string {
  return `${cluster};${mode}`;
}

const MODE_REPORT = new RegExp(`^(${CLUSTER_NAME_PATTERN});([a-z]+)$`);

/** Parses {@link formatClusterMode}; `undefined` for other texts. */
export function parseClusterMode(text: string | undefined): ClusterModeReport | undefined {
  const [, cluster, word] = MODE_REPORT.exec(text ?? '') ?? [];
  const mode = CLUSTER_MODES.find((known) => known === word);
  return cluster === undefined || mode === undefined ? undefined : { cluster, mode };
}

/**
 * Value of the header for faults of a 503: the bridge's cluster is not the active one, and nothing of the request was executed.
 * The response has {@link PROMOTION_HEADER}; another region helps, once the gateway knows which.
 */
export const FAULT_OF_CLUSTER = 'cluster';

/** `GET`: {@link ClusterStatus}, for gateways on behalf of an operator. */
export const CLUSTERS_PATH = '/causeway-clusters';
/** `POST` {@link PromoteRequest} to a bridge of the cluster that is to become active. */
export const PROMOTE_PATH = `${CLUSTERS_PATH}/promote`;
/** `POST` to a bridge of a fenced cluster: lets it stand by. */
export const REJOIN_PATH = `${CLUSTERS_PATH}/rejoin`;
/** `POST` {@link PrepareRequest} to a bridge of a cluster that stands by: {@link PreparedReplication}. */
export const PREPARE_PATH = `${CLUSTERS_PATH}/prepare`;
/** `POST` {@link ReplicationEnd} to a bridge of the active cluster: MirrorMaker does not fill it any more. */
export const REPLICATION_ENDED_PATH = `${CLUSTERS_PATH}/replication-ended`;
/** `POST` {@link TailRequest} to a bridge of a cluster that was lost: {@link TailRecords}. */
export const TAIL_PATH = `${CLUSTERS_PATH}/tail`;

const Closed = { additionalProperties: false };
const Nullable = <Schema extends Parameters<typeof Type.Array>[0]>(schema: Schema) => Type.Union([schema, Type.Null()]);

export const PromotionSchema = Type.Object(
  { number: Type.Integer({ minimum: 0 }), cluster: Type.String() },
  { $id: 'Promotion', ...Closed },
);

export const PROMOTION_KINDS = ['initial', 'forced', 'orderly'] as const;
export type PromotionKind = (typeof PROMOTION_KINDS)[number];

/** Asks for the promotion of the bridge's cluster. */
export const PromoteRequest = Type.Object(
  {
    /** The promotion that it follows. If a higher one is known, the response is 409 with that one. */
    after: PromotionSchema,
    /** Who asked, such as `operator ann` or `gateway edge-1`. */
    by: Type.String(),
    reason: Type.String(),
    /** Whether records that were not replicated may be lost, if the Kafka of the active cluster cannot be reached. */
    mayLose: Type.Boolean(),
    /** Whether they may be lost although it can be, if replication does not catch up. */
    isForced: Type.Optional(Type.Boolean()),
  },
  { $id: 'PromoteRequest', ...Closed },
);
export type PromoteRequest = Static<typeof PromoteRequest>;

/** Lets a fenced cluster stand by again. Optional. */
export const RejoinRequest = Type.Object(
  {
    /** Whether to do without the report of its own records while the active cluster, which knows what was replicated, cannot be reached. */
    isPeerGone: Type.Optional(Type.Boolean()),
  },
  { $id: 'RejoinRequest', ...Closed },
);
export type RejoinRequest = Static<typeof RejoinRequest>;

/** Prepares the replication from the active cluster to one that stands by. Optional. */
export const PrepareRequest = Type.Object(
  {
    /** Whether to write no positions: for MirrorMaker in Kafka Connect, whose REST API takes them. */
    dryRun: Type.Optional(Type.Boolean()),
  },
  { $id: 'PrepareRequest', ...Closed },
);
export type PrepareRequest = Static<typeof PrepareRequest>;

/** Says that MirrorMaker, which filled the cluster until a promotion made it the active one, has stopped: replication from it may begin. */
export const ReplicationEnd = Type.Object(
  {
    /** Of the cluster. */
    promotion: PromotionSchema,
    /** Who says it, such as `operator ann`. */
    by: Type.String(),
  },
  { $id: 'ReplicationEnd', ...Closed },
);
export type ReplicationEnd = Static<typeof ReplicationEnd>;

/** Where MirrorMaker begins in a partition of its source. */
export const StartPosition = Type.Object(
  {
    topic: Type.String(),
    partition: Type.Integer({ minimum: 0 }),
    /** Of the last record that is not to be copied. */
    offset: Type.Integer({ minimum: 0 }),
  },
  { $id: 'StartPosition', ...Closed },
);
export type StartPosition = Static<typeof StartPosition>;

/**
 * The positions that are ahead of those that MirrorMaker keeps: it has copied what is before its own. So it does not matter how often, and after
 * which failure, positions of one promotion are written.
 */
export function positionsAhead(positions: readonly StartPosition[], kept: readonly StartPosition[]): StartPosition[] {
  const keyOf = ({ topic, partition }: StartPosition): string => `${partition} ${topic}`;
  const reached = new Map(kept.map((position) => [keyOf(position), position.offset]));
  return positions.filter((position) => position.offset > (reached.get(keyOf(position)) ?? -1));
}

/** How the replication begins after a promotion: the same until another one. */
export const PreparedReplication = Type.Object(
  {
    /** Of the source. */
    promotion: PromotionSchema,
    source: Type.String(),
    target: Type.String(),
    /** Of partitions whose records came from the target; others begin at their first record. */
    positions: Type.Array(StartPosition),
  },
  { $id: 'PreparedReplication', ...Closed },
);
export type PreparedReplication = Static<typeof PreparedReplication>;

/** Records of one partition that the lost cluster acknowledged and the promoted one does not have. */
export const LostRange = Type.Object(
  {
    topic: Type.String(),
    partition: Type.Integer({ minimum: 0 }),
    /** Offset in the lost cluster of the first record that was not replicated. */
    from: Type.Integer({ minimum: 0 }),
    /** The end of the range: the offset behind its last record, as last seen; exact once the report is final. */
    to: Type.Integer({ minimum: 0 }),
    /** Records in the range. Before the report is final: offsets, of which some may have no record. */
    records: Type.Integer({ minimum: 0 }),
  },
  { $id: 'LostRange', ...Closed },
);
export type LostRange = Static<typeof LostRange>;

export function countLost(ranges: readonly Pick<LostRange, 'records'>[]): number {
  return ranges.reduce((sum, { records }) => sum + records, 0);
}

/** What a forced promotion lost (its recovery point). Whether anything is known of it: see {@link isLossKnown}. */
export const LossReport = Type.Object(
  {
    promotion: PromotionSchema,
    /** The cluster that was lost. */
    lost: Type.String(),
    at: Type.String({ format: 'date-time' }),
    /** Age of the end offsets of the lost cluster at the promotion, in milliseconds; null if none were ever seen. */
    endsAgeMs: Nullable(Type.Integer({ minimum: 0 })),
    /** Whether the lost cluster returned, so that the ranges and counts are exact. */
    isFinal: Type.Boolean(),
    ranges: Type.Array(LostRange),
  },
  { $id: 'LossReport', ...Closed },
);
export type LossReport = Static<typeof LossReport>;

/** Whether the ranges say what was lost. A bridge that has never seen the ends of the lost cluster reports none. */
export function isLossKnown({ isFinal, endsAgeMs }: Pick<LossReport, 'isFinal' | 'endsAgeMs'>): boolean {
  return isFinal || endsAgeMs !== null;
}

export const TopicReplication = Type.Object(
  {
    topic: Type.String(),
    /** Records of the active cluster that the standby does not have; at most so many, where the log has gaps. */
    records: Type.Integer({ minimum: 0 }),
    /** For how long the standby has not had everything, in seconds; 0 while it has. */
    seconds: Type.Number({ minimum: 0 }),
  },
  { $id: 'TopicReplication', ...Closed },
);
export type TopicReplication = Static<typeof TopicReplication>;

/** What would be lost if the active cluster died now (recovery point, RPO). */
export const ReplicationStatus = Type.Object(
  {
    from: Type.String(),
    to: Type.String(),
    /** Why it cannot be measured now; null while it is. */
    problem: Nullable(Type.String()),
    measuredAgoMs: Nullable(Type.Integer({ minimum: 0 })),
    records: Type.Integer({ minimum: 0 }),
    seconds: Type.Number({ minimum: 0 }),
    /** Those that are behind, the furthest first, at most 100. */
    topics: Type.Array(TopicReplication),
  },
  { $id: 'ReplicationStatus', ...Closed },
);
export type ReplicationStatus = Static<typeof ReplicationStatus>;

/** What a bridge knows of its cluster. */
export const ClusterStatus = Type.Object(
  {
    cluster: Type.String(),
    mode: Type.Unsafe<ClusterMode>({ type: 'string', enum: [...CLUSTER_MODES] }),
    /** The highest promotion that it knows. */
    promotion: Nullable(PromotionSchema),
    /** When, by whom and why it was last promoted; null if never, or if another cluster's log alone has it. */
    promoted: Nullable(
      Type.Object(
        {
          kind: Type.Unsafe<PromotionKind>({ type: 'string', enum: [...PROMOTION_KINDS] }),
          at: Type.String({ format: 'date-time' }),
          by: Type.String(),
          reason: Type.String(),
        },
        Closed,
      ),
    ),
    /** Whether MirrorMaker has stopped filling the cluster since its last promotion ({@link ReplicationEnd}). The first active one was never filled. */
    isReplicationEnded: Type.Boolean(),
    /** null without a peer. */
    replication: Nullable(ReplicationStatus),
    /** Of its forced promotions, the last first, at most 10. */
    reports: Type.Array(LossReport),
  },
  { $id: 'ClusterStatus', ...Closed },
);
export type ClusterStatus = Static<typeof ClusterStatus>;

/** Asks a lost cluster for records that it alone has: a part of a {@link LostRange} of its final report. */
export const TailRequest = Type.Object(
  {
    topic: Type.String({ minLength: 1 }),
    partition: Type.Integer({ minimum: 0 }),
    from: Type.Integer({ minimum: 0 }),
    /** The offset behind the last one. */
    to: Type.Integer({ minimum: 0 }),
  },
  { $id: 'TailRequest', ...Closed },
);
export type TailRequest = Static<typeof TailRequest>;

const Bytes = Nullable(Type.String({ description: 'Base64 (RFC 4648); null as in Kafka.' }));

export const TailRecord = Type.Object(
  {
    offset: Type.Integer({ minimum: 0 }),
    timestamp: Type.Integer({ description: 'Milliseconds since 1970, as in Kafka.' }),
    key: Bytes,
    value: Bytes,
    headers: Type.Array(Type.Object({ key: Bytes, value: Bytes }, Closed)),
  },
  { $id: 'TailRecord', ...Closed },
);
export type TailRecord = Static<typeof TailRecord>;

/** Committed records, in order. */
export const TailRecords = Type.Object(
  {
    records: Type.Array(TailRecord),
    /** Where the next request begins; null at the end of the range. */
    next: Nullable(Type.Integer({ minimum: 0 })),
  },
  { $id: 'TailRecords', ...Closed },
);
export type TailRecords = Static<typeof TailRecords>;

/** Response to {@link PromoteRequest}: 200, or 409 with the reason as the error's message and the promotion in the header. */
export const PromoteResponse = Type.Object(
  {
    promotion: PromotionSchema,
    kind: ClusterStatus.properties.promoted.anyOf[0].properties.kind,
    report: Nullable(LossReport),
  },
  { $id: 'PromoteResponse', ...Closed },
);
export type PromoteResponse = Static<typeof PromoteResponse>;
