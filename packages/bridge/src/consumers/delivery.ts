/**
 * Hands records to a client, and moves the positions behind them; takes a response back that did not arrive.
 *
 * A client that connects to this bridge itself has received a response when it asks again. A client behind gateways may not
 * have: its gateway may have died with the response, and the client asks again through another one. So a response to a gateway
 * that confirms (`causeway-delivered`) has a mark, and counts as received when the mark comes back; otherwise its records come
 * again.
 */
import { randomInt } from 'node:crypto';
import { CONFIRMATION_TIMEOUT_MS, formatDelivery } from '@causeway/protocol/routing.ts';
import { bounded, remainingMs, within } from '../kafka/client/limits.ts';
import type { Checkpoint, Partitions } from '../kafka/fetch/partitions.ts';
import type { RecordReader } from '../kafka/fetch/record-reader.ts';

/**
 * Writes the response with the records of the reader. Resolves with whether it was written: not when the client has gone. An
 * error fails the poll, and the records come again. `takeBack` may be called later, when the connection turns out to have
 * broken under the response, and returns whether it was in time. `delivery`: for the gateway that is to confirm.
 */
export type Deliver = (
  reader: RecordReader,
  context: { takeBack: () => boolean; delivery: string | undefined },
) => Promise<boolean>;

/** Whether the client has the last response, when it asks again. */
export type DeliveryDecision = 'received' | 'wait' | 'comesAgain';

/**
 * `mark`: of the response; `undefined` where no gateway confirms. `confirmedMark`: the mark that came back last.
 * `isWaitOver`: every gateway that lives has had the time to confirm.
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

/** A client that needs longer than this for one response counts as gone. */
const LONGEST_WRITE_MS = 60_000;
/** Upper bound of a random first mark: no two bridges give a consumer's responses the same marks, which stay exact numbers. */
const FIRST_MARKS = 2 ** 47;

export class DeliveryLog {
  readonly #partitions: Partitions;
  readonly #end: AbortSignal;
  /** The positions before and after the last response; `undefined` once it was received, or taken back. */
  #last: Checkpoint | undefined;
  /** Which response that was. */
  #lastNumber = 0;
  #responseCount = 0;
  #writing: Promise<void> = Promise.resolve();
  #markCount = randomInt(1, FIRST_MARKS);
  /** Of the last response; `undefined` where no gateway confirms. */
  #mark: string | undefined;
  /** The mark that came back, perhaps before the response was seen to be written. */
  #confirmedMark: string | undefined;
  /** The wait for the mark. */
  #waiter: PromiseWithResolvers<void> | undefined;
  /** The client's requests come through several gateways, which do not see each other's responses. */
  #isAwaited = false;

  /** `end`: aborted when no operation waits any longer for a response to be written. */
  constructor(partitions: Partitions, end: AbortSignal) {
    this.#partitions = partitions;
    this.#end = end;
  }

  /** Waits until the response that is being written is complete, and its positions have moved. */
  settled(): Promise<void> {
    return this.#writing;
  }

  /** A gateway confirms that the client has the response of this mark. `isInPassing`: with the client's next request. */
  confirm(mark: string, { isInPassing }: { isInPassing: boolean }): void {
    if (mark !== this.#mark) return;
    if (isInPassing) this.#isAwaited = false;
    this.#confirmedMark = mark;
    if (this.#last !== undefined) this.#received();
  }

  /**
   * The client asks again: the last response was received, or its records come again. Returns a promise, which never rejects, while
   * that is not known.
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

  /** Waits for the confirmation of a response with a mark, and takes the response back without one. Never rejects. */
  async settleMarked(): Promise<void> {
    if (this.#last === undefined || this.#mark === undefined) return;
    await this.untilReceived();
    if (this.#last !== undefined && this.#decide({ isWaitOver: true }) === 'comesAgain') this.takeBack();
  }

  /** Waits until the last response, if any, is confirmed, or until every gateway that lives had the time. Never rejects. */
  async untilReceived(): Promise<void> {
    if (this.#last === undefined) return;
    const limits = within(CONFIRMATION_TIMEOUT_MS, this.#end);
    this.#waiter ??= Promise.withResolvers();
    await bounded(this.#waiter.promise, limits).catch(() => {});
  }

  /** The positions before the last response, while its confirmation is missing. */
  get unreceived(): Checkpoint | undefined {
    return this.#mark === undefined ? undefined : this.#last;
  }

  /** The client asks again while the session is released: as {@link settle}, without waiting. */
  askedAgain(): void {
    if (this.#mark === undefined) this.#received();
  }

  /** Moves the positions back to before the last response, unless that was received. */
  takeBack(): void {
    if (this.#last !== undefined) this.#partitions.takeBack(this.#last);
    this.#received();
  }

  /** `isConfirming`: the gateway confirms deliveries. Errors: those of `deliver`; the positions do not move then. */
  async deliver(reader: RecordReader, isConfirming: boolean, deliver: Deliver): Promise<void> {
    const writing = this.#deliver(reader, isConfirming, deliver);
    this.#writing = writing.catch(() => {});
    await writing;
  }

  async #deliver(reader: RecordReader, isConfirming: boolean, deliver: Deliver): Promise<void> {
    this.#responseCount += 1;
    const number = this.#responseCount;
    // Without the checkpoint, which has records: connections keep this function until their next response.
    const takeBack = (): boolean => {
      if (this.#last === undefined || this.#lastNumber !== number) return false;
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
      // The end of the session, and its next operation, do not wait for a client that does not read.
      if (this.#end.aborted || remainingMs(limits) === 0) return;
      throw error;
    }
    if (!isWritten || reader.count === 0) return;
    const checkpoint = this.#partitions.advance(reader);
    // The next request may have confirmed it already.
    if (mark !== undefined && this.#confirmedMark === mark) return;
    this.#last = checkpoint;
    this.#lastNumber = number;
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
