/** Whether Kafka says anything at all: by its last answer to this bridge, or by a question to every broker. */
import { BridgeError } from '../../errors.ts';
import type { Cluster } from './cluster.ts';
import { isUnreached } from './failure.ts';
import { publicReasonOf } from './failure-reason.ts';
import { bounded, type Limits, within } from './limits.ts';

/** An answer says for so long that Kafka is there; the bridge asks more often (`readiness.intervalMs`). */
const FRESH_MS = 2000;
/** How long brokers may take to answer whether they are there. */
const QUESTION_TIMEOUT_MS = 1000;

export class Liveness {
  readonly #cluster: Cluster;
  /** Shared by all who ask meanwhile. */
  #asking: Promise<void> | undefined;

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  /** Whether Kafka has answered this bridge lately. */
  get isFresh(): boolean {
    return performance.now() - this.#cluster.traffic.answeredAtMs <= FRESH_MS;
  }

  /**
   * That Kafka has answered since `sinceMs`, and lately; asks every broker where it has not. Errors: `kafkaUnavailable` when
   * none answers.
   */
  async confirm({ sinceMs }: { sinceMs: number }): Promise<void> {
    if (this.isFresh && this.#cluster.traffic.answeredAtMs >= sinceMs) return;
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = undefined;
    });
    await this.#asking;
  }

  async #ask(): Promise<void> {
    const limits = within(QUESTION_TIMEOUT_MS);
    try {
      await Promise.any(this.#cluster.addresses.map((broker) => this.#answers(broker, limits)));
    } catch (error) {
      const [reason] = (error as AggregateError).errors;
      const text = publicReasonOf(reason);
      const message = text === undefined ? 'Kafka does not answer' : `Kafka does not answer: ${text}`;
      throw new BridgeError('kafkaUnavailable', { message, cause: reason });
    }
  }

  async #answers(broker: { host: string; port: number }, limits: Limits): Promise<void> {
    try {
      await bounded(this.#cluster.pingBroker(broker), limits);
    } catch (error) {
      // A refusal is an answer, too.
      if (isUnreached(error)) throw error;
    }
  }
}
