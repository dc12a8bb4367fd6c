/** Counts open connections: of the principal that used each last, or of its address while no request on it was authenticated. */
import type { Socket } from 'node:net';
import { clientNetwork } from '@causeway/config/client-address.ts';
import { carrierOf } from '@causeway/http/carrier.ts';

/** Who has a connection. */
interface Holding {
  /** A principal's name, or an address. */
  key: string;
  counts: Map<string, number>;
}

export class ConnectionCounts {
  /** Those without connections are not in the maps. */
  readonly #addresses = new Map<string, number>();
  readonly #principals = new Map<string, number>();
  readonly #holdings = new WeakMap<Socket, Holding>();

  ofAddress(address: string): number {
    return this.#addresses.get(clientNetwork(address)) ?? 0;
  }

  ofPrincipal(name: string): number {
    return this.#principals.get(name) ?? 0;
  }

  /** Counts an accepted connection for its address, until it closes. */
  enter(socket: Socket, address: string): void {
    const holding: Holding = { key: clientNetwork(address), counts: this.#addresses };
    add(holding, 1);
    this.#holdings.set(socket, holding);
    socket.once('close', () => {
      this.#holdings.delete(socket);
      add(holding, -1);
    });
  }

  /** A principal uses the connection from now on; false where it has `maxCount` others, and the connection stays with who had it. */
  use(socket: Socket, principal: string, maxCount: number | undefined): boolean {
    const holding = this.#holdings.get(carrierOf(socket));
    // It has closed, was accepted before connections were counted, or is a proxy's.
    if (holding === undefined) return true;
    if (holding.counts === this.#principals && holding.key === principal) return true;
    if (maxCount !== undefined && this.ofPrincipal(principal) >= maxCount) return false;
    add(holding, -1);
    holding.key = principal;
    holding.counts = this.#principals;
    add(holding, 1);
    return true;
  }
}

function add({ key, counts }: Holding, change: number): void {
  const count = (counts.get(key) ?? 0) + change;
  if (count === 0) counts.delete(key);
  else counts.set(key, count);
}
