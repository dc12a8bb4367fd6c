/** The id by which brokers know the batches of this bridge: https://kafka.apache.org/protocol#The_Messages_InitProducerId */
import { initProducerIdV4 } from '@platformatic/kafka';
import type { Cluster } from './cluster.ts';
import { isForbidden, javaException, protocolErrorId } from './failure.ts';
import { within } from './limits.ts';

/** A bridge that may not have one asks again after this long. */
const FORBIDDEN_PAUSE_MS = 60_000;

export class ProducerId {
  readonly #cluster: Cluster;
  readonly #onForbidden: (reason: string) => void;
  #asking: Promise<bigint | undefined> | undefined;
  #askAgainAtMs = Number.NEGATIVE_INFINITY;
  #known: bigint | undefined;

  /** `onForbidden` is called with Kafka's reason each time that it says no. */
  constructor(cluster: Cluster, onForbidden: (reason: string) => void) {
    this.#cluster = cluster;
    this.#onForbidden = onForbidden;
  }

  /** The id, `undefined` where the bridge may not have one. Errors: when Kafka does not answer. */
  get(): bigint | undefined | Promise<bigint | undefined> {
    if (this.#known !== undefined) return this.#known;
    if (performance.now() < this.#askAgainAtMs) return undefined;
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  /** The next one is another than this. */
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
      return producerId;
    } catch (error) {
      const id = protocolErrorId(error);
      if (id === undefined || !isForbidden(id)) throw error;
      this.#askAgainAtMs = performance.now() + FORBIDDEN_PAUSE_MS;
      this.#onForbidden(javaException(id));
      return undefined;
    }
  }
}
