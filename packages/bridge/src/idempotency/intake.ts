/** Takes requests with a key in, for as much memory as there is, and finds their topics: once before a lane gets them, and again after trouble. */
import { BridgeError } from '../errors.ts';
import type { Cluster } from '../kafka/client/cluster.ts';
import { bounded, type Limits } from '../kafka/client/limits.ts';
import type { TopicInfo } from '../kafka/client/metadata.ts';
import type { OpenBytes } from '../producer/open-requests.ts';
import { addedBytes, serializedBytes } from '../producer/record-size.ts';
import { firstRefusal, type RecordRefusal, refusedRequest, resultOf } from '../producer/refusal.ts';
import { TopicLookup } from '../producer/topic-lookup.ts';
import type { RecordToProduce } from '../records.ts';
import type { Key, KeyedOutcome, KeyedRequest, KeyedSend } from './keyed-request.ts';
import type { ResultRun } from './result-runs.ts';

export interface IntakeOptions {
  maxBlockMs: number;
  allowAutoTopicCreation: boolean;
  maxRequestBytes: number;
  maxQueuedBytes: number;
  /** Memory of all producers. */
  open: OpenBytes;
  /** Gives the request to its lane. */
  push: (request: KeyedRequest) => void;
}

type Found = { topic: TopicInfo } | { refusal: RecordRefusal };

export class Intake {
  readonly #options: IntakeOptions;
  readonly #topics: TopicLookup;

  constructor(cluster: Cluster, options: IntakeOptions) {
    this.#options = options;
    this.#topics = new TopicLookup(cluster, options);
  }

  /**
   * Resolves when the request is answered, or its slot is another bridge's. Errors: `overloaded` at once; `kafkaUnavailable` and those of
   * a refused request with `async=true`.
   */
  take(sent: KeyedSend, key: Key, limits: Limits): Promise<KeyedOutcome> {
    const recordBytes = sent.records.map(serializedBytes);
    const bytes = recordBytes.reduce((sum, size) => sum + size, 0);
    const keptBytes = Math.max(bytes, sent.bodyBytes);
    const { open, maxQueuedBytes } = this.#options;
    if (open.bytes > 0 && open.bytes + keptBytes > maxQueuedBytes) {
      throw new BridgeError('overloaded', { retryAfterSeconds: 1 });
    }
    open.bytes += keptBytes;
    const size = { recordBytes, bytes: addedBytes(bytes, sent.records.length) };
    return this.#push(sent, key, size, limits).finally(() => {
      open.bytes -= keptBytes;
    });
  }

  async #push(
    sent: KeyedSend,
    { bytes: identity, hash: keyHash, slot }: Key,
    { recordBytes, bytes }: Pick<KeyedRequest, 'recordBytes' | 'bytes'>,
    limits: Limits,
  ): Promise<KeyedOutcome> {
    const { topic, records, fingerprint, inSlices } = sent;
    const known = this.#known(sent);
    const found = known === undefined ? await this.#topics.wait(topic) : { topic: known };
    if ('refusal' in found && found.refusal.reason === 'kafkaSilent') throw new BridgeError('kafkaUnavailable');
    if (sent.isAsync) this.#refuseWhole(found, records, recordBytes);
    const { promise, resolve, reject } = Promise.withResolvers<KeyedOutcome>();
    this.#options.push({
      identity,
      keyHash,
      slot,
      fingerprint,
      topic,
      info: 'topic' in found ? found.topic : undefined,
      records,
      recordBytes,
      bytes,
      results: 'topic' in found ? [] : allRefused(found.refusal, records.length),
      inSlices,
      answer: undefined,
      deadlineAtMs: limits.deadlineAtMs,
      notBeforeMs: 0,
      isUncertain: false,
      resolve,
      reject,
    });
    return await promise;
  }

  #known({ topic, records, isAsync }: KeyedSend): TopicInfo | undefined {
    const info = this.#topics.known(topic, records);
    return isAsync && info?.isWritable !== true ? undefined : info;
  }

  /** As without a key: with `async=true` a request is refused as a whole if one of its records cannot be stored. */
  #refuseWhole(found: Found, records: readonly RecordToProduce[], recordBytes: readonly number[]): void {
    if ('refusal' in found) throw refusedRequest(found.refusal);
    const entries = records.map((record, index) => ({ record, bytes: recordBytes[index] as number, index }));
    const first = firstRefusal(found.topic, entries, this.#options);
    if (first !== undefined) throw refusedRequest(first.refusal, records.length > 1 ? first.index : undefined);
  }

  /** A request whose topic was known and is not any more: it may have been deleted, or made again. Gives the request to its lane again. */
  async findAgain(request: KeyedRequest): Promise<void> {
    const { topic, deadlineAtMs } = request;
    const found = await bounded(this.#topics.wait(topic), { deadlineAtMs }).catch(() => undefined);
    if (found !== undefined && 'topic' in found) request.info = found.topic;
    else if (found !== undefined && found.refusal.reason !== 'kafkaSilent') {
      request.info = undefined;
      request.results = allRefused(found.refusal, request.records.length);
    }
    this.#options.push(request);
  }
}

function allRefused(refusal: RecordRefusal, count: number): ResultRun[] {
  return count === 0 ? [] : [Object.assign({ first: 0, count }, resultOf(refusal))];
}
