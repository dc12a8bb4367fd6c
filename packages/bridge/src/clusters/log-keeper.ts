/** Writes into the log of this bridge's cluster what follows from what the bridge knows. Every bridge of the cluster does, and twice is as good as once. */
import type { Promotion } from '@causeway/protocol/clusters.ts';
import { reasonOf } from '../kafka/client/failure-reason.ts';
import { within } from '../kafka/client/limits.ts';
import type { ClusterLog } from './cluster-log.ts';
import type { FactToWrite } from './log-records.ts';
import type { PromotionToWrite, PromotionWriter } from './promotion-writer.ts';
import { type ClusterRecord, decideCompletion, decideLearned } from './rules.ts';

export interface LogKeeperOptions {
  own: ClusterLog;
  peer: ClusterLog | undefined;
  writer: PromotionWriter;
  /** This bridge, as `region/bridge`. */
  bridge: string;
  requestTimeoutMs: number;
  leaseMs: number;
  /** The highest promotions that were learned elsewhere: of others, and of all. */
  learned: () => readonly (Promotion | undefined)[];
  /** Whether the other cluster's log may still say something that is not known. */
  isPeerUnknown: () => boolean;
  log: { warn(fields: object, message: string): void };
}

export class LogKeeper {
  readonly #options: LogKeeperOptions;
  #settling: Promise<void> | undefined;
  #pauseTimer: { id: string; timer: NodeJS.Timeout } | undefined;
  #isReported = false;
  #isClosed = false;

  constructor(options: LogKeeperOptions) {
    this.#options = options;
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#pauseTimer?.timer);
  }

  /** Writes a record, and reads the log to its end. Errors: as {@link ClusterLog.append}. */
  async write(record: ClusterRecord, note: Omit<FactToWrite, 'fact'>): Promise<void> {
    const { own, requestTimeoutMs } = this.#options;
    const limits = within(requestTimeoutMs);
    await own.append([{ fact: { kind: 'rule', record }, ...note }], limits);
    await own.confirm(limits);
  }

  /** Writes that the cluster is active. Errors: as {@link ClusterLog.append}. */
  async writePromoted(
    written: Pick<PromotionToWrite, 'promotion' | 'how' | 'by' | 'reason' | 'peerEnds'>,
  ): Promise<void> {
    const { own, writer, leaseMs } = this.#options;
    await writer.write({ ...written, leaseMs, previous: own.view.highest });
  }

  /** Writes what is to be written, one thing at a time; what fails is tried again with the next call. */
  settle(): void {
    this.#watchPause();
    if (this.#isClosed || this.#settling !== undefined || !this.#options.own.isLoaded) return;
    this.#settling = this.#settleOnce().finally(() => {
      this.#settling = undefined;
    });
  }

  /** Waits until the log has what this bridge learned, or refuses it. Never rejects. */
  async settled(): Promise<void> {
    await this.#settling;
    this.settle();
    await this.#settling;
  }

  /** Into a log that was recreated. */
  writeAgain(): void {
    const { own, bridge, leaseMs, requestTimeoutMs, log } = this.#options;
    const { view, promoted } = own.facts;
    const records: ClusterRecord[] = [];
    if (promoted !== undefined) {
      const { promotion, how } = promoted;
      records.push({ kind: 'promoted', promotion, how, leaseMs: view.leaseMs ?? leaseMs });
    }
    if (view.highest !== undefined && view.highest.cluster !== own.name) {
      records.push({ kind: 'follows', promotion: view.highest });
      if (view.mode === 'standby') records.push({ kind: 'rejoined', promotion: view.highest });
    }
    log.warn({ count: records.length }, 'the log of the cluster was recreated: this bridge writes it again');
    const note = { by: bridge, reason: 'the log was recreated' };
    const facts = records.map((record) => ({ fact: { kind: 'rule' as const, record }, ...note }));
    own.append(facts, within(requestTimeoutMs)).catch((error: unknown) => this.#report(error));
  }

  /** Never rejects. */
  async #settleOnce(): Promise<void> {
    try {
      await this.#complete();
    } catch {
      // The other cluster is gone, and a promotion by force is as good.
    }
    try {
      await this.#writeLearned();
      this.#isReported = false;
    } catch (error) {
      this.#report(error);
    }
  }

  /** A switch-over to this cluster passed its point of no return, and its promoter may be gone. */
  async #complete(): Promise<void> {
    const { own, peer, bridge, requestTimeoutMs } = this.#options;
    if (peer?.isLoaded !== true || decideCompletion(own.view, peer.view, own.name) === undefined) return;
    // What was read of the logs may be of long ago.
    const limits = within(requestTimeoutMs);
    await Promise.all([peer.confirm(limits), own.confirm(limits)]);
    const promotion = decideCompletion(own.view, peer.view, own.name);
    if (promotion === undefined) return;
    await this.writePromoted({ promotion, how: 'orderly', by: bridge, reason: `${peer.name} handed over` });
  }

  async #writeLearned(): Promise<void> {
    const { own, peer, bridge: by, leaseMs, learned, isPeerUnknown } = this.#options;
    for (const known of learned()) {
      const decision = decideLearned(own.view, known, { self: own.name, peerHighest: peer?.view.highest });
      if (decision === undefined) continue;
      const { promotion } = decision;
      if (decision.kind === 'follows') {
        await this.write({ kind: 'follows', promotion }, { by, reason: 'learned of it' });
      } else if (!isPeerUnknown()) {
        const reason = 'the first active cluster, by clusters.active of a gateway';
        await this.write({ kind: 'promoted', promotion, how: 'initial', leaseMs }, { by, reason });
      }
    }
  }

  /** The active cluster continues when a switch-over takes too long. */
  #watchPause(): void {
    const { own, bridge, leaseMs } = this.#options;
    const { mode, pausing } = own.view;
    const id = mode === 'pausing' ? pausing?.id : undefined;
    if (this.#pauseTimer?.id === id) return;
    clearTimeout(this.#pauseTimer?.timer);
    this.#pauseTimer = undefined;
    if (id === undefined || pausing === undefined || this.#isClosed) return;
    const resume = (): void => {
      this.write({ kind: 'resumed', id }, { by: bridge, reason: 'the switch-over took too long' }).catch(() => {
        if (this.#pauseTimer?.id !== id || this.#isClosed) return;
        this.#pauseTimer.timer = setTimeout(resume, leaseMs);
      });
    };
    this.#pauseTimer = { id, timer: setTimeout(resume, pausing.timeoutMs) };
  }

  /** Once, until a write succeeds. */
  #report(error: unknown): void {
    if (this.#isReported || this.#isClosed) return;
    this.#isReported = true;
    this.#options.log.warn({ reason: reasonOf(error) }, 'the log of the cluster cannot be written');
  }
}
