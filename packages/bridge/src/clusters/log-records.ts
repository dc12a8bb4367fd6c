/**
 * The records of a cluster's log as bytes and as values. Every record that counts has a key of its own, so that compaction keeps all of them: of two
 * records, the later one alone could say something else. There are a few for each promotion.
 */
import { randomUUID } from 'node:crypto';
import {
  formatPromotion,
  LossReport,
  PROMOTION_KINDS,
  type Promotion,
  type PromotionKind,
  PromotionSchema,
} from '@causeway/protocol/clusters.ts';
import { type Static, Type } from 'typebox';
import { Compile } from 'typebox/compile';
import type { ClusterRecord } from './rules.ts';

/** The version of the format. Newer versions add fields and kinds, which older bridges skip. */
const VERSION = 1;

const Head = {
  version: Type.Integer({ minimum: 1 }),
  /** The bridge, or who asked it. */
  by: Type.String(),
  reason: Type.String(),
  /** By the clock of the machine that wrote it: for people. No decision uses it. */
  atMs: Type.Integer({ minimum: 0 }),
};

const Promoted = Type.Object({
  ...Head,
  kind: Type.Literal('promoted'),
  promotion: PromotionSchema,
  previous: Type.Optional(PromotionSchema),
  how: Type.Unsafe<PromotionKind>({ type: 'string', enum: [...PROMOTION_KINDS] }),
  leaseMs: Type.Integer({ minimum: 1 }),
  /** Of the records before it that say where the topics of the cluster ended. */
  pointId: Type.Optional(Type.String()),
});
const Point = Type.Object({
  ...Head,
  kind: Type.Literal('point'),
  id: Type.String(),
  topics: Type.Array(
    Type.Object({
      topic: Type.String(),
      /** By partition. */
      ends: Type.Array(Type.Integer({ minimum: 0 })),
      /** After a switch-over: the final ends in the other cluster, of the same records. */
      peerEnds: Type.Optional(Type.Array(Type.Integer({ minimum: 0 }))),
    }),
  ),
});
const Pausing = Type.Object({
  ...Head,
  kind: Type.Literal('pausing'),
  id: Type.String(),
  promotion: PromotionSchema,
  timeoutMs: Type.Integer({ minimum: 1 }),
});
const EndOfPause = Type.Object({
  ...Head,
  kind: Type.Union([Type.Literal('resumed'), Type.Literal('handedOver')]),
  id: Type.String(),
});
const OfPromotion = Type.Object({
  ...Head,
  kind: Type.Union([
    Type.Literal('follows'),
    Type.Literal('rejoined'),
    Type.Literal('peerJoined'),
    Type.Literal('replicationEnded'),
  ]),
  promotion: PromotionSchema,
});
const Promoting = Type.Object({
  ...Head,
  kind: Type.Literal('promoting'),
  id: Type.String(),
  promotion: PromotionSchema,
});
const Report = Type.Object({ ...Head, kind: Type.Literal('report'), report: LossReport });

/** Where a topic ended when its cluster was promoted. */
export type TopicPoint = Static<typeof Point>['topics'][number];

const AnyRecord = Type.Union([Promoted, Promoting, Point, Pausing, EndOfPause, OfPromotion, Report]);
type AnyRecord = Static<typeof AnyRecord>;
const check = Compile(AnyRecord);

/** What a record says beside the rules: who wrote it, when and why. */
export interface RecordNote {
  by: string;
  reason: string;
  atMs: number;
}

/** What a record of a log says. */
export type ClusterFact =
  | { kind: 'rule'; record: ClusterRecord; note: RecordNote; pointId: string | undefined }
  /** A part of the point of the promotion with this `pointId`. */
  | { kind: 'point'; id: string; topics: readonly TopicPoint[] }
  /** A bridge is about to promote the cluster by force: the first one does, and others wait for it. */
  | { kind: 'promoting'; id: string; promotion: Promotion }
  /** The other cluster follows this promotion: with `prefer: consistency`, its log is needed from then on. */
  | { kind: 'peerJoined'; promotion: Promotion }
  /** MirrorMaker does not fill this cluster any more, which this promotion made the active one. */
  | { kind: 'replicationEnded'; promotion: Promotion }
  | { kind: 'report'; report: LossReport };

export interface FactToWrite {
  fact: { kind: 'rule'; record: ClusterRecord } | Exclude<ClusterFact, { kind: 'rule' }>;
  by: string;
  reason: string;
  /** Of `promoted`: the one before. */
  previous?: Promotion | undefined;
  /** Of `promoted`. */
  pointId?: string | undefined;
}

export function encodeFact({ fact, by, reason, previous, pointId }: FactToWrite): { key: Buffer; value: Buffer } {
  const head = { version: VERSION, by, reason, atMs: Date.now() };
  const body = fact.kind === 'rule' ? fact.record : fact;
  const id = fact.kind === 'report' ? formatPromotion(fact.report.promotion) : randomUUID();
  return {
    key: Buffer.from(`${body.kind};${id}`),
    // Without the fields that are undefined.
    value: Buffer.from(JSON.stringify(Object.assign(head, body, { previous, pointId }))),
  };
}

/** `undefined` for a record that this version does not know. */
export function decodeFact(value: Buffer): ClusterFact | undefined {
  const parsed = parse(value);
  if (!check.Check(parsed)) return undefined;
  const { by, reason, atMs } = parsed;
  switch (parsed.kind) {
    case 'report':
      return { kind: 'report', report: parsed.report };
    case 'peerJoined':
    case 'replicationEnded':
      return { kind: parsed.kind, promotion: parsed.promotion };
    case 'promoting':
      return { kind: 'promoting', id: parsed.id, promotion: parsed.promotion };
    case 'point':
      return { kind: 'point', id: parsed.id, topics: parsed.topics };
    default: {
      const pointId = parsed.kind === 'promoted' ? parsed.pointId : undefined;
      return { kind: 'rule', record: ruleRecord(parsed), note: { by, reason, atMs }, pointId };
    }
  }
}

function ruleRecord(parsed: Exclude<AnyRecord, { kind: 'report' | 'point' | 'promoting' }>): ClusterRecord {
  switch (parsed.kind) {
    case 'promoted':
      return { kind: 'promoted', promotion: parsed.promotion, how: parsed.how, leaseMs: parsed.leaseMs };
    case 'pausing': {
      const { id, promotion, timeoutMs } = parsed;
      return { kind: 'pausing', id, promotion, timeoutMs };
    }
    case 'resumed':
    case 'handedOver':
      return { kind: parsed.kind, id: parsed.id };
    default:
      return { kind: parsed.kind as 'follows' | 'rejoined', promotion: parsed.promotion };
  }
}

function parse(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString());
  } catch {
    return undefined;
  }
}
