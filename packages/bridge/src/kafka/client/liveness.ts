/** Whether any broker responds: by the last response to this bridge, or by a request to every broker. */
import { BridgeError } from '../../errors.ts';
import type { Cluster } from './cluster.ts';
import { isUnreached } from './failure.ts';
import { publicReasonOf } from './failure-reason.ts';
import { bounded, type Limits, within } from './limits.ts';

/** How long a response proves that Kafka is up; the bridge asks more often (`readiness.intervalMs`). */
const FRESH_MS = 2000;
/** How long brokers may take to respond. */
const QUESTION_TIMEOUT_MS = 1000;

export class Liveness {
  readonly #cluster: Cluster;
  /** Shared by callers that ask meanwhile. */
  #asking: Promise<void> | undefined;

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  /** Whether Kafka has responded to this bridge lately. */
  get isFresh(): boolean {
    return performance.now() - this.#cluster.traffic.answeredAtMs <= FRESH_MS;
  }

  /**
   * Makes sure that Kafka has responded since `sinceMs`, and lately; asks every broker if it has not. Errors: `kafkaUnavailable`
   * when no broker responds.
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
      // An error from the broker is a response, too.
      if (isUnreached(error)) throw error;
    }
  }
}
