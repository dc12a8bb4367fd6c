/**
 * Decides whether a request that got no response from Kafka at one target should be retried at another. Pure.
 *
 * If the regions share a Kafka that is down, a retry in another region only stores the records twice. But a region may also be
 * cut off from a Kafka that serves all others. With each probe, bridges report their Kafka cluster and how long ago it responded:
 * Kafka is alive if it responded to one target after it stopped responding to the other.
 */
import type { KafkaContact } from './kafka-contact.ts';
import type { SelectionRequest } from './select.ts';
import type { Snapshot } from './snapshot.ts';
import type { Target } from './target.ts';

export type KafkaAnswer =
  /** Kafka responds there, or it is another cluster. */
  | 'answers'
  /** It does not respond there either. */
  | 'silent'
  /** The next probes will show. */
  | 'unknown';

/**
 * By how much two responses of Kafka must differ. A bridge asks Kafka twice a second by default: around the start of an outage,
 * the last responses to two bridges lie half a second apart, and after it both bridges get one within a moment.
 */
export const KAFKA_MARGIN_MS = 1_000;

const NEVER = Number.NEGATIVE_INFINITY;

/** `here`: where Kafka did not respond to the request. */
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

/** Longer than it takes to distinguish an outage from a cut; no request waits longer than this. */
const LONGEST_DOUBT_MS = 4 * KAFKA_MARGIN_MS;

/**
 * Whether the next probes may find a target that reaches the Kafka of `here`. `sinceMs`: when Kafka failed the request. If Kafka
 * has responded to `here` since, only a part of Kafka is at fault, and another target would fare no better.
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

/** Remembers this many responses, at least this far apart: enough for the seconds that {@link kafkaAnswers} compares. */
const REMEMBERED_ANSWERS = 24;
const REMEMBERED_GAP_MS = KAFKA_MARGIN_MS / 4;

/** Adds one more probe. `answeredMs`: when Kafka last responded, as the target reports it. */
export function heardOfKafka(
  before: KafkaContact,
  reported: { cluster: string | undefined; answeredMs: number | undefined },
): KafkaContact {
  // A silent target keeps its Kafka.
  const cluster = reported.cluster ?? before.cluster;
  const { answeredMs } = reported;
  const lastMs = before.answersMs.at(-1) ?? NEVER;
  // The same response, reported again; the difference is the travel time of the probes.
  if (answeredMs === undefined || answeredMs <= lastMs) return { cluster, answersMs: before.answersMs };
  const beforeLastMs = before.answersMs.at(-2) ?? NEVER;
  const isDense = lastMs - beforeLastMs < REMEMBERED_GAP_MS;
  const kept = isDense ? before.answersMs.slice(0, -1) : before.answersMs;
  return { cluster, answersMs: [...kept, answeredMs].slice(-REMEMBERED_ANSWERS) };
}
