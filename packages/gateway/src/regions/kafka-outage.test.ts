import { expect, test } from 'vitest';
import { heardOfKafka, type KafkaAnswer, type KafkaContact, kafkaAnswers } from './kafka-outage.ts';

const contact = (cluster: string | undefined, ...answersMs: number[]): KafkaContact => ({ cluster, answersMs });

/** `here` heard from Kafka at 10,000 for the last time. */
const here = contact('k', 9_000, 9_500, 10_000);

test.each([
  ['another Kafka', here, contact('l', 1), 12_500, 'answers'],
  ['a Kafka that was not told', here, contact(undefined), 12_500, 'answers'],
  ['no word of the own one', contact(undefined), contact('k', 10_000), 12_500, 'answers'],
  [
    'the same, which answered later, and had time to answer here',
    here,
    contact('k', 11_100, 12_400),
    12_500,
    'answers',
  ],
  ['the same, which answered later, a moment ago', here, contact('k', 10_400, 12_400), 12_500, 'unknown'],
  ['the same, whose last answer was in step with the one here', here, contact('k', 9_900, 10_400), 11_000, 'unknown'],
  ['the same, silent for as long', here, contact('k', 9_900, 10_400), 12_500, 'silent'],
  ['the same, silent for longer', here, contact('k', 9_000), 12_500, 'silent'],
  ['the same, never heard of', here, contact('k'), 12_500, 'silent'],
  // Frozen for 8 s: both have their answers within a moment, whoever is the first to say so.
  ['the same, which has just come back', here, contact('k', 10_300, 18_050), 18_100, 'unknown'],
  [
    'the same, when it has come back here, too',
    contact('k', 10_000, 18_060),
    contact('k', 10_300, 18_050),
    19_100,
    'unknown',
  ],
] as const satisfies [string, KafkaContact, KafkaContact, number, KafkaAnswer][])(
  '%s',
  (_, from, to, nowMs, expected) => {
    expect(kafkaAnswers(from, to, nowMs)).toBe(expected);
  },
);

test('probes add what is new, keep which Kafka it is, and do not grow', () => {
  let known = contact(undefined);
  for (let answeredMs = 0; answeredMs < 60_000; answeredMs += 10) {
    known = heardOfKafka(known, { cluster: 'k', answeredMs });
  }
  // Told again, by a probe whose way was longer.
  known = heardOfKafka(known, { cluster: undefined, answeredMs: 59_980 });
  known = heardOfKafka(known, { cluster: undefined, answeredMs: undefined });
  expect(known.cluster).toBe('k');
  expect(known.answersMs.at(-1)).toBe(59_990);
  expect(known.answersMs.length).toBeLessThan(30);
  // However often it is probed, there is an answer of each quarter of the last seconds.
  for (const agoMs of [1_000, 2_000, 3_000]) {
    expect(known.answersMs.some((atMs) => Math.abs(59_990 - agoMs - atMs) <= 250)).toBe(true);
  }
});
