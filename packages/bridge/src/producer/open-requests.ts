/**
 * Produce requests that wait for results: which of their records are open and until when, how much memory they keep, and their
 * results, which resolve when each record has its own.
 */
import { BridgeError } from '../errors.ts';
import type { ProduceResult, RecordToProduce } from '../records.ts';
import { serializedBytes } from './record-size.ts';

/** Memory that the open records of all producers of a bridge take. */
export interface OpenBytes {
  bytes: number;
}

export interface OpenRequestsOptions {
  /** Memory for all of them together; a single request may be larger. */
  maxBytes: number;
  /** Of all producers together. */
  shared: OpenBytes;
  /** How long a record may be open. */
  timeoutMs: number;
}

/** One request's records: resolved when each has its result. */
interface Waiting {
  results: (ProduceResult | undefined)[];
  openCount: number;
  /** Bytes of the request's body beyond those of its records: in memory until all of them are settled. */
  extraBytes: number;
  resolve: (results: ProduceResult[]) => void;
}

/** A record of a request. */
export interface Entry {
  record: RecordToProduce;
  bytes: number;
  waiting: Waiting;
  index: number;
  expiresAtMs: number;
}

const RETRY_AFTER_SECONDS = 1;

export class OpenRequests {
  readonly #options: OpenRequestsOptions;
  #bytes = 0;
  #onNone: (() => void) | undefined;

  constructor(options: OpenRequestsOptions) {
    this.#options = options;
  }

  /** Bytes that open records keep in memory. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * `bodyBytes`: size of the request's body, which the records keep in memory. `results` have the order of the records, and never
   * reject. Errors: `overloaded` when too much is open.
   */
  open(
    records: readonly RecordToProduce[],
    bodyBytes: number,
  ): { entries: Entry[]; results: Promise<ProduceResult[]> } {
    const bytes = records.map(serializedBytes);
    const recordBytes = bytes.reduce((sum, value) => sum + value, 0);
    const totalBytes = Math.max(recordBytes, bodyBytes);
    const { shared, maxBytes } = this.#options;
    if (shared.bytes > 0 && shared.bytes + totalBytes > maxBytes) {
      throw new BridgeError('overloaded', { retryAfterSeconds: RETRY_AFTER_SECONDS });
    }
    if (records.length === 0) return { entries: [], results: Promise.resolve([]) };
    this.#add(totalBytes);
    const { promise, resolve } = Promise.withResolvers<ProduceResult[]>();
    const extraBytes = totalBytes - recordBytes;
    const waiting: Waiting = { results: new Array(records.length), openCount: records.length, extraBytes, resolve };
    const expiresAtMs = performance.now() + this.#options.timeoutMs;
    const entries = records.map((record, index) => ({
      record,
      bytes: bytes[index] ?? 0,
      waiting,
      index,
      expiresAtMs,
    }));
    return { entries, results: promise };
  }

  /** Sets the record's result, unless it has one. */
  settle(entry: Entry, result: ProduceResult): void {
    const { waiting, index } = entry;
    if (waiting.results[index] !== undefined) return;
    waiting.results[index] = result;
    waiting.openCount -= 1;
    this.#add(-entry.bytes);
    if (waiting.openCount === 0) {
      this.#add(-waiting.extraBytes);
      waiting.resolve(waiting.results as ProduceResult[]);
    }
    if (this.#bytes === 0) this.#onNone?.();
  }

  settleAll(entries: readonly Entry[], result: ProduceResult): void {
    for (const entry of entries) this.settle(entry, result);
  }

  #add(bytes: number): void {
    this.#bytes += bytes;
    this.#options.shared.bytes += bytes;
  }

  /** Resolves when all have their results. */
  async untilNone(): Promise<void> {
    if (this.#bytes === 0) return;
    await new Promise<void>((resolve) => {
      this.#onNone = resolve;
    });
  }
}

/** Whether it has no result yet. */
export function isOpen({ waiting, index }: Entry): boolean {
  return waiting.results[index] === undefined;
}
