/**
 * Whether this bridge's cluster serves clients, as the bridge knows it now: from the cluster's log, from the other cluster's while it can be reached, and
 * from what gateways send.
 */
import {
  type ClusterMode,
  formatClusterMode,
  formatPromotion,
  highestPromotion,
  type Promotion,
  parsePromotion,
} from '@causeway/protocol/clusters.ts';
import type { ClusterGate } from '../cluster-gate.ts';
import type { BridgeError } from '../errors.ts';
import type { Cluster } from '../kafka/client/cluster.ts';
import { bounded, within } from '../kafka/client/limits.ts';
import { inactiveError, inactiveReason, lostError } from './cluster-errors.ts';
import { ClusterLog } from './cluster-log.ts';
import { Confirmations } from './confirmations.ts';
import { LogKeeper } from './log-keeper.ts';
import { PromotionWriter } from './promotion-writer.ts';
import { modeOf } from './rules.ts';

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

/** A bridge that starts, or whose Kafka was away, waits so long for what the other cluster's log says: an old primary that returns learns it there. */
const PEER_CHECK_MS = 1000;

export class ClusterState implements ClusterGate {
  readonly own: ClusterLog;
  readonly peer: ClusterLog | undefined;
  readonly #options: ClusterStateOptions;
  readonly keeper: LogKeeper;
  readonly #confirmations: Confirmations;
  readonly #listeners: ModeListener[] = [];
  #mode: ClusterMode = 'unassigned';
  /** Highest promotions that were learned elsewhere: of all clusters, and of others. */
  #learned: Promotion | undefined;
  #learnedOfOthers: Promotion | undefined;
  #lastHeard: string | undefined;
  #promotionHeader: string | undefined;
  #modeHeader: string;
  #peerCheck: Promise<void> | undefined;
  #isClosed = false;

  constructor(options: ClusterStateOptions) {
    this.#options = options;
    const { self, cluster, peer, bridge, requestTimeoutMs, leaseMs, prefer, log } = options;
    this.#modeHeader = formatClusterMode({ cluster: self, mode: this.#mode });
    this.own = new ClusterLog(cluster, {
      name: self,
      requestTimeoutMs,
      onChanged: () => this.#onChanged(),
      onConfirmed: (askedAt) => this.#confirmations.noteOwn(askedAt),
      onRecreated: () => this.keeper.writeAgain(),
      onTrouble: (reason) => {
        log.info({ reason }, reason === undefined ? 'log of the cluster read' : 'log of the cluster not readable');
        if (reason === undefined) this.#checkPeer();
      },
    });
    this.peer = peer && this.#peerLog(peer);
    const logs = { own: this.own, peer: this.peer };
    this.#confirmations = new Confirmations({ ...logs, leaseMs, prefer });
    this.keeper = new LogKeeper({
      ...logs,
      writer: new PromotionWriter(cluster, this.own, { requestTimeoutMs }),
      bridge,
      requestTimeoutMs,
      leaseMs,
      learned: () => [this.#learnedOfOthers, this.#learned],
      isPeerUnknown: () => this.peer?.isLoaded === false && this.#peerCheck !== undefined,
      log,
    });
  }

  #peerLog({ name, cluster }: { name: string; cluster: Cluster }): ClusterLog {
    const { requestTimeoutMs, log } = this.#options;
    return new ClusterLog(cluster, {
      name,
      requestTimeoutMs,
      onChanged: () => this.#onChanged(),
      onConfirmed: (askedAt) => this.#confirmations.notePeer(askedAt),
      onTrouble: (reason) => {
        const fields = { cluster: name, reason };
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
    this.#confirmations.start(() => this.keeper.settle());
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#confirmations.close();
    this.keeper.close();
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
    return this.#confirmations.leaseMs;
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
    return this.#options.prefer === 'availability' || this.#isConfirmed(this.term) ? undefined : this.#enterSlowly();
  }

  get term(): number {
    return this.#confirmations.term;
  }

  confirm(term: number): Promise<void> | undefined {
    return this.#isConfirmed(term) ? undefined : this.#confirmSlowly(term);
  }

  refusal(): BridgeError | undefined {
    return this.#mode === 'active' ? undefined : this.#inactive();
  }

  get isWritable(): boolean {
    // A switch-over lets more than the lease pass before it relies on what the log has.
    return this.#mode === 'active' || (this.#mode === 'pausing' && this.#isConfirmed(this.term));
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

  #isConfirmed(term: number): boolean {
    // What is under way when a switch-over begins ends as always: the promoter waits for more than the lease.
    return (this.#mode === 'active' || this.#mode === 'pausing') && this.#confirmations.isConfirmed(term);
  }

  /** With `prefer: consistency`: nothing is stored that could not be acknowledged while the other cluster is away. */
  async #enterSlowly(): Promise<void> {
    try {
      await this.#confirmSlowly(this.term);
    } catch (cause) {
      const { self, peer } = this;
      const message = `Kafka cluster ${self} serves nothing while the log of ${peer?.name ?? 'the other one'} cannot be read (clusters.prefer: consistency)`;
      throw this.refusal() ?? inactiveError(message, { promotion: this.#promotionHeader, cause });
    }
  }

  async #confirmSlowly(term: number): Promise<void> {
    let isConfirmed: boolean;
    try {
      isConfirmed = await this.#confirmations.confirm(term, within(this.#options.requestTimeoutMs));
    } catch (error) {
      throw this.#lost(error);
    }
    if (!isConfirmed || !this.#isConfirmed(term)) throw this.#lost(undefined);
  }

  #lost(cause: unknown): BridgeError {
    return lostError(this.self, { promotion: this.#promotionHeader, cause });
  }

  #inactive(): BridgeError {
    const { self, own } = this;
    const reason = inactiveReason({
      self,
      mode: this.#mode,
      isLoaded: own.isLoaded,
      active: (own.view.mode === 'pausing' ? own.view.pausing?.promotion : (this.highest ?? this.#learned))?.cluster,
    });
    return inactiveError(reason, { promotion: this.#promotionHeader });
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
    this.#confirmations.noteFacts();
    if (mode !== this.#mode) {
      const before = this.#mode;
      this.#mode = mode;
      this.#modeHeader = formatClusterMode({ cluster: self, mode });
      this.#options.log.info({ cluster: self, mode, before, promotion: this.#promotionHeader }, 'mode of the cluster');
      for (const listener of this.#listeners) listener(mode);
    }
    this.keeper.settle();
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
      this.keeper.settle();
    });
    this.#peerCheck = check;
  }
}
