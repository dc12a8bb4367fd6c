/**
 * Hands records to a client, and moves the positions behind what was written; an answer that did not arrive is taken back.
 *
 * A client that talks to this bridge itself has received an answer when it asks again. One behind gateways has not: the
 * gateway may have died with the answer, and the client asks again through another. So an answer to a gateway that
 * confirms (`causeway-delivered`) has a mark, and counts as received when that comes back; without it, it comes again.
 */
import { randomInt } from 'node:crypto';
import { CONFIRMATION_TIMEOUT_MS, formatDelivery } from '@causeway/protocol/routing.ts';
import { bounded, remainingMs, within } from '../kafka/client/limits.ts';
import type { Checkpoint, Partitions } from '../kafka/fetch/partitions.ts';
import type { RecordReader } from '../kafka/fetch/record-reader.ts';

/**
 * Writes the answer that was made of the records that the reader read. Whether it was written: not when the client has
 * gone. What it throws is thrown by the poll, and the records come again. `takeBack` may be called later, when the
 * connection turns out to have broken under the answer; it says whether it was in time. `delivery` is for the gateway
 * that is to confirm.
 */
export type Deliver = (
  reader: RecordReader,
  context: { takeBack: () => boolean; delivery: string | undefined },
) => Promise<boolean>;

/** What becomes of the last answer when the client asks again. */
export type DeliveryDecision = 'received' | 'wait' | 'comesAgain';

/**
 * `mark`: of the answer, `undefined` where the client talks to this bridge itself. `confirmedMark`: what came back last.
 * `isWaitOver`: long enough for every gateway that lives to confirm.
 */
export function decideDelivery({
  mark,
  confirmedMark,
  isWaitOver,
}: {
  mark: string | undefined;
  confirmedMark: string | undefined;
  isWaitOver: boolean;
}): DeliveryDecision {
  if (mark === undefined || mark === confirmedMark) return 'received';
  return isWaitOver ? 'comesAgain' : 'wait';
}

/** A client that needs longer than this for one answer has gone. */
const LONGEST_WRITE_MS = 60_000;
/** Where marks begin: no two bridges give a consumer's answers the same ones, and they stay exact numbers. */
const FIRST_MARKS = 2 ** 47;

export class DeliveryLog {
  readonly #partitions: Partitions;
  readonly #end: AbortSignal;
  /** What the last answer moved; nothing once it was received, or taken back. */
  #last: Checkpoint | undefined;
  #writing: Promise<void> = Promise.resolve();
  #markCount = randomInt(1, FIRST_MARKS);
  /** Of the last answer; `undefined` where nobody confirms. */
  #mark: string | undefined;
  /** Its mark when that came back, be it before the writing was seen to end. */
  #confirmedMark: string | undefined;
  /** Whoever waits for the mark. */
  #waiter: PromiseWithResolvers<void> | undefined;
  /** The client's requests come through gateways that do not know of each other's answers. */
  #isAwaited = false;

  /** `end` is the consumer's: nobody waits any longer for an answer to be written. */
  constructor(partitions: Partitions, end: AbortSignal) {
    this.#partitions = partitions;
    this.#end = end;
  }

  /** Waits until the answer that is being written has been, and its positions moved. */
  settled(): Promise<void> {
    return this.#writing;
  }

  /** A gateway says that it handed over the answer of this mark. `isInPassing`: with the client's own request. */
  confirm(mark: string, { isInPassing }: { isInPassing: boolean }): void {
    if (mark !== this.#mark) return;
    if (isInPassing) this.#isAwaited = false;
    this.#confirmedMark = mark;
    if (this.#last !== undefined) this.#received();
  }

  /**
   * The client asks again: the last answer was received, or comes again. A promise where that is not known yet; it never
   * rejects.
   */
  settle(): Promise<void> | undefined {
    if (this.#last === undefined) return undefined;
    if (this.#decide({ isWaitOver: false }) === 'received') {
      this.#received();
      return undefined;
    }
    this.#isAwaited = true;
    return this.settleMarked();
  }

  /** Waits for the confirmation of an answer that has a mark; takes it back without one. Never rejects. */
  async settleMarked(): Promise<void> {
    if (this.#last === undefined || this.#mark === undefined) return;
    await this.untilReceived();
    if (this.#last !== undefined && this.#decide({ isWaitOver: true }) === 'comesAgain') this.takeBack();
  }

  /** Waits until the last answer, if any, was received, or until no gateway that lives would still say so. Never rejects. */
  async untilReceived(): Promise<void> {
    if (this.#last === undefined) return;
    const limits = within(CONFIRMATION_TIMEOUT_MS, this.#end);
    this.#waiter ??= Promise.withResolvers();
    await bounded(this.#waiter.promise, limits).catch(() => {});
  }

  /** What the last answer moved, while a gateway is still to say that it arrived. */
  get unreceived(): Checkpoint | undefined {
    return this.#mark === undefined ? undefined : this.#last;
  }

  /** The client came again, while this consumer is given up: as {@link settle}, without waiting. */
  askedAgain(): void {
    if (this.#mark === undefined) this.#received();
  }

  /** The last answer, unless it was received, comes again. */
  takeBack(): void {
    if (this.#last !== undefined) this.#partitions.rewind(this.#last);
    this.#received();
  }

  /** `isConfirming`: the gateway that asks says what it delivered. Errors: what `deliver` throws; positions stay then. */
  async deliver(reader: RecordReader, isConfirming: boolean, deliver: Deliver): Promise<void> {
    const writing = this.#deliver(reader, isConfirming, deliver);
    this.#writing = writing.catch(() => {});
    await writing;
  }

  async #deliver(reader: RecordReader, isConfirming: boolean, deliver: Deliver): Promise<void> {
    let checkpoint: Checkpoint | undefined;
    const takeBack = (): boolean => {
      if (checkpoint === undefined || this.#last !== checkpoint) return false;
      this.takeBack();
      return true;
    };
    const mark = isConfirming ? this.#nextMark() : undefined;
    this.#mark = mark;
    this.#confirmedMark = undefined;
    const delivery = mark && formatDelivery({ mark, isAwaited: this.#isAwaited });
    const limits = within(LONGEST_WRITE_MS, this.#end);
    let isWritten: boolean;
    try {
      isWritten = await bounded(deliver(reader, { takeBack, delivery }), limits);
    } catch (error) {
      // Whoever ends the consumer, or asks it again, does not wait for a client that does not read.
      if (this.#end.aborted || remainingMs(limits) === 0) return;
      throw error;
    }
    if (!isWritten || reader.count === 0) return;
    checkpoint = this.#partitions.advance(reader);
    // The next request may have confirmed it already.
    if (mark === undefined || this.#confirmedMark !== mark) this.#last = checkpoint;
  }

  #decide({ isWaitOver }: { isWaitOver: boolean }): DeliveryDecision {
    return decideDelivery({ mark: this.#mark, confirmedMark: this.#confirmedMark, isWaitOver });
  }

  #nextMark(): string {
    this.#markCount += 1;
    return String(this.#markCount);
  }

  #received(): void {
    this.#last = undefined;
    this.#waiter?.resolve();
    this.#waiter = undefined;
  }
}
