/**
 * Whether this bridge's cluster serves clients, as the bridge knows it now: from the cluster's log, from the other cluster's while it can be reached, and
 * from what gateways send. Writes down what follows from what it learned, and asks Kafka in the background for the confirmations without which
 * nothing is acknowledged.
 */
import {
  type ClusterMode,
  comparePromotions,
  formatClusterMode,
  formatPromotion,
  highestPromotion,
  type Promotion,
  parsePromotion,
} from '@causeway/protocol/clusters.ts';
import { elapsedMs, NEVER, readClocks } from '../clock.ts';
import type { ClusterGate } from '../cluster-gate.ts';
import { BridgeError } from '../errors.ts';
import type { Cluster } from '../kafka/client/cluster.ts';
import { reasonOf } from '../kafka/client/failure-reason.ts';
import { bounded, within } from '../kafka/client/limits.ts';
import { ClusterLog } from './cluster-log.ts';
import type { FactToWrite } from './log-records.ts';
import { type PromotionToWrite, PromotionWriter } from './promotion-writer.ts';
import { type ClusterRecord, decideCompletion, decideLearned, leaseWaitMs, mayAcknowledge, modeOf } from './rules.ts';

export interface ClusterStateOptions {
  /** The name of this bridge's cluster. */
  self: string;
  cluster: Cluster;
  peer: { name: string; cluster: Cluster } | undefined;
  /** This bridge, as `region/bridge`. */
  bridge: string;
  requestTimeoutMs: number;
  /** Of this bridge's configuration; the lease that counts is in the log. */
  leaseMs: number;
  prefer: 'availability' | 'consistency';
  log: { info(fields: object, message: string): void; warn(fields: object, message: string): void };
}

export type ModeListener = (mode: ClusterMode) => void;

/** Confirmations in a lease: one may be late without a request having to wait. */
const QUESTIONS_PER_LEASE = 4;
/** A bridge that starts, or whose Kafka was away, waits so long for what the other cluster's log says: an old primary that returns learns it there. */
const PEER_CHECK_MS = 1000;
const RETRY_AFTER_SECONDS = 1;

export class ClusterState implements ClusterGate {
  readonly own: ClusterLog;
  readonly peer: ClusterLog | undefined;
  readonly #options: ClusterStateOptions;
  readonly #writer: PromotionWriter;
  readonly #listeners: ModeListener[] = [];
  #mode: ClusterMode = 'unassigned';
  /** Highest promotions that were learned elsewhere: of all clusters, and of others. */
  #learned: Promotion | undefined;
  #learnedOfOthers: Promotion | undefined;
  #lastHeard: string | undefined;
  #promotionHeader: string | undefined;
  #modeHeader: string;
  /** When Kafka was last asked for the log's end while the log said that the cluster is active. */
  #activeAt = NEVER;
  /** The same of the peer's log, whatever it says. */
  #peerAt = NEVER;
  #notedTerm = 0;
  #servesFromMs = Number.NEGATIVE_INFINITY;
  #peerCheck: Promise<void> | undefined;
  #settling: Promise<void> | undefined;
  #questionTimer: NodeJS.Timeout | undefined;
  #pauseTimer: { id: string; timer: NodeJS.Timeout } | undefined;
  #isWriteReported = false;
  #isClosed = false;

  constructor(options: ClusterStateOptions) {
    this.#options = options;
    const { self, cluster, peer, requestTimeoutMs, log } = options;
    this.#modeHeader = formatClusterMode({ cluster: self, mode: this.#mode });
    const onChanged = (): void => this.#onChanged();
    this.own = new ClusterLog(cluster, {
      name: self,
      requestTimeoutMs,
      onChanged,
      onConfirmed: (askedAt) => {
        if (this.own.view.mode === 'active') this.#activeAt = askedAt;
      },
      onRecreated: () => this.#writeAgain(),
      onTrouble: (reason) => {
        log.info({ reason }, reason === undefined ? 'log of the cluster read' : 'log of the cluster not readable');
        if (reason === undefined) this.#checkPeer();
      },
    });
    this.#writer = new PromotionWriter(cluster, this.own, { requestTimeoutMs });
    if (peer === undefined) return;
    this.peer = new ClusterLog(peer.cluster, {
      name: peer.name,
      requestTimeoutMs,
      onChanged,
      onConfirmed: (askedAt) => {
        this.#peerAt = askedAt;
      },
      onTrouble: (reason) => {
        const fields = { cluster: peer.name, reason };
        log.info(
          fields,
          reason === undefined ? "the other cluster's log read" : "the other cluster's log not readable",
        );
      },
    });
  }

  start(): void {
    this.own.start();
    this.peer?.start();
    this.#checkPeer();
    this.#askLater();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#questionTimer);
    clearTimeout(this.#pauseTimer?.timer);
    await Promise.all([this.own.close(), this.peer?.close()]);
  }

  get self(): string {
    return this.#options.self;
  }

  get mode(): ClusterMode {
    return this.#mode;
  }

  /** The highest promotion that this bridge knows, of any cluster. */
  get highest(): Promotion | undefined {
    const learned = this.#learned !== undefined && this.#learned.number > 0 ? this.#learned : undefined;
    return highestPromotion(this.own.view.highest, learned);
  }

  /** The promotion under which bridges claim consumers: also while a switch-over lets them write where their clients are. */
  get claimPromotion(): Promotion | undefined {
    return this.#mode === 'active' || this.#mode === 'pausing' ? this.own.view.highest : undefined;
  }

  get learned(): Promotion | undefined {
    return this.#learned;
  }

  /** For gateways: {@link highest}. */
  get promotionHeader(): string | undefined {
    return this.#promotionHeader;
  }

  /** For gateways: the cluster and its mode. */
  get modeHeader(): string {
    return this.#modeHeader;
  }

  /** How long a confirmation counts: the same for all bridges of the cluster, also while their configuration is changed. */
  get leaseMs(): number {
    return this.own.view.leaseMs ?? this.#options.leaseMs;
  }

  /** Why this bridge cannot know whether it may serve; `undefined` once it does. */
  get unreadyReason(): string | undefined {
    return this.own.isLoaded ? undefined : `The log of cluster ${this.self} cannot be read: ${this.own.trouble ?? ''}`;
  }

  /** Calls `listener` after each change of the mode. */
  onMode(listener: ModeListener): void {
    this.#listeners.push(listener);
  }

  /** A gateway sent this promotion with a request. */
  hear(text: string | undefined): void {
    // Gateways send the same with every request.
    if (text === this.#lastHeard || text === undefined) return;
    this.#lastHeard = text;
    const promotion = parsePromotion(text);
    if (promotion !== undefined) this.learn(promotion);
  }

  learn(promotion: Promotion): void {
    if (!this.#noteLearned(promotion)) return;
    this.#update();
  }

  enter(): Promise<void> | undefined {
    if (this.#mode !== 'active') throw this.#inactive();
    if (this.#peerCheck !== undefined) return this.#peerCheck.then(() => this.enter());
    return this.#options.prefer === 'availability' || this.#isConfirmed() ? undefined : this.#enterSlowly();
  }

  get term(): number {
    return this.own.facts.promoted?.promotion.number ?? 0;
  }

  confirm(term: number): Promise<void> | undefined {
    // What was stored before a switch-over to another cluster and back may have come too late for both.
    return this.#isConfirmed() && term === this.term ? undefined : this.#confirmSlowly(term);
  }

  refusal(): BridgeError | undefined {
    return this.#mode === 'active' ? undefined : this.#inactive();
  }

  get isWritable(): boolean {
    // A switch-over lets more than the lease pass before it relies on what the log has.
    return this.#mode === 'active' || (this.#mode === 'pausing' && this.#isConfirmed());
  }

  /** Writes into the log of this cluster, and reads it to its end. Errors: as {@link ClusterLog.append}. */
  async write(record: ClusterRecord, note: Omit<FactToWrite, 'fact'>): Promise<void> {
    const limits = within(this.#options.requestTimeoutMs);
    await this.own.append([{ fact: { kind: 'rule', record }, ...note }], limits);
    await this.own.confirm(limits);
  }

  /** Writes that this cluster is active. Errors: as {@link ClusterLog.append}. */
  async writePromoted(
    written: Pick<PromotionToWrite, 'promotion' | 'how' | 'by' | 'reason' | 'peerEnds'>,
  ): Promise<void> {
    const { leaseMs } = this.#options;
    await this.#writer.write({ ...written, leaseMs, previous: this.own.view.highest });
  }

  /** Whether the other cluster's log can be read, by a question that is asked now. */
  async isPeerReachable(timeoutMs: number): Promise<boolean> {
    if (this.peer === undefined || this.peer.trouble !== undefined) return false;
    try {
      await this.peer.confirm(within(timeoutMs));
      return true;
    } catch {
      return false;
    }
  }

  #isConfirmed(): boolean {
    // What is under way when a switch-over begins ends as always: the promoter waits for more than the lease.
    if (this.#mode !== 'active' && this.#mode !== 'pausing') return false;
    const { leaseMs } = this;
    const nowMs = performance.now();
    const wallMs = Date.now();
    const confirmedAgoMs = Math.max(nowMs - this.#activeAt.monotonicMs, wallMs - this.#activeAt.wallMs);
    if (!mayAcknowledge({ mode: 'active', confirmedAgoMs, leaseMs })) return false;
    if (this.#options.prefer === 'availability') return true;
    return nowMs >= this.#servesFromMs && (!this.#needsPeer || elapsedMs(this.#peerAt, readClocks()) <= leaseMs);
  }

  /** With `prefer: consistency`: not after a forced promotion, until the lost cluster has rejoined. */
  get #needsPeer(): boolean {
    const { promoted, isPeerJoined } = this.own.facts;
    return promoted?.how !== 'forced' || isPeerJoined;
  }

  /** With `prefer: consistency`: nothing is stored that could not be acknowledged while the other cluster is away. */
  async #enterSlowly(): Promise<void> {
    try {
      await this.#confirmSlowly(this.term);
    } catch (cause) {
      const { self, peer } = this;
      const message = `Kafka cluster ${self} serves nothing while the log of ${peer?.name ?? 'the other one'} cannot be read (clusters.prefer: consistency)`;
      throw this.refusal() ?? new BridgeError('clusterInactive', { ...this.#errorOptions, message, cause });
    }
  }

  async #confirmSlowly(term: number): Promise<void> {
    const { requestTimeoutMs, prefer } = this.#options;
    const limits = within(requestTimeoutMs);
    try {
      // Again, where the answer was read too late: the caller acts on it at once, without another await.
      while (term === this.term && (this.#mode === 'active' || this.#mode === 'pausing')) {
        const asking = [this.own.confirm(limits)];
        if (prefer === 'consistency' && this.#needsPeer && this.peer !== undefined)
          asking.push(this.peer.confirm(limits));
        await Promise.all(asking);
        if (this.#isConfirmed() && term === this.term) return;
        // It does not become active again without the end of the pause.
        if (this.own.view.mode !== 'active') break;
        if (performance.now() < this.#servesFromMs) break;
      }
    } catch (error) {
      throw this.#lost(error);
    }
    throw this.#lost(undefined);
  }

  #lost(cause: unknown): BridgeError {
    const message = `Kafka cluster ${this.self} stopped serving clients before the request was confirmed: whether it was executed is not known`;
    return new BridgeError('clusterLost', { ...this.#errorOptions, message, cause });
  }

  #inactive(): BridgeError {
    return new BridgeError('clusterInactive', { ...this.#errorOptions, message: this.#inactiveText() });
  }

  get #errorOptions(): { retryAfterSeconds: number; promotion: string | undefined } {
    return { retryAfterSeconds: RETRY_AFTER_SECONDS, promotion: this.#promotionHeader };
  }

  #inactiveText(): string {
    const { self } = this;
    const other = this.highest ?? this.#learned;
    switch (this.#mode) {
      case 'pausing':
        return `Kafka cluster ${self} hands over to ${this.own.view.pausing?.promotion.cluster ?? 'another one'}`;
      case 'standby':
        return `Kafka cluster ${self} stands by: ${other?.cluster ?? 'another one'} is active`;
      case 'fenced':
        return `Kafka cluster ${self} is fenced: ${other?.cluster ?? 'another one'} was promoted, and an operator has not let ${self} rejoin`;
      default:
        return this.own.isLoaded
          ? `Kafka cluster ${self} has not been promoted, and no gateway has said which cluster is active`
          : `The log of Kafka cluster ${self} is being read`;
    }
  }

  #noteLearned(promotion: Promotion): boolean {
    const before = this.#learned;
    const beforeOfOthers = this.#learnedOfOthers;
    this.#learned = highestPromotion(this.#learned, promotion);
    if (promotion.cluster !== this.self) {
      this.#learnedOfOthers = highestPromotion(this.#learnedOfOthers, promotion);
    }
    return before !== this.#learned || beforeOfOthers !== this.#learnedOfOthers;
  }

  #onChanged(): void {
    const peerHighest = this.peer?.view.highest;
    if (peerHighest !== undefined) this.#noteLearned(peerHighest);
    this.#update();
  }

  /** Takes over what is known now. */
  #update(): void {
    const { own, self } = this;
    if (!own.isLoaded) return;
    const mode = modeOf(own.view, this.#learnedOfOthers, self);
    const { highest } = this;
    this.#promotionHeader = highest === undefined ? undefined : formatPromotion(highest);
    this.#watchPause();
    this.#noteTerm();
    if (mode !== this.#mode) {
      const before = this.#mode;
      this.#mode = mode;
      this.#modeHeader = formatClusterMode({ cluster: self, mode });
      this.#options.log.info({ cluster: self, mode, before, promotion: this.#promotionHeader }, 'mode of the cluster');
      for (const listener of this.#listeners) listener(mode);
    }
    this.#settle();
  }

  /** With `prefer: consistency`, the cluster that was lost may serve until its confirmations of this one's log are too old. */
  #noteTerm(): void {
    if (this.term === this.#notedTerm) return;
    this.#notedTerm = this.term;
    const { prefer, leaseMs } = this.#options;
    if (prefer === 'availability' || this.own.facts.promoted?.how !== 'forced') return;
    this.#servesFromMs = performance.now() + leaseWaitMs(Math.max(leaseMs, this.leaseMs));
  }

  /** Before it serves again, the bridge looks into the other cluster's log, if that can be reached. */
  #checkPeer(): void {
    const { peer } = this;
    if (peer === undefined || this.#isClosed) return;
    const limits = within(PEER_CHECK_MS);
    const check = (async () => {
      // Before its first answer, nothing is known of it.
      await bounded(peer.confirm(limits), limits).catch(() => {});
    })().finally(() => {
      if (this.#peerCheck === check) this.#peerCheck = undefined;
      this.#settle();
    });
    this.#peerCheck = check;
  }

  /** Waits until the log has what this bridge learned, or refuses it. Never rejects. */
  async settled(): Promise<void> {
    await this.#settling;
    this.#settle();
    await this.#settling;
  }

  /** Writes what follows from what is known, one thing at a time; what fails is tried again with the next question. */
  #settle(): void {
    if (this.#isClosed || this.#settling !== undefined || !this.own.isLoaded) return;
    this.#settling = this.#settleOnce()
      .then(() => {
        this.#isWriteReported = false;
      })
      .catch((error: unknown) => this.#reportWrite(error))
      .finally(() => {
        this.#settling = undefined;
      });
  }

  /** Once, until a write succeeds. */
  #reportWrite(error: unknown): void {
    if (this.#isWriteReported || this.#isClosed) return;
    this.#isWriteReported = true;
    this.#options.log.warn({ reason: reasonOf(error) }, 'the log of the cluster cannot be written');
  }

  /** Into a log that was recreated; other bridges of the cluster do the same, which changes nothing. */
  #writeAgain(): void {
    const { view, promoted } = this.own.facts;
    const { mode, highest } = view;
    const records: ClusterRecord[] = [];
    if (promoted !== undefined) {
      const { promotion, how } = promoted;
      records.push({ kind: 'promoted', promotion, how, leaseMs: this.leaseMs });
    }
    if (highest !== undefined && highest.cluster !== this.self) {
      records.push({ kind: 'follows', promotion: highest });
      if (mode === 'standby') records.push({ kind: 'rejoined', promotion: highest });
    }
    const note = { by: this.#options.bridge, reason: 'the log was recreated' };
    this.#options.log.warn(
      { count: records.length },
      'the log of the cluster was recreated: this bridge writes it again',
    );
    const facts = records.map((record) => ({ fact: { kind: 'rule' as const, record }, ...note }));
    const appending = this.own.append(facts, within(this.#options.requestTimeoutMs));
    appending.catch((error: unknown) => this.#reportWrite(error));
  }

  async #settleOnce(): Promise<void> {
    const { own, peer, self } = this;
    if (peer?.isLoaded === true && decideCompletion(own.view, peer.view, self) !== undefined) {
      // The view of a log that is being read may be one of long ago.
      await peer.confirm(within(this.#options.requestTimeoutMs));
      await own.confirm(within(this.#options.requestTimeoutMs));
      const promotion = decideCompletion(own.view, peer.view, self);
      if (promotion !== undefined) await this.#complete(promotion);
    }
    // Nothing of the other cluster may be known yet that says otherwise.
    const isPeerUnknown = peer !== undefined && !peer.isLoaded && this.#peerCheck !== undefined;
    const peerHighest = peer?.view.highest;
    for (const learned of [this.#learnedOfOthers, this.#learned]) {
      const decision = decideLearned(own.view, learned, { self, peerHighest });
      if (decision === undefined || (decision.kind === 'initial' && isPeerUnknown)) continue;
      const { promotion } = decision;
      const by = this.#options.bridge;
      if (decision.kind === 'follows')
        await this.write({ kind: 'follows', promotion }, { by, reason: 'learned of it' });
      else {
        const { leaseMs } = this.#options;
        const reason = 'the first active cluster, by clusters.active of a gateway';
        await this.write({ kind: 'promoted', promotion, how: 'initial', leaseMs }, { by, reason });
      }
    }
  }

  /** A switch-over to this cluster passed its point of no return, and its promoter may be gone. */
  async #complete(promotion: Promotion): Promise<void> {
    const reason = `${this.peer?.name ?? ''} handed over`;
    await this.writePromoted({ promotion, how: 'orderly', by: this.#options.bridge, reason });
  }

  /** The active cluster serves on when a switch-over takes too long. */
  #watchPause(): void {
    const { mode, pausing } = this.own.view;
    const id = mode === 'pausing' ? pausing?.id : undefined;
    if (this.#pauseTimer?.id === id) return;
    clearTimeout(this.#pauseTimer?.timer);
    this.#pauseTimer = undefined;
    if (id === undefined || pausing === undefined || this.#isClosed) return;
    const resume = (): void => {
      const note = { by: this.#options.bridge, reason: 'the switch-over took too long' };
      this.write({ kind: 'resumed', id }, note).catch(() => {
        if (this.#pauseTimer?.id !== id || this.#isClosed) return;
        this.#pauseTimer.timer = setTimeout(resume, this.#options.leaseMs);
      });
    };
    this.#pauseTimer = { id, timer: setTimeout(resume, pausing.timeoutMs) };
  }

  #askLater(): void {
    const intervalMs = this.leaseMs / QUESTIONS_PER_LEASE;
    this.#questionTimer = setTimeout(() => {
      const { leaseMs, own, peer } = this;
      own.confirm(within(leaseMs)).catch(() => {});
      if (this.#options.prefer === 'consistency' && peer?.trouble === undefined) {
        peer?.confirm(within(leaseMs)).catch(() => {});
      }
      this.#settle();
      this.#askLater();
    }, intervalMs);
  }
}

/** Whether `a` and `b` are one promotion. */
export function isSamePromotion(a: Promotion | undefined, b: Promotion | undefined): boolean {
  return a !== undefined && b !== undefined && comparePromotions(a, b) === 0;
}
