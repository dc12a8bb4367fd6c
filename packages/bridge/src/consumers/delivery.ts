/** Hands records to a client, and moves the positions behind what was written; an answer that broke is taken back. */
import { bounded, remainingMs, within } from '../kafka/limits.ts';
import type { Checkpoint, Partitions } from '../kafka/partitions.ts';
import type { RecordReader } from '../kafka/record-reader.ts';

/**
 * Writes the answer that was made of the records that the reader read. Whether it was written: not when the client has
 * gone. What it throws is thrown by the poll, and the records come again. `takeBack` may be called later, when the connection turns
 * out to have broken under the answer; it says whether it was in time.
 */
export type Deliver = (reader: RecordReader, takeBack: () => boolean) => Promise<boolean>;

/** A client that needs longer than this for one answer has gone. */
const LONGEST_WRITE_MS = 60_000;

export class DeliveryLog {
  readonly #partitions: Partitions;
  readonly #end: AbortSignal;
  /** What the last answer moved; nothing once another operation has begun. */
  #last: Checkpoint | undefined;
  #writing: Promise<void> = Promise.resolve();

  /** `end` is the consumer's: nobody waits any longer for an answer to be written. */
  constructor(partitions: Partitions, end: AbortSignal) {
    this.#partitions = partitions;
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

  /** Whether nothing says that the last answer was received. */
  get isUnconfirmed(): boolean {
    return this.#last !== undefined;
  }

  /** The last answer, unless it was received, comes again. */
  takeBack(): void {
    if (this.#last !== undefined) this.#partitions.rewind(this.#last);
    this.#last = undefined;
  }

  /** Errors: what `deliver` throws; positions stay then. */
  async deliver(reader: RecordReader, deliver: Deliver): Promise<void> {
    const writing = this.#deliver(reader, deliver);
    this.#writing = writing.catch(() => {});
    await writing;
  }

  async #deliver(reader: RecordReader, deliver: Deliver): Promise<void> {
    let checkpoint: Checkpoint | undefined;
    const takeBack = (): boolean => {
      if (checkpoint === undefined || this.#last !== checkpoint) return false;
      this.#last = undefined;
      this.#partitions.rewind(checkpoint);
      return true;
    };
    const limits = within(LONGEST_WRITE_MS, this.#end);
    let isWritten: boolean;
    try {
      isWritten = await bounded(deliver(reader, takeBack), limits);
    } catch (error) {
      // Whoever ends the consumer, or asks it again, does not wait for a client that does not read.
      if (this.#end.aborted || remainingMs(limits) === 0) return;
      throw error;
    }
    if (!isWritten || reader.count === 0) return;
    checkpoint = this.#partitions.advance(reader);
    this.#last = checkpoint;
  }
}
