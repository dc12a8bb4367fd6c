/** Hands records to a client, and moves the positions behind what was written; an answer that broke is taken back. */
import type { Checkpoint, Fetcher } from '../kafka/fetcher.ts';
import { bounded, remainingMs, within } from '../kafka/limits.ts';
import type { StoredRecord } from '../records.ts';

/** What a poll does with its records. */
export interface Delivery {
  /** How many of the records, from the first, were written to the client; `undefined` when it has gone. */
  writtenCount: number | undefined;
}

/**
 * Writes an answer with the records. What it throws is thrown by the poll, and the records come again.
 * `takeBack` may be called later, when the connection turns out to have broken under the answer; it says whether it
 * was in time.
 */
export type Deliver = (records: readonly StoredRecord[], takeBack: () => boolean) => Promise<Delivery>;

/** A client that needs longer than this for one answer has gone. */
const LONGEST_WRITE_MS = 60_000;

export class DeliveryLog {
  readonly #fetcher: Fetcher;
  readonly #end: AbortSignal;
  /** What the last answer moved; nothing once another operation has begun. */
  #last: Checkpoint | undefined;
  #writing: Promise<void> = Promise.resolve();

  /** `end` is the consumer's: nobody waits any longer for an answer to be written. */
  constructor(fetcher: Fetcher, end: AbortSignal) {
    this.#fetcher = fetcher;
    this.#end = end;
  }

  /** Waits until the answer that is being written has been, and its positions moved. */
  settled(): Promise<void> {
    return this.#writing;
  }

  /** The client came again: what the last answer delivered counts as received. */
  confirm(): void {
    this.#last = undefined;
  }

  /** Errors: what `deliver` throws; positions stay then. */
  async deliver(records: readonly StoredRecord[], deliver: Deliver): Promise<void> {
    const writing = this.#deliver(records, deliver);
    this.#writing = writing.catch(() => {});
    await writing;
  }

  async #deliver(records: readonly StoredRecord[], deliver: Deliver): Promise<void> {
    let checkpoint: Checkpoint | undefined;
    const takeBack = (): boolean => {
      if (checkpoint === undefined || this.#last !== checkpoint) return false;
      this.#last = undefined;
      this.#fetcher.rewind(checkpoint);
      return true;
    };
    const limits = within(LONGEST_WRITE_MS, this.#end);
    let writtenCount: number | undefined;
    try {
      ({ writtenCount } = await bounded(deliver(records, takeBack), limits));
    } catch (error) {
      // Whoever ends the consumer, or asks it again, does not wait for a client that does not read.
      if (this.#end.aborted || remainingMs(limits) === 0) return;
      throw error;
    }
    if (writtenCount === undefined || writtenCount === 0) return;
    checkpoint = this.#fetcher.advance(records.slice(0, writtenCount));
    this.#last = checkpoint;
  }
}
