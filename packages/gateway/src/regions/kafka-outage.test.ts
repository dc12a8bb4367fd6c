import { expect, test } from 'vitest';
import type { KafkaContact } from './kafka-contact.ts';
import { heardOfKafka, type KafkaAnswer, kafkaAnswers } from './kafka-outage.ts';

const contact = (cluster: string | undefined, ...answersMs: number[]): KafkaContact => ({ cluster, answersMs });

/** Kafka responded to `here` at 10,000 for the last time. */
const here = contact('k', 9_000, 9_500, 10_000);

test.each([
  ['another Kafka', here, contact('l', 1), 12_500, 'answers'],
  ['an unknown Kafka there', here, contact(undefined), 12_500, 'answers'],
  ['an unknown Kafka here', contact(undefined), contact('k', 10_000), 12_500, 'answers'],
  ['the same, which responded later, with time to respond here', here, contact('k', 11_100, 12_400), 12_500, 'answers'],
  ['the same, which responded later, a moment ago', here, contact('k', 10_400, 12_400), 12_500, 'unknown'],
  [
    'the same, whose last response was at the time of the one here',
    here,
    contact('k', 9_900, 10_400),
    11_000,
    'unknown',
  ],
  ['the same, silent for as long', here, contact('k', 9_900, 10_400), 12_500, 'silent'],
  ['the same, silent for longer', here, contact('k', 9_000), 12_500, 'silent'],
  ['the same, which never responded', here, contact('k'), 12_500, 'silent'],
  // Frozen for 8 s: both get responses within a moment, in any order.
  ['the same, which has just recovered', here, contact('k', 10_300, 18_050), 18_100, 'unknown'],
  [
    'the same, which has recovered here too',
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

test('probes add new responses, keep the cluster, and the memory is bounded', () => {
  let known = contact(undefined);
  for (let answeredMs = 0; answeredMs < 60_000; answeredMs += 10) {
    known = heardOfKafka(known, { cluster: 'k', answeredMs });
  }
  // Reported again, by a slower probe.
  known = heardOfKafka(known, { cluster: undefined, answeredMs: 59_980 });
  known = heardOfKafka(known, { cluster: undefined, answeredMs: undefined });
  expect(known.cluster).toBe('k');
  expect(known.answersMs.at(-1)).toBe(59_990);
  expect(known.answersMs.length).toBeLessThan(30);
  // At any rate of probes, a response is remembered for each quarter of the last seconds.
  for (const agoMs of [1_000, 2_000, 3_000]) {
    expect(known.answersMs.some((atMs) => Math.abs(59_990 - agoMs - atMs) <= 250)).toBe(true);
  }
});
