/** Addresses of pods and Services: a block of loopback for each cluster, in which nothing has the ports of the objects. */
import { LabError } from '../errors.ts';
import { isPortFree } from '../stack/ports.ts';

/** Far from 127.0.0.x, which other programs use. */
const SECOND_BYTES = { first: 64, last: 250 };
const MAX_ADDRESSES = 254;
const BLOCK_ATTEMPTS = 20;

export class PodAddresses {
  readonly #block: string;
  #lastUsed = 0;

  private constructor(block: string) {
    this.#block = block;
  }

  /** Errors: `portInUse`, when another program has the ports at every address. */
  static async find(ports: readonly number[], random: () => number = Math.random): Promise<PodAddresses> {
    const { first, last } = SECOND_BYTES;
    for (let attempt = 0; attempt < BLOCK_ATTEMPTS; attempt += 1) {
      const second = first + Math.floor(random() * (last - first + 1));
      const block = `127.${second}.${Math.floor(random() * 256)}`;
      const areFree = await Promise.all(ports.map((port) => isPortFree(port, `${block}.1`)));
      if (!areFree.includes(false)) return new PodAddresses(block);
    }
    const list = ports.join(', ');
    throw new LabError('portInUse', `A program listens on one of the ports ${list} at every address: stop it first.`);
  }

  /** An address that no pod has had. */
  next(): string {
    if (this.#lastUsed >= MAX_ADDRESSES) throw new TypeError('too many pods');
    this.#lastUsed += 1;
    return `${this.#block}.${this.#lastUsed}`;
  }
}
