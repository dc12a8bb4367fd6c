/**
 * Requests that ended at a target without an answer, by the clients that sent them.
 *
 * One client can bring such ends about at will; several that have nothing in common, without an answer to anyone in between,
 * cannot by chance: the target answers probes and nothing else.
 */

/** Clients from so many different addresses make a doubt a fault. */
export const CLIENTS_TO_BLAME = 5;

export class Doubts {
  readonly #clients = new Set<string>();

  /** A request of `client` (its network) got no answer. Whether the target is to blame. */
  add(client: string): boolean {
    if (this.#clients.size < CLIENTS_TO_BLAME) this.#clients.add(client);
    return this.#clients.size >= CLIENTS_TO_BLAME;
  }

  /** The target has answered someone. */
  clear(): void {
    if (this.#clients.size > 0) this.#clients.clear();
  }
}
