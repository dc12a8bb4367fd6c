/** The share of {@link HeldBytes} that one exchange takes: for its body, and for a response that is held. */
import type { HeldBytes, HeldClient, WrittenResponse } from '@causeway/http/held-bytes.ts';

export class HeldShare implements HeldClient {
  readonly #held: HeldBytes;
  readonly #owner: { onEvicted(): void };
  heldBytes = 0;
  pacedUntilMs = 0;

  /** `onEvicted`: other clients need the memory; the owner has to release it. */
  constructor(held: HeldBytes, owner: { onEvicted(): void }) {
    this.#held = held;
    this.#owner = owner;
  }

  /** Takes `bytes` more; `false`: there is no room for them. */
  take(bytes: number): boolean {
    if (!this.#held.take(bytes, this.heldBytes)) return false;
    this.heldBytes += bytes;
    return true;
  }

  /** Takes `bytes` more when there is room, in turn: `onEnd` says whether there was. Returns a function that ends the wait. */
  takeInTurn(bytes: number, onEnd: (hasRoom: boolean) => void): () => void {
    return this.#held.takeInTurn(bytes, this.heldBytes, (hasRoom) => {
      if (hasRoom) this.heldBytes += bytes;
      onEnd(hasRoom);
    });
  }

  /** Gives `bytes` back, if there are as many. */
  give(bytes: number): void {
    const givenBytes = Math.min(bytes, this.heldBytes);
    this.heldBytes -= givenBytes;
    if (givenBytes > 0) this.#held.give(givenBytes);
  }

  release(): void {
    this.give(this.heldBytes);
  }

  /** Gives everything back as fast as the client reads its response. */
  giveWhenRead(response: WrittenResponse): void {
    const bytes = this.heldBytes;
    this.heldBytes = 0;
    if (bytes > 0) this.#held.giveWhenRead(response, bytes);
  }

  /** The client has sent `bytes` of its body, and will send more. */
  awaitMore(bytes: number): void {
    this.#held.awaiting(this, bytes);
  }

  /** No more of the body is awaited. */
  stopAwaiting(): void {
    if (this.pacedUntilMs > 0) this.#held.arrived(this);
  }

  onEvicted(): void {
    this.#owner.onEvicted();
  }
}
