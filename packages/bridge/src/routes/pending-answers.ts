/** Which connections have a request that waits for its answer. */
import type { ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';

/**
 * The last request of each connection that waits for an answer. Entries stay for as long as connections do: each table
 * that a map outgrows by additions and removals refers to the next, and so keeps what it held until the whole heap is
 * collected.
 */
export class PendingAnswers {
  readonly #connections = new WeakMap<Duplex, { last: ServerResponse | undefined }>();

  get(connection: Duplex): ServerResponse | undefined {
    return this.#connections.get(connection)?.last;
  }

  add(connection: Duplex, response: ServerResponse): { last: ServerResponse | undefined } {
    const known = this.#connections.get(connection);
    if (known !== undefined) {
      known.last = response;
      return known;
    }
    const added = { last: response };
    this.#connections.set(connection, added);
    return added;
  }
}
