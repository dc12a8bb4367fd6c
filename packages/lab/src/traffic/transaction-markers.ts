/**
 * Which records of a partition a reader with `read_committed` sees, decided by the markers that end transactions (KIP-98).
 *
 * kafkajs's own filter is not used: where the transactions of two producers overlap, Kafka lists the aborted ones by their ends, and
 * kafkajs expects them by their beginnings, so that it hands out aborted records.
 */

/** The parts of a record, or a marker, that decide; as kafkajs decodes them. */
export interface LogEntry {
  key: Buffer | null;
  isControlRecord: boolean;
  batchContext: { producerId: string; inTransaction: boolean };
}

/** The second number of a marker's key. */
const ABORT = 0;
const COMMIT = 1;
const TYPE_AT = 2;

/** `Item`: what stands for a record. */
export class TransactionMarkers<Item> {
  readonly committed: Item[] = [];
  readonly aborted: Item[] = [];
  /** By producer: one has at most one open transaction. */
  readonly #open = new Map<string, Item[]>();

  /** Takes the next entry of the partition; `item` is kept if it is a record. */
  add({ isControlRecord, key, batchContext: { producerId, inTransaction } }: LogEntry, item: Item): void {
    if (isControlRecord) this.#end(producerId, key?.readInt16BE(TYPE_AT));
    else if (inTransaction) this.#openOf(producerId).push(item);
    else this.committed.push(item);
  }

  /** Records of transactions that have not ended. */
  get open(): Item[] {
    return [...this.#open.values()].flat();
  }

  #openOf(producerId: string): Item[] {
    const items = this.#open.get(producerId) ?? [];
    this.#open.set(producerId, items);
    return items;
  }

  #end(producerId: string, type: number | undefined): void {
    if (type !== COMMIT && type !== ABORT) return;
    const ended = type === COMMIT ? this.committed : this.aborted;
    ended.push(...this.#openOf(producerId));
    this.#open.delete(producerId);
  }
}
