/** The history of a run: every request with a key, and what its client got. `history-check.ts` judges it. */

export interface KeyedAnswer {
  atMs: number;
  status: number;
  /** As received. */
  body: string;
  /** Whether the response says that the request was executed before. */
  isReplayed: boolean;
}

export interface KeyedRequest {
  key: string;
  /** Who sent it. */
  client: string;
  /** The numbers of its records, in order. With the same numbers, it is the same request. */
  records: readonly number[];
  invokedAtMs: number;
  /** Undefined: the connection broke, or the run ended before. It may have been executed, then or later. */
  answer: KeyedAnswer | undefined;
}

export class KeyedHistory {
  readonly #requests: KeyedRequest[] = [];
  readonly #now: () => number;

  /** `now`: monotonic, in milliseconds. */
  constructor(now: () => number) {
    this.#now = now;
  }

  get requests(): readonly KeyedRequest[] {
    return this.#requests;
  }

  /** A request is sent now. Returns the receiver of its answer. */
  begin(request: Pick<KeyedRequest, 'key' | 'client' | 'records'>): (answer: Omit<KeyedAnswer, 'atMs'>) => void {
    const entry: KeyedRequest = { ...request, invokedAtMs: this.#now(), answer: undefined };
    this.#requests.push(entry);
    return ({ status, body, isReplayed }) => {
      entry.answer = { atMs: this.#now(), status, body, isReplayed };
    };
  }
}
