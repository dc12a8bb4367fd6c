/** Writes down at a target what a probe of it found. */
import { type Health, judge, type KafkaTold, type ProbeResult } from './health.ts';
import { heardOfKafka } from './kafka-outage.ts';
import type { Target } from './target.ts';

/** Of what one more probe changed. */
export interface ProbeEffect {
  /** Health before the probe. */
  readonly before: Health;
  /** The target is unhealthy or healthy now, and was not before. */
  readonly isFlip: boolean;
  /** The target stays unhealthy, and its Kafka is at fault or was until now. */
  readonly isOfKafka: boolean;
}

export function noteProbe(
  target: Target,
  result: ProbeResult,
  { rise, fall, nowMs }: { rise: number; fall: number; nowMs: number },
): ProbeEffect {
  if (result.isGood) {
    target.probeCounts.good += 1;
    target.bridge = result.bridge;
  } else {
    target.probeCounts.failed += 1;
    target.bridge ??= result.bridge;
  }
  const wasWithoutKafka = target.isWithoutKafka;
  noteKafka(target, result.kafka);
  const before = target.health;
  target.health = judge(before, result, { rise, fall });
  const isFlip = target.health.status !== before.status;
  if (isFlip) {
    target.healthSince = new Date();
    target.wellSinceMs = nowMs;
  }
  const isOfKafka = !isFlip && before.status === 'unhealthy' && (target.isWithoutKafka || wasWithoutKafka);
  return { before, isFlip, isOfKafka };
}

/** A target that cannot be asked says nothing; which Kafka it has stays known. */
function noteKafka(target: Target, told: KafkaTold | undefined): void {
  if (told === undefined) {
    target.kafka = undefined;
    return;
  }
  const { kafka } = target;
  const { cluster, answeredMs } = told;
  target.kafkaContact = heardOfKafka(target.kafkaContact, { cluster, answeredMs });
  const isSame = kafka?.state === told.state;
  target.kafka = { ...told, ...(isSame ? { since: kafka.since, reason: kafka.reason } : { since: new Date() }) };
}
