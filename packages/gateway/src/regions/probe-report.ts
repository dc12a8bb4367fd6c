/** Records the result of a probe at its target. */
import { type Health, judge, type KafkaReport, type ProbeResult } from './health.ts';
import { heardOfKafka } from './kafka-outage.ts';
import type { Target } from './target.ts';

/** What a probe changed. */
export interface ProbeEffect {
  /** The health before the probe. */
  readonly before: Health;
  /** The target became healthy or unhealthy. */
  readonly isFlip: boolean;
  /** The target stays unhealthy, and its Kafka is or was down. */
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
  // Without a response its last report stays: a probe that got lost says nothing.
  if (result.isGood || !result.isSilent) target.cluster = result.clusters?.mode;
  const before = target.health;
  target.health = judge(before, result, { rise, fall });
  const isFlip = target.health.status !== before.status;
  if (target.health.status === 'healthy') target.wasHealthy = true;
  if (isFlip) {
    target.healthSince = new Date();
    target.stableSinceMs = nowMs;
  }
  const isOfKafka = !isFlip && before.status === 'unhealthy' && (target.isWithoutKafka || wasWithoutKafka);
  return { before, isFlip, isOfKafka };
}

/** Without a report the state of Kafka is unknown, but its cluster stays known. */
function noteKafka(target: Target, reported: KafkaReport | undefined): void {
  if (reported === undefined) {
    target.kafka = undefined;
    return;
  }
  const { kafka } = target;
  const { cluster, answeredMs } = reported;
  target.kafkaContact = heardOfKafka(target.kafkaContact, { cluster, answeredMs });
  const isSame = kafka?.state === reported.state;
  target.kafka = { ...reported, ...(isSame ? { since: kafka.since, reason: kafka.reason } : { since: new Date() }) };
}
