/** A request with an idempotency key: as it arrives, and while it is under way in this bridge. */
import type { TopicInfo } from '../kafka/client/metadata.ts';
import type { RecordToProduce } from '../records.ts';
import type { Answer } from './answers.ts';
import type { KeyHash } from './key-shard.ts';
import type { ResultRun } from './result-runs.ts';
import type { KeyedQuestion } from './rules.ts';

export interface KeyedSend {
  key: string;
  principal: string | undefined;
  fingerprint: string;
  sender: KeyedQuestion['sender'];
  /** The owner is to free the slot. */
  isRelease: boolean;
  /** With `async=true`: refused as a whole if a record cannot be stored. */
  isAsync: boolean;
  topic: string;
  records: readonly RecordToProduce[];
  /** Size of the request's body, which the records keep in memory. */
  bodyBytes: number;
  inSlices: InSlices;
}

/** A key among those of all principals. */
export interface Key {
  identity: string;
  /** Of its answer in the log. */
  bytes: Buffer;
  hash: KeyHash;
  slot: number;
}

export interface KeyedRequest {
  /** The key of its answer in the log, and the hash of that. */
  identity: Buffer;
  keyHash: KeyHash;
  slot: number;
  fingerprint: string;
  topic: string;
  /** `undefined`: no record can be stored, and `results` says why. */
  info: TopicInfo | undefined;
  records: readonly RecordToProduce[];
  /** Upper bound of each record in Kafka, in a batch of its own. */
  recordBytes: readonly number[];
  /** What all of them add to batches, at most. */
  bytes: number;
  /** Of the last attempt, in any order. */
  results: ResultRun[];
  /** Runs work in slices between turns of the event loop. */
  inSlices: InSlices;
  answer: Answer | undefined;
  /** On the clock of `performance.now()`. */
  deadlineAtMs: number;
  /** It waits for a partition in trouble until then, on the same clock. */
  notBeforeMs: number;
  /** A transaction with it may be committed. */
  isUncertain: boolean;
  resolve: (outcome: KeyedOutcome) => void;
  /** Errors: `kafkaUnavailable` and others of the bridge. */
  reject: (error: unknown) => void;
}

export type InSlices = <T>(work: Generator<void, T>) => T | Promise<T>;

export type KeyedOutcome =
  | { kind: 'answered'; answer: Answer; results: readonly ResultRun[] }
  /** The slot went to another bridge, and nothing was stored here. */
  | { kind: 'lost' };
