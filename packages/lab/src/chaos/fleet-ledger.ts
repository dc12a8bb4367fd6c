/** The books of a fleet: what was acknowledged, whether every group received it, and the errors of clients. */
import {
  type ClientError,
  type ClientErrorCount,
  type ConsumerBooks,
  type Delivery,
  ErrorCounts,
  type ProducerBooks,
} from '../traffic/books.ts';
import type { AcknowledgedPlace } from '../traffic/loss-reports.ts';
import type { StoredRecords } from '../traffic/read-back.ts';
import { Gap } from './gap.ts';
import { type DeliveryIdentity, GroupBooks, type Repeat } from './group-books.ts';

export interface FleetSummary {
  produced: number;
  acknowledged: number;
  /** Acknowledged records that a group did not receive, counted for each group, or that are not in Kafka. */
  lost: number;
  /** Acknowledged, and not found when the topic was read back; undefined when it was not read back. */
  notStored: number | undefined;
  /** Records that are in the topic more than once: a gateway sent the produce request again. */
  storedTwice: number | undefined;
  /** Records in the topic that no reader with `read_committed` sees: their transactions were aborted, or are open. */
  uncommitted: number | undefined;
  /** Deliveries of such records to the groups. */
  uncommittedDeliveries: number | undefined;
  /** Acknowledged records that each group did not receive; without complete groups. */
  undelivered: Record<string, number>;
  produceErrors: number;
  consumerErrors: number;
  errors: ClientErrorCount[];
  /** `POST /consumers` after the first of each consumer. */
  extraCreates: number;
  duplicates: number;
  /** See `GroupSummary`. */
  lateDuplicates: number;
  /** Of the consumer with the most. */
  mostDuplicatesToOne: number;
  /** Of the group that waited longest. */
  longestGapMs: number;
  /** Of the consumer that waited longest. */
  longestWaitMs: number;
  /** Longest time without an acknowledgement, from the first one to the end of the traffic, in milliseconds. */
  longestProduceGapMs: number;
}

/** When a record was acknowledged, and where the response says that it is. */
export interface Acknowledgement {
  atMs: number;
  place: AcknowledgedPlace | undefined;
}

export class FleetLedger implements ProducerBooks {
  readonly #now: () => number;
  readonly #errors = new ErrorCounts();
  readonly #groups: GroupBooks[] = [];
  readonly #identity: DeliveryIdentity;
  /** By record number, from 1. */
  readonly #acknowledgements = new Map<number, Acknowledgement>();
  readonly #produceGap = new Gap();
  #endedAtMs: number | undefined;
  #tail: ReadonlySet<number> = new Set();
  #produced = 0;
  #consumerCount = 0;
  #createCount = 0;
  #stored: StoredRecords | undefined;

  /** `now`: monotonic, in milliseconds. */
  constructor(now: () => number, identity: DeliveryIdentity = 'place') {
    this.#now = now;
    this.#identity = identity;
  }

  /** Adds a group of `count` consumers, and returns the receiver of their events. */
  addGroup(name: string, consumerCount: number): ConsumerBooks {
    const group = new GroupBooks(name, this.#now, this.#identity);
    this.#groups.push(group);
    this.#consumerCount += consumerCount;
    return {
      creating: () => {
        this.#createCount += 1;
      },
      delivered: (consumer, deliveries) => group.delivered(consumer, deliveries),
      clientError: (error) => this.clientError(error),
    };
  }

  nextRecord(): number {
    this.#produced += 1;
    return this.#produced;
  }

  acknowledge(record: number, _latencyMs?: number, place?: AcknowledgedPlace | undefined): void {
    const atMs = this.#now();
    this.#acknowledgements.set(record, { atMs, place });
    if (this.#endedAtMs === undefined) this.#produceGap.end(atMs);
  }

  clientError(error: ClientError): void {
    this.#errors.add(error);
  }

  /** No more records are produced; deliveries after this end no gap. */
  endTraffic(): void {
    this.#endedAtMs ??= this.#now();
    for (const group of this.#groups) group.endTraffic();
  }

  /** What an independent reader found in Kafka. */
  compareWithKafka(stored: StoredRecords): void {
    this.#stored = stored;
  }

  /** Records that a lost Kafka cluster has alone, by the report of its loss: they are not counted as lost, nor as not delivered. */
  excuse(tail: ReadonlySet<number>): void {
    this.#tail = tail;
  }

  get acknowledgements(): ReadonlyMap<number, Acknowledgement> {
    return this.#acknowledgements;
  }

  /** Repeated deliveries, by group. */
  get repeats(): { group: string; repeats: readonly Repeat[] }[] {
    return this.#groups.map(({ name, repeats }) => ({ group: name, repeats }));
  }

  /** Acknowledged records that some group has not received yet. */
  undelivered(): { group: string; records: number[] }[] {
    const acknowledged = this.#expectedRecords();
    return this.#groups
      .map((group) => ({ group: group.name, records: acknowledged.filter((record) => !group.has(record)) }))
      .filter(({ records }) => records.length > 0);
  }

  summarize(): FleetSummary {
    const stored = this.#stored;
    const notStored = stored && this.#expectedRecords().filter((record) => !stored.places.has(record)).length;
    const undelivered = Object.fromEntries(this.undelivered().map(({ group, records }) => [group, records.length]));
    const groups = this.#groups.map((group) => group.summarize());
    const duplicates = groups.flatMap(({ duplicatesTo }) => [...duplicatesTo.values()]);
    const produceErrors = this.#errors.total(({ operation }) => operation === 'send');
    return {
      produced: this.#produced,
      acknowledged: this.#acknowledgements.size,
      lost: sum(Object.values(undelivered)) + (notStored ?? 0),
      notStored,
      undelivered,
      storedTwice: stored && [...stored.places.values()].filter(({ length }) => length > 1).length,
      uncommitted: stored && stored.abortedCount + stored.openCount,
      uncommittedDeliveries: stored && sum(this.#groups.map((group) => group.deliveredElsewhere(isIn(stored)))),
      produceErrors,
      consumerErrors: this.#errors.total() - produceErrors,
      errors: this.#errors.list(),
      extraCreates: Math.max(0, this.#createCount - this.#consumerCount),
      duplicates: sum(duplicates),
      lateDuplicates: sum(groups.map(({ lateDuplicates }) => lateDuplicates)),
      mostDuplicatesToOne: Math.max(0, ...duplicates),
      longestGapMs: Math.max(0, ...groups.map(({ longestGapMs }) => longestGapMs)),
      longestWaitMs: Math.max(0, ...groups.map(({ longestWaitMs }) => longestWaitMs)),
      longestProduceGapMs: this.#produceGap.longestMs(this.#endedAtMs ?? this.#now()),
    };
  }

  #expectedRecords(): number[] {
    return [...this.#acknowledgements.keys()].filter((record) => !this.#tail.has(record));
  }
}

function isIn({ places }: StoredRecords): (delivery: Delivery) => boolean {
  return ({ record, partition, offset }) =>
    places.get(record)?.some((place) => place.partition === partition && place.offset === offset) ?? false;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
