/** The id by which brokers know the batches of this bridge: https://kafka.apache.org/protocol#The_Messages_InitProducerId */
import { initProducerIdV4 } from '@platformatic/kafka';
import type { Cluster } from '../client/cluster.ts';
import { javaException, protocolErrorId } from '../client/failure.ts';
import { isForbidden } from '../client/kafka-errors.ts';
import { within } from '../client/limits.ts';

/** A bridge that was refused an id asks again after this long. */
const FORBIDDEN_PAUSE_MS = 60_000;

export class ProducerId {
  readonly #cluster: Cluster;
  readonly #onForbidden: (reason: string) => void;
  readonly #forbiddenPauseMs: number;
  #isForbidden = false;
  #asking: Promise<bigint | undefined> | undefined;
  #askAgainAtMs = Number.NEGATIVE_INFINITY;
  #known: bigint | undefined;

  /** `onForbidden` is called with Kafka's reason when Kafka refuses an id, once until it grants one. */
  constructor(
    cluster: Cluster,
    onForbidden: (reason: string) => void,
    { forbiddenPauseMs = FORBIDDEN_PAUSE_MS }: { forbiddenPauseMs?: number } = {},
  ) {
    this.#cluster = cluster;
    this.#onForbidden = onForbidden;
    this.#forbiddenPauseMs = forbiddenPauseMs;
  }

  /** The id; `undefined` if Kafka refuses one. Errors: when Kafka does not respond. */
  get(): bigint | undefined | Promise<bigint | undefined> {
    if (this.#known !== undefined) return this.#known;
    if (performance.now() < this.#askAgainAtMs) return undefined;
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  /** Discards this id: the next {@link get} returns another one. */
  renew(used: bigint): void {
    if (this.#known === used) this.#known = undefined;
  }

  async #ask(): Promise<bigint | undefined> {
    try {
      const { producerId } = await this.#cluster.onAnyBroker(
        // The library's defaults, 0 and 0, would ask for the next epoch of producer 0.
        (connection) => initProducerIdV4.api.async(connection, null, 0, -1n, -1),
        within(this.#cluster.options.requestTimeoutMs),
      );
      this.#known = producerId;
      this.#isForbidden = false;
      return producerId;
    } catch (error) {
      const id = protocolErrorId(error);
      if (id === undefined || !isForbidden(id)) throw error;
      this.#askAgainAtMs = performance.now() + this.#forbiddenPauseMs;
      if (!this.#isForbidden) this.#onForbidden(javaException(id));
      this.#isForbidden = true;
      return undefined;
    }
  }
}
