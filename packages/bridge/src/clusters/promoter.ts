/**
 * Makes this bridge's cluster the active one: in order, while the other one is alive and loses nothing, or by force, when it cannot be reached. The
 * protocol is in `rules.ts`.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { assertNever } from '@causeway/protocol/assert-never.ts';
import {
  countLost,
  formatPromotion,
  isLossKnown,
  isSamePromotion,
  type LossReport,
  type PromoteRequest,
  type PromoteResponse,
  type Promotion,
} from '@causeway/protocol/clusters.ts';
import { BridgeError } from '../errors.ts';
import { type Limits, remainingMs, within } from '../kafka/client/limits.ts';
import type { PartitionOffset } from '../records.ts';
import type { Replication } from '../replication/replication.ts';
import type { ClusterLog } from './cluster-log.ts';
import type { ClusterState } from './cluster-state.ts';
import type { RecordNote } from './log-records.ts';
import { type ClusterRecord, type ClusterView, decidePromotion, leaseWaitMs } from './rules.ts';

export interface PromoterOptions {
  state: ClusterState;
  /** `undefined` without a peer. */
  replication: Replication | undefined;
  /** The groups of all consumers in the session log: their committed offsets are carried over. */
  groups: () => readonly string[];
  requestTimeoutMs: number;
  leaseMs: number;
  switchOverTimeoutMs: number;
  log: { info(fields: object, message: string): void };
}

type Note = Pick<RecordNote, 'by' | 'reason'>;

/** How long the other cluster may take to respond, before it counts as unreachable. */
const REACH_TIMEOUT_MS = 2000;
/** Committed offsets are carried over within this time at least; by force, at most: the clients wait for the promotion. */
const CARRY_OVER_MS = 2000;
/** The pause ends by itself this much later than the promoter gives up. */
const PAUSE_MARGIN_MS = 5000;
/** How long a bridge that promotes may take, as the others see it. */
const OTHER_PROMOTER_MS = 3 * CARRY_OVER_MS;
const OTHER_PROMOTER_POLL_MS = 20;
const RETRY_AFTER_SECONDS = 1;

export class Promoter {
  readonly #options: PromoterOptions;
  /** Ids of forced promotions that this bridge began. */
  readonly #begun = new Set<string>();
  #running: Promise<unknown> = Promise.resolve();

  constructor(options: PromoterOptions) {
    this.#options = options;
  }

  /** One after another. Errors: `promotionRefused`, with the highest promotion; `kafkaUnavailable`. */
  async promote(request: PromoteRequest): Promise<PromoteResponse> {
    const promoting = this.#running.then(() => this.#promote(request));
    this.#running = promoting.catch(() => {});
    return await promoting;
  }

  /** Waits until the promotion that is under way, if any, is over. Never rejects. */
  async settled(): Promise<void> {
    await this.#running;
  }

  async #promote({ after, by, reason, mayLose, isForced = false }: PromoteRequest): Promise<PromoteResponse> {
    const { state, requestTimeoutMs } = this.#options;
    const { self, own } = state;
    await own.confirm(within(requestTimeoutMs));
    const isPeerReachable = await state.isPeerReachable(REACH_TIMEOUT_MS);
    const { view } = own;
    const decision = decidePromotion({ self, view, learned: state.learned, after, mayLose, isPeerReachable });
    const note = { by, reason };
    switch (decision.kind) {
      case 'isActive':
        return { promotion: decision.promotion, kind: own.facts.promoted?.how ?? 'initial', report: null };
      case 'superseded':
        throw this.#refusal(
          `the promotion ${formatPromotion(decision.highest)} is higher than the one that the request follows`,
        );
      case 'isFenced':
        throw this.#refusal('it is fenced, and may have records that the active one lacks: let it rejoin first');
      case 'wouldLose': {
        const report = this.#lossReport(after);
        const known =
          report === undefined || !isLossKnown(report)
            ? 'an unknown number of records'
            : `up to ${countLost(report.ranges)} records`;
        throw this.#refusal(
          `the active one cannot be reached, and ${known} would be lost; the request does not allow for that`,
        );
      }
      case 'force':
        return await this.#force(decision.promotion, note);
      case 'switchOver':
        return await this.#switchOver(decision.promotion, note, { mayLose, isForced });
      default:
        return assertNever(decision);
    }
  }

  async #switchOver(
    promotion: Promotion,
    note: Note,
    { mayLose, isForced }: { mayLose: boolean; isForced: boolean },
  ): Promise<PromoteResponse> {
    const { state, replication, leaseMs, switchOverTimeoutMs, log } = this.#options;
    const { peer } = state;
    if (peer === undefined) throw this.#refusal('it has no peer (clusters.peer)');
    const startedAtMs = performance.now();
    const id = randomUUID();
    const peerLeaseMs = peer.view.leaseMs ?? leaseMs;
    const waitMs = leaseWaitMs(peerLeaseMs);
    const timeoutMs = waitMs + switchOverTimeoutMs + PAUSE_MARGIN_MS;
    const isServing = peer.view.mode === 'active' || peer.view.mode === 'pausing';
    // One that does not serve never begins to, from this record on.
    if (!isServing) await this.#writeTo(peer, { kind: 'follows', promotion }, note);
    else {
      await this.#writeTo(peer, { kind: 'pausing', id, promotion, timeoutMs }, note);
      const { mode, pausing } = peer.view;
      if (mode !== 'pausing' || pausing?.id !== id) {
        throw this.#refusal(`${peer.name} is not active (${mode}), or another switch-over is under way`);
      }
    }
    let peerEnds: readonly PartitionOffset[] | undefined;
    try {
      // By then no bridge of it acknowledges anything any more.
      await delay(waitMs);
      const limits = within(switchOverTimeoutMs);
      peerEnds = await replication?.readEnds(limits);
      const missing = (peerEnds && (await replication?.catchUp(peerEnds, limits))) ?? 0;
      if (missing > 0) {
        throw this.#refusal(
          `replication did not catch up within ${switchOverTimeoutMs} ms: ${missing} records are missing`,
        );
      }
      // A cluster without any group yet creates a topic for them first.
      await this.#carryOverFromPeer(within(Math.max(CARRY_OVER_MS, remainingMs(limits))));
    } catch (error) {
      // What a living Kafka has is lost on an operator's word only: the probes of a gateway may be wrong.
      if (!isForced && !(mayLose && !(await state.isPeerReachable(REACH_TIMEOUT_MS)))) {
        await this.#writeTo(peer, { kind: 'resumed', id }, note).catch(() => {});
        throw error;
      }
      const response = await this.#force(promotion, note);
      await this.#writeTo(peer, { kind: 'follows', promotion }, note).catch(() => {});
      return response;
    }
    if (isServing) {
      await this.#writeTo(peer, { kind: 'handedOver', id }, note);
      const { mode, highest } = peer.view as ClusterView;
      if (mode !== 'standby' || !isSamePromotion(highest, promotion)) {
        throw this.#refusal(`${peer.name} did not hand over in time, and is ${mode}`);
      }
    }
    await this.#writePromoted({ promotion, how: 'orderly', ...(peerEnds === undefined ? {} : { peerEnds }) }, note);
    log.info({ promotion: formatPromotion(promotion), durationMs: performance.now() - startedAtMs }, 'switched over');
    return { promotion, kind: 'orderly', report: null };
  }

  async #force(promotion: Promotion, note: Note): Promise<PromoteResponse> {
    const { state, replication, groups, log } = this.#options;
    // Another bridge may be asked at the same time: only one carries over what groups have committed, and nothing is carried over later.
    if (await this.#isPromotedByAnother(promotion, note)) {
      const found = state.own.facts.reports.find((one) => isSamePromotion(one.promotion, promotion));
      return { promotion, kind: 'forced', report: found ?? null };
    }
    const report = this.#lossReport(promotion);
    const limits = within(CARRY_OVER_MS);
    const carried = await replication?.carryOverFromCheckpoints(groups(), limits);
    const { requestTimeoutMs } = this.#options;
    if (report !== undefined) {
      await state.own.append([{ fact: { kind: 'report', report }, ...note }], within(requestTimeoutMs));
    }
    await this.#writePromoted({ promotion, how: 'forced' }, note);
    log.info({ promotion: formatPromotion(promotion), carried }, 'promoted by force');
    return { promotion, kind: 'forced', report: report ?? null };
  }

  /** Whether another bridge was the first to begin this promotion, and completes it; this one continues if the other does not. */
  async #isPromotedByAnother(promotion: Promotion, note: Note): Promise<boolean> {
    const { own } = this.#options.state;
    const id = randomUUID();
    this.#begun.add(id);
    const limits = within(this.#options.requestTimeoutMs);
    await own.append([{ fact: { kind: 'promoting', id, promotion }, ...note }], limits);
    await own.confirm(limits);
    const { promoting } = own.facts;
    if (promoting === undefined || this.#begun.has(promoting.id) || !isSamePromotion(promoting.promotion, promotion))
      return false;
    for (const patience = within(OTHER_PROMOTER_MS); remainingMs(patience) > 0; await delay(OTHER_PROMOTER_POLL_MS)) {
      if (isSamePromotion(own.view.highest, promotion)) return true;
    }
    return false;
  }

  async #writePromoted(
    written: { promotion: Promotion; how: 'forced' | 'orderly'; peerEnds?: readonly PartitionOffset[] },
    note: Note,
  ): Promise<void> {
    const { state } = this.#options;
    const { promotion } = written;
    await state.keeper.writePromoted({ ...written, ...note });
    // A higher one came first, or another bridge was quicker with the same.
    if (!isSamePromotion(state.own.view.highest, promotion) || state.own.view.mode !== 'active') {
      throw this.#refusal('another promotion came first');
    }
  }

  async #carryOverFromPeer(limits: Limits): Promise<void> {
    const { replication, groups, log } = this.#options;
    const carried = await replication?.carryOverFromPeer(groups(), limits);
    if (carried === undefined) return;
    log.info({ ...carried }, 'committed offsets of consumers carried over');
    const [failed] = carried.failed;
    if (failed === undefined) return;
    const others = carried.failed.length === 1 ? '' : `, and of ${carried.failed.length - 1} more`;
    throw this.#refusal(
      `the committed offsets of group ${failed.group}${others} cannot be carried over: ${failed.reason}`,
    );
  }

  #lossReport(promotion: Promotion): LossReport | undefined {
    return this.#options.replication?.reportLoss(promotion, new Date());
  }

  async #writeTo(log: ClusterLog, record: ClusterRecord, note: Note): Promise<void> {
    const limits = within(this.#options.requestTimeoutMs);
    await log.append([{ fact: { kind: 'rule', record }, ...note }], limits);
    await log.confirm(limits);
  }

  #refusal(why: string): BridgeError {
    const { state } = this.#options;
    return new BridgeError('promotionRefused', {
      message: `Kafka cluster ${state.self} cannot be promoted now: ${why}`,
      retryAfterSeconds: RETRY_AFTER_SECONDS,
      promotion: state.promotionHeader,
    });
  }
}
