/** Requests that wait for a transaction of their lane, in order: which of them are next, and which cannot be stored here any more. */
import { BridgeError } from '../errors.ts';
import type { TopicInfo } from '../kafka/client/metadata.ts';
import type { AnswerLog } from './answer-log.ts';
import type { KeyedRequest } from './keyed-request.ts';
import { decideRecovered } from './rules.ts';

export interface RequestQueueOptions {
  answerLog: Pick<AnswerLog, 'placeOf'>;
  /** The most bytes and records of one transaction; a single request may have more. */
  maxBatchBytes: number;
  maxBatchRecords: number;
  /** Whether this bridge holds the slot, and the lane may store its requests. */
  holds: (slot: number) => boolean;
  /** The topic as it is known now. */
  topicOf: (name: string) => TopicInfo | undefined;
  /** The topic of a request is not known any more: the lane is to get the request again when it was looked for. */
  onTopicGone: (request: KeyedRequest) => void;
}

export class RequestQueue {
  readonly #options: RequestQueueOptions;
  #requests: KeyedRequest[] = [];

  constructor(options: RequestQueueOptions) {
    this.#options = options;
  }

  get length(): number {
    return this.#requests.length;
  }

  push(...requests: readonly KeyedRequest[]): void {
    this.#requests.push(...requests);
  }

  putBack(requests: readonly KeyedRequest[]): void {
    this.#requests = [...requests, ...this.#requests];
  }

  /** Whether all of them wait for partitions in trouble. */
  isDeferred(nowMs: number): boolean {
    return this.#requests.every(({ notBeforeMs }) => notBeforeMs > nowMs);
  }

  /** The first requests that fit into one transaction, and whose slots the lane holds. */
  take(nowMs: number): KeyedRequest[] {
    const { maxBatchBytes, maxBatchRecords, holds, answerLog, onTopicGone } = this.#options;
    const group: KeyedRequest[] = [];
    const later: KeyedRequest[] = [];
    let [bytes, records, taken] = [0, 0, 0];
    for (const request of this.#requests) {
      if (request.deadlineAtMs <= nowMs) {
        request.reject(tooLate(request));
      } else if (!holds(request.slot) || answerLog.placeOf(request.keyHash) !== undefined) {
        // Another bridge may have executed it, and the slot may be back since.
        request.resolve({ kind: 'lost' });
      } else if (request.notBeforeMs > nowMs) {
        later.push(request);
      } else if (!this.#hasTopic(request)) {
        onTopicGone(request);
      } else {
        bytes += request.bytes;
        records += request.records.length;
        if (group.length > 0 && (bytes > maxBatchBytes || records > maxBatchRecords)) break;
        group.push(request);
      }
      taken += 1;
    }
    this.#requests = [...later, ...this.#requests.slice(taken)];
    return group;
  }

  /** The topic may have been made again since, or have more partitions. */
  #hasTopic(request: KeyedRequest): boolean {
    if (request.info === undefined) return true;
    const info = this.#options.topicOf(request.topic);
    if (info !== undefined) request.info = info;
    return info !== undefined;
  }

  /** The lane's id was taken over again, and the logs were read: what was in a broken transaction is decided. */
  recover(): void {
    const { answerLog, holds } = this.#options;
    this.#requests = this.#requests.filter((request) => {
      const isLogged = answerLog.placeOf(request.keyHash) !== undefined;
      const decision = decideRecovered({ isLogged, isHeld: holds(request.slot) });
      // A lost slot's request looks for its answer where the slot is now, and one in the log is found at once.
      if (decision === 'again') request.isUncertain = false;
      else request.resolve({ kind: 'lost' });
      return decision === 'again';
    });
  }

  /** The slots are free: another bridge may have executed their requests by the time this one owns them again. */
  lose(slots: readonly number[]): void {
    for (const { slot, resolve } of this.#requests) if (slots.includes(slot)) resolve({ kind: 'lost' });
    this.#requests = this.#requests.filter(({ slot }) => !slots.includes(slot));
  }

  /** Requests whose time is over get `error`; all of them, if the bridge lacks a right. */
  expire(error: BridgeError, nowMs: number): void {
    const isOver = ({ deadlineAtMs }: KeyedRequest): boolean =>
      deadlineAtMs <= nowMs || error.code === 'kafkaForbidden';
    for (const request of this.#requests.filter(isOver)) request.reject(request.isUncertain ? tooLate(request) : error);
    this.#requests = this.#requests.filter((request) => !isOver(request));
  }
}

function tooLate({ isUncertain }: KeyedRequest): BridgeError {
  const whether = isUncertain ? 'They may be stored' : 'They are not stored';
  return new BridgeError('kafkaUnavailable', {
    message: `Kafka did not commit the records in time. ${whether}: repeat the request with the same Idempotency-Key`,
    retryAfterSeconds: 1,
  });
}
