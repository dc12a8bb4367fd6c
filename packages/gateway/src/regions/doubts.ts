/**
 * Counts clients whose requests got no response from a target.
 *
 * One client can cause such outcomes at will. Several unrelated clients in a row, with no response in between, cannot do so by
 * chance: the target responds to probes and to nothing else.
 */

/** Doubts of this many clients, from different networks, become a fault of the target. */
export const CLIENTS_FOR_A_FAULT = 5;

export class Doubts {
  readonly #clients = new Set<string>();

  /** Adds a request without a response, by the network of its client. Returns whether this is a fault of the target. */
  add(client: string): boolean {
    if (this.#clients.size < CLIENTS_FOR_A_FAULT) this.#clients.add(client);
    return this.#clients.size >= CLIENTS_FOR_A_FAULT;
  }

  /** The target has responded to a request. */
  clear(): void {
    if (this.#clients.size > 0) this.#clients.clear();
  }
}
