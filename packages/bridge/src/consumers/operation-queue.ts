/**
 * Runs the operations of one consumer one after another. A poll that waits for records lets the others run meanwhile. The number of
 * operations that wait, and the time that each waits, are bounded.
 */
import { BridgeError } from '../errors.ts';

/** Polls that wait for the end of the one that runs. A client that closes its connection frees the place. */
export const MAX_WAITING_POLLS = 4;
/** Other operations of a client that wait for their turn. */
export const MAX_WAITING_OPERATIONS = 64;
/** An operation that has not begun after this long is refused: the one before it waits for Kafka, or for a slow reader. */
export const OPERATION_TURN_TIMEOUT_MS = 5000;
/** How much longer than its own timeout a poll waits for its turn: a poll that came at the same moment ends by then. */
export const POLL_TURN_GRACE_MS = 500;
/** How much longer it waits after that, where the poll before it is overdue: that waits for Kafka, and not for records. */
export const OVERDUE_POLL_WAIT_MS = 2500;

const ONE_POLL =
  'Another poll of this consumer is under way; wait for its answer, or create a consumer for each reader.';

/** The turn of a poll. Until it has records, it lets waiting operations run. */
export interface PollTurn {
  /** Whether operations wait. */
  readonly isWanted: boolean;
  /** Called when an operation begins to wait; the poll interrupts its own wait, and gives way. */
  onWanted: (() => void) | undefined;
  /**
   * Runs the operations that wait now; later ones wait for the next time, or a poll would never continue. A poll whose time is
   * over need not wait for them. Never rejects.
   */
  giveWay(): Promise<void>;
}

export interface PollTurnRequest {
  timeoutMs: number;
  /** Aborted when the client has gone: the poll then frees its place. */
  signal: AbortSignal;
}

interface TurnWait {
  timeoutMs: number;
  /** Of the refusal, when the time is over. */
  message: (waitedMs: number) => string;
  /** Ends the wait. */
  signal?: AbortSignal;
  /** Called when the time is over: how much longer to wait. */
  moreMs?: () => number;
}

/** An operation or poll that waits for its turn. */
interface Entry {
  /** Of its arrival. */
  place: number;
  /** Never rejects. */
  begin: () => Promise<void>;
}

export class OperationQueue {
  /** Called before each operation of the client, which waits for the promise that it returns. */
  readonly #onNext: () => Promise<void> | undefined;
  readonly #operations: Entry[] = [];
  readonly #polls: Entry[] = [];
  #isRunning = false;
  /** Of the poll that runs. */
  #turn: PollTurn | undefined;
  /** When that poll's timeout ends, by `performance.now()`. */
  #turnEndsAtMs = 0;
  /** The operations that a poll lets run: its turn does not end before they do, even if it does not wait for them. */
  #givenWay: Promise<void> | undefined;
  #lastPlace = 0;
  /** Operations that run or wait. */
  #openCount = 0;
  #touchedAtMs = performance.now();

  constructor(onNext: () => Promise<void> | undefined) {
    this.#onNext = onNext;
  }

  /** Since the last operation, in milliseconds; 0 while one is running. */
  idleMs(): number {
    return this.#openCount > 0 ? 0 : performance.now() - this.#touchedAtMs;
  }

  /** Counts as an operation that takes no time. */
  touch(): void {
    this.#touchedAtMs = performance.now();
  }

  /**
   * Settles like the operation. `isClients`: the client asks for it, and so asks again; default true. `isBounded`: it may be
   * refused; default false. Errors: `consumerBusy` where it is bounded.
   */
  async run<T>(
    operation: () => T | Promise<T>,
    { isClients = true, isBounded = false }: { isClients?: boolean; isBounded?: boolean } = {},
  ): Promise<T> {
    if (isBounded && this.#operations.length >= MAX_WAITING_OPERATIONS) throw busy(busyText(0));
    const turn = isBounded ? { timeoutMs: OPERATION_TURN_TIMEOUT_MS, message: busyText } : undefined;
    return await this.#enter(this.#operations, () => this.#settled(operation, isClients), turn);
  }

  /**
   * Settles like the poll; `undefined` when its client disconnects before its turn comes. Errors: `consumerBusy` when the turn does
   * not come within its time, or too many polls wait already.
   */
  async poll<T>(poll: (turn: PollTurn) => Promise<T>, { timeoutMs, signal }: PollTurnRequest): Promise<T | undefined> {
    if (signal.aborted) return undefined;
    const endsAtMs = performance.now() + timeoutMs;
    if (this.#polls.length >= MAX_WAITING_POLLS) throw busy(ONE_POLL);
    const run = async (): Promise<T> => {
      const turn = this.#newTurn();
      this.#turn = turn;
      this.#turnEndsAtMs = endsAtMs;
      try {
        return await this.#settled(() => poll(turn), true);
      } finally {
        this.#turn = undefined;
      }
    };
    const isBehindPoll = this.#turn !== undefined || this.#polls.length > 0;
    const limitMs = timeoutMs + (isBehindPoll ? POLL_TURN_GRACE_MS : 2 * POLL_TURN_GRACE_MS);
    const message = isBehindPoll ? () => ONE_POLL : busyText;
    const moreMs = (): number =>
      this.#turn !== undefined && performance.now() > this.#turnEndsAtMs ? OVERDUE_POLL_WAIT_MS : 0;
    return await this.#enter(this.#polls, run, { timeoutMs: limitMs, message, signal, moreMs });
  }

  async #settled<T>(operation: () => T | Promise<T>, isClients: boolean): Promise<T> {
    const settling = isClients ? this.#onNext() : undefined;
    if (settling !== undefined) await settling;
    return await operation();
  }

  /** Waits for the turn, then for the operation. Resolves with `undefined` when the signal is aborted before. */
  #enter<T>(line: Entry[], operation: () => Promise<T>, turn: TurnWait | undefined): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    this.#openCount += 1;
    let timer: NodeJS.Timeout | undefined;
    const stopWaiting = (): void => {
      clearTimeout(timer);
      turn?.signal?.removeEventListener('abort', onGone);
    };
    this.#lastPlace += 1;
    const entry: Entry = {
      place: this.#lastPlace,
      begin: async () => {
        stopWaiting();
        try {
          resolve(await operation());
        } catch (error) {
          reject(error);
        }
        this.#over();
        if (line === this.#polls) await this.#givenWay;
      },
    };
    const leave = (): boolean => {
      const index = line.indexOf(entry);
      if (index === -1) return false;
      line.splice(index, 1);
      stopWaiting();
      this.#over();
      return true;
    };
    const onGone = (): void => {
      if (leave()) resolve(undefined as T);
    };
    line.push(entry);
    if (this.#isRunning && turn !== undefined) {
      const refuse = (): void => {
        if (leave()) reject(busy(turn.message(turn.timeoutMs)));
      };
      timer = setTimeout(() => {
        const moreMs = turn.moreMs?.() ?? 0;
        if (moreMs > 0) timer = setTimeout(refuse, moreMs);
        else refuse();
      }, turn.timeoutMs);
      turn.signal?.addEventListener('abort', onGone, { once: true });
    }
    if (!this.#isRunning) void this.#runAll();
    else if (line === this.#operations) this.#turn?.onWanted?.();
    return promise;
  }

  #over(): void {
    this.#openCount -= 1;
    this.touch();
  }

  async #runAll(): Promise<void> {
    this.#isRunning = true;
    // So that the caller of the first operation continues before it runs.
    await Promise.resolve();
    for (let entry = this.#next(); entry !== undefined; entry = this.#next()) await entry.begin();
    this.#isRunning = false;
  }

  /** The oldest: a poll that runs gives way to operations, but an endless series of them must not keep it from starting. */
  #next(): Entry | undefined {
    const [operation] = this.#operations;
    const [poll] = this.#polls;
    const isOperation = operation !== undefined && (poll === undefined || operation.place < poll.place);
    return (isOperation ? this.#operations : this.#polls).shift();
  }

  #newTurn(): PollTurn {
    const operations = this.#operations;
    return {
      get isWanted(): boolean {
        return operations.length > 0;
      },
      onWanted: undefined,
      giveWay: async () => {
        this.#givenWay = this.#runWaiting();
        await this.#givenWay;
      },
    };
  }

  async #runWaiting(): Promise<void> {
    for (let { length } = this.#operations; length > 0; length -= 1) await this.#operations.shift()?.begin();
  }
}

function busy(message: string): BridgeError {
  return new BridgeError('consumerBusy', { message });
}

function busyText(waitedMs: number): string {
  const state = waitedMs === 0 ? `${MAX_WAITING_OPERATIONS} others wait` : `it did not end within ${waitedMs} ms`;
  return `Another request of this consumer is under way, and ${state}; send one request of a consumer at a time.`;
}
