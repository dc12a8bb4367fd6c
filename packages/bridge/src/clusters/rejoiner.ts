/** Lets a fenced cluster stand by again: reports what it alone has, and writes that it follows. */
import { setTimeout as delay } from 'node:timers/promises';
import {
  isSamePromotion,
  type LossReport,
  type Promotion,
  type RejoinRequest,
  type TailRecord,
  type TailRecords,
  type TailRequest,
} from '@causeway/protocol/clusters.ts';
import { BridgeError } from '../errors.ts';
import { within } from '../kafka/client/limits.ts';
import type { StoredRecord } from '../records.ts';
import type { Replication } from '../replication/replication.ts';
import type { ClusterState } from './cluster-state.ts';
import { leaseWaitMs } from './rules.ts';

export interface RejoinerOptions {
  state: ClusterState;
  replication: Replication | undefined;
  requestTimeoutMs: number;
  prefer: 'availability' | 'consistency';
}

export interface Rejoined {
  promotion: Promotion;
  /** What this cluster has and the active one lacks; `null`: the promotion by which it was fenced has no report. */
  report: LossReport | null;
}

/** Counting the records of a long tail takes a while. */
const REPORT_TIMEOUT_MS = 30_000;
const REACH_TIMEOUT_MS = 2000;
const BY = 'operator';
/** Of records in one response; base64 makes a third more of them. */
const TAIL_BYTES = 1_048_576;

export class Rejoiner {
  readonly #options: RejoinerOptions;

  constructor(options: RejoinerOptions) {
    this.#options = options;
  }

  /**
   * `isPeerGone`: without a report while the active cluster cannot be reached. Then this one can be promoted again.
   * Errors: `promotionRefused` for a cluster that is not fenced, and without a report; `kafkaUnavailable`.
   */
  async rejoin({ isPeerGone = false }: RejoinRequest): Promise<Rejoined> {
    const { state, requestTimeoutMs } = this.#options;
    const { own, self } = state;
    // A cluster that has just returned may not have it in its log yet.
    await state.keeper.settled();
    await own.confirm(within(requestTimeoutMs));
    const { mode, highest } = own.view;
    if (mode !== 'fenced' || highest === undefined) {
      const message = `Kafka cluster ${self} is not fenced (${mode}), and has nothing to rejoin`;
      throw new BridgeError('promotionRefused', { message, promotion: state.promotionHeader });
    }
    const isPeerReachable = await state.isPeerReachable(REACH_TIMEOUT_MS);
    if (!isPeerReachable && !isPeerGone) {
      const message = `Kafka cluster ${highest.cluster} cannot be reached, which knows what ${self} alone has; isPeerGone lets ${self} rejoin without a report`;
      throw new BridgeError('promotionRefused', { message, promotion: state.promotionHeader });
    }
    // Bridges of this cluster acknowledge records until their confirmations are too old: those are of the tail, too.
    await delay(leaseWaitMs(state.leaseMs));
    let report: LossReport | undefined;
    if (isPeerReachable) {
      report = await this.report();
      await this.#join(highest);
    }
    await state.keeper.write({ kind: 'rejoined', promotion: highest }, { by: BY, reason: 'let rejoin' });
    return { promotion: highest, report: report ?? null };
  }

  /**
   * What this cluster has and the active one lacks, exactly; `undefined` if nothing is known of it. Written into the log of the active one.
   * Errors: `kafkaUnavailable`.
   */
  async report(): Promise<LossReport | undefined> {
    const { state, replication } = this.#options;
    const { peer, self } = state;
    const limits = within(REPORT_TIMEOUT_MS);
    if (peer === undefined || replication === undefined) return undefined;
    await peer.confirm(limits);
    const report = peer.facts.reports.find(({ lost }) => lost === self);
    if (report === undefined || report.isFinal) return report;
    const final = await replication.completeReport(report, limits);
    await peer.append(
      [{ fact: { kind: 'report', report: final }, by: BY, reason: 'the lost cluster returned' }],
      limits,
    );
    return final;
  }

  /**
   * Records that this cluster alone has, some at a time, to save them. Only those of its final report: no operator reads topics with it.
   * Errors: `promotionRefused` for others; `kafkaUnavailable`.
   */
  async readTail({ topic, partition, from, to }: TailRequest): Promise<TailRecords> {
    const { state, replication } = this.#options;
    const { peer, self } = state;
    const isOfReport = ({ lost, isFinal, ranges }: LossReport): boolean =>
      lost === self &&
      isFinal &&
      ranges.some((one) => one.topic === topic && one.partition === partition && one.from <= from && to <= one.to);
    if (replication === undefined || peer?.facts.reports.some(isOfReport) !== true) {
      const message = `Offsets ${from} to ${to} of ${topic}-${partition} are in no final report of records that ${self} alone has`;
      throw new BridgeError('promotionRefused', { message, promotion: state.promotionHeader });
    }
    const limits = within(REPORT_TIMEOUT_MS);
    const { records, next } = await replication.readRecords(
      { topic, partition, from, to },
      { maxBytes: TAIL_BYTES, limits },
    );
    return { records: records.map(tailRecord), next: next ?? null };
  }

  /** With `prefer: consistency`, the active cluster needs this one's log from then on: before this one can be promoted again. */
  async #join(promotion: Promotion): Promise<void> {
    const { state, prefer, requestTimeoutMs } = this.#options;
    const { peer } = state;
    if (prefer === 'availability' || peer === undefined) return;
    const limits = within(requestTimeoutMs);
    await peer.append([{ fact: { kind: 'peerJoined', promotion }, by: BY, reason: `${state.self} rejoins` }], limits);
    await peer.confirm(limits);
    if (!isSamePromotion(peer.facts.promoted?.promotion, promotion)) {
      throw new BridgeError('promotionRefused', { message: `${peer.name} was promoted again: repeat the request` });
    }
    await delay(leaseWaitMs(peer.view.leaseMs ?? state.leaseMs));
  }
}

function tailRecord({ offset, timestampMs, key, value, headers, damage }: StoredRecord): TailRecord {
  if (damage !== undefined) throw damage;
  return {
    offset: Number(offset),
    timestamp: Number(timestampMs),
    key: base64(key),
    value: base64(value),
    headers: headers.map(([name, text]) => ({ key: base64(name), value: base64(text) })),
  };
}

function base64(bytes: Buffer | null): string | null {
  return bytes?.toString('base64') ?? null;
}
