/**
 * The logs of claims and of answers: read from when the first request with a key arrives, or another bridge has created their topics,
 * until the bridge ends.
 */
import { BridgeError } from '../errors.ts';
import type { Cluster } from '../kafka/client/cluster.ts';
import { type Limits, within } from '../kafka/client/limits.ts';
import { AnswerLog } from './answer-log.ts';
import { SlotLog } from './slot-log.ts';
import { SLOT_TOPIC } from './topics.ts';

/** How often a bridge that has seen no request with a key looks whether another one has. */
const WATCH_INTERVAL_MS = 5_000;

export interface KeyLogsOptions {
  requestTimeoutMs: number;
  retentionMs: number;
  maxKeys: number;
  /** The logs are about to be read. */
  onBegin: () => void;
  /** A slot has another claim. */
  onClaim: (slot: number) => void;
  log: { info(fields: object, message: string): void };
}

export class KeyLogs {
  readonly claims: SlotLog;
  readonly answers: AnswerLog;
  readonly #cluster: Cluster;
  readonly #options: KeyLogsOptions;
  #watch: NodeJS.Timeout | undefined;
  #hasBegun = false;
  #isClosed = false;

  constructor(cluster: Cluster, options: KeyLogsOptions) {
    this.#cluster = cluster;
    this.#options = options;
    const { requestTimeoutMs, retentionMs, maxKeys, onClaim, log } = options;
    const note = (name: string) => (reason: string | undefined) =>
      log.info({ reason }, reason === undefined ? `${name} read` : `${name} not readable`);
    this.claims = new SlotLog(cluster, { requestTimeoutMs, onClaim, onTrouble: note('slots of idempotency keys') });
    const onTrouble = note('answers to idempotency keys');
    this.answers = new AnswerLog(cluster, { requestTimeoutMs, retentionMs, maxKeys, onTrouble });
  }

  start(): void {
    this.#watch = setInterval(() => void this.#beginIfUsed(), WATCH_INTERVAL_MS);
    this.#watch.unref();
    void this.#beginIfUsed();
  }

  async #beginIfUsed(): Promise<void> {
    const limits = within(this.#options.requestTimeoutMs);
    const topics = await this.#cluster.topics([SLOT_TOPIC], limits, { maxAgeMs: 0 }).catch(() => undefined);
    const found = topics?.get(SLOT_TOPIC);
    if (found !== undefined && 'topic' in found) this.#begin();
  }

  #begin(): void {
    if (this.#hasBegun || this.#isClosed) return;
    this.#hasBegun = true;
    clearInterval(this.#watch);
    this.claims.start();
    this.answers.start();
    this.#options.onBegin();
  }

  /** `whileRead` keeps the answers from being held up. Errors: `kafkaUnavailable`, with the reason. */
  async untilLoaded(
    limits: Limits,
    whileRead: (reading: Promise<unknown>, limits: Limits) => Promise<void>,
  ): Promise<void> {
    this.#begin();
    try {
      await this.claims.untilLoaded(limits);
      if (!this.answers.isLoaded) await whileRead(this.answers.untilLoaded(limits), limits);
    } catch {
      const reason = this.claims.trouble ?? this.answers.trouble ?? 'the answers to idempotency keys are being read';
      throw new BridgeError('kafkaUnavailable', {
        message: `Requests with an Idempotency-Key cannot be served now: ${reason}`,
      });
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#watch);
    await Promise.all([this.claims.close(), this.answers.close()]);
  }
}
