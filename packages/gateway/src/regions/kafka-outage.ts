/**
 * Whether a request that Kafka left without an answer in one place is better off in another. Pure.
 *
 * Where regions share a Kafka that answers nobody, sending the request to the next one only stores its records twice. But a
 * region may also be cut off from a Kafka that answers all others. Bridges say with each probe which Kafka they have and how
 * long ago it answered them: Kafka lives if it answered the one place after it had stopped to answer the other.
 */
import type { SelectionRequest } from './select.ts';
import type { Snapshot } from './snapshot.ts';
import type { Target } from './target.ts';

/** What a target last said of its Kafka. */
export interface KafkaContact {
  /** The id of its cluster; `undefined`: not told. */
  readonly cluster: string | undefined;
  /** When Kafka answered there, the last times, on the clock that never goes back, in milliseconds; the latest last. */
  readonly answersMs: readonly number[];
}

export type KafkaAnswer =
  /** Kafka answers there, or it is another one. */
  | 'answers'
  /** It answers there no more than here. */
  | 'silent'
  /** The next probes will tell. */
  | 'unknown';

/**
 * By how much two answers of Kafka must differ. A bridge asks twice a second by default: answers of one outage lie half a
 * second apart, and after it both bridges have theirs within a moment.
 */
export const KAFKA_MARGIN_MS = 1_000;

const NEVER = Number.NEGATIVE_INFINITY;

/** `here`: where Kafka did not answer the request. */
export function kafkaAnswers(here: KafkaContact, there: KafkaContact, nowMs: number): KafkaAnswer {
  if (here.cluster === undefined || here.cluster !== there.cluster) return 'answers';
  const lastHereMs = here.answersMs.at(-1) ?? NEVER;
  const isProof = (atMs: number): boolean => atMs > lastHereMs + KAFKA_MARGIN_MS && atMs <= nowMs - KAFKA_MARGIN_MS;
  if (there.answersMs.some(isProof)) return 'answers';
  const lastThereMs = there.answersMs.at(-1) ?? NEVER;
  const isSilentForLong = nowMs - lastThereMs > 2 * KAFKA_MARGIN_MS;
  return isSilentForLong && lastThereMs <= lastHereMs + KAFKA_MARGIN_MS ? 'silent' : 'unknown';
}

export function kafkaAnswersAt(here: Target, there: Target, nowMs: number): KafkaAnswer {
  return kafkaAnswers(here.kafkaContact, there.kafkaContact, nowMs);
}

/** Longer than it takes to tell an outage from a cut: nobody waits for more than this. */
const LONGEST_DOUBT_MS = 4 * KAFKA_MARGIN_MS;

/**
 * Whether the next probes may find a target that reaches the Kafka of `here`. `sinceMs`: when Kafka had not answered the
 * request; if it has answered `here` after that, a part of Kafka is at fault, and another place is no better off.
 */
export function isKafkaUndecided(
  { regions }: Snapshot,
  here: Target,
  { request, sinceMs, nowMs }: { request: Pick<SelectionRequest, 'localOnly'>; sinceMs: number; nowMs: number },
): boolean {
  if (nowMs - sinceMs > LONGEST_DOUBT_MS) return false;
  if ((here.kafkaContact.answersMs.at(-1) ?? NEVER) > sinceMs) return false;
  return regions.some(
    ({ weight, isLocal, targets }) =>
      weight > 0 &&
      (!request.localOnly || isLocal) &&
      targets.some((there) => there !== here && there.isAvailable && kafkaAnswersAt(here, there, nowMs) === 'unknown'),
  );
}

/** Answers that are remembered: so many, apart by so much at least, of the seconds at which {@link kafkaAnswers} looks. */
const REMEMBERED_ANSWERS = 24;
const REMEMBERED_GAP_MS = KAFKA_MARGIN_MS / 4;

/** After one more probe. `answeredMs`: when Kafka last answered, as the target tells it. */
export function heardOfKafka(
  before: KafkaContact,
  told: { cluster: string | undefined; answeredMs: number | undefined },
): KafkaContact {
  // Which Kafka a place has does not change when it is silent.
  const cluster = told.cluster ?? before.cluster;
  const { answeredMs } = told;
  const lastMs = before.answersMs.at(-1) ?? NEVER;
  // The same answer, told again, with what the ways of two probes differ.
  if (answeredMs === undefined || answeredMs <= lastMs) return { cluster, answersMs: before.answersMs };
  const beforeLastMs = before.answersMs.at(-2) ?? NEVER;
  const isDense = lastMs - beforeLastMs < REMEMBERED_GAP_MS;
  const kept = isDense ? before.answersMs.slice(0, -1) : before.answersMs;
  return { cluster, answersMs: [...kept, answeredMs].slice(-REMEMBERED_ANSWERS) };
}
