import { expect, test } from 'vitest';
import { joinKafka, type KafkaState, UNKNOWN_KAFKA } from './kafka-state.ts';

const up: KafkaState = { state: 'up', since: '2026-01-01T00:00:01.000Z', reason: 'it responds to the bridge' };
const later: KafkaState = { ...up, since: '2026-01-01T00:00:09.000Z' };
const down: KafkaState = { state: 'down', since: '2026-01-01T00:00:05.000Z', reason: 'no broker answers' };

test.each<[string, KafkaState[], Partial<KafkaState>]>([
  ['there are no reports', [], UNKNOWN_KAFKA],
  ['no bridge knows', [UNKNOWN_KAFKA], UNKNOWN_KAFKA],
  ['all bridges have it, one since its restart', [later, up], { state: 'up', since: up.since }],
  ['one bridge knows nothing', [up, UNKNOWN_KAFKA], { state: 'up', since: up.since }],
  ['some bridges have it', [up, down], { state: 'degraded', since: down.since, reason: 'no broker answers' }],
  [
    'one of those without it was restarted',
    [up, { ...down, since: later.since }, down],
    { state: 'degraded', since: down.since },
  ],
  [
    'no bridge has it',
    [down, { ...down, since: later.since }],
    { state: 'down', since: down.since, reason: 'no broker answers' },
  ],
  ['part of a region has it', [down, { ...down, state: 'degraded' }], { state: 'degraded' }],
])('Kafka, when %s', (_, reports, expected) => {
  expect(joinKafka(reports)).toMatchObject(expected);
});
