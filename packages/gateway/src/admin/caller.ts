/** Who sends a request to the admin API: finds the owner of a token. */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { AdminToken, Role } from '../config/admin.ts';

/** The owner of a valid token. */
export interface Caller {
  readonly name: string;
  readonly role: Role;
}

interface Row {
  readonly digest: Buffer;
  readonly caller: Caller;
}

/** The tokens of a configuration. Each lookup takes the same time: it compares all of them, and hashes have one length. */
export class TokenTable {
  readonly #rows: readonly Row[];

  constructor(tokens: readonly AdminToken[]) {
    this.#rows = tokens.map(({ name, role, token }) => ({ digest: digestOf(token), caller: { name, role } }));
  }

  get isEmpty(): boolean {
    return this.#rows.length === 0;
  }

  /** `undefined` for an unknown token. */
  ownerOf(token: string): Caller | undefined {
    const given = digestOf(token);
    let owner: Caller | undefined;
    for (const { digest, caller } of this.#rows) if (timingSafeEqual(given, digest)) owner = caller;
    return owner;
  }
}

function digestOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
