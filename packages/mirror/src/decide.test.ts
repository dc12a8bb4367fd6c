import type { KafkaCluster } from '@causeway/protocol/admin/model.ts';
import { expect, test } from 'vitest';
import { ageMs, decide } from './decide.ts';

function members(east: KafkaCluster['mode'], west: KafkaCluster['mode']): KafkaCluster[] {
  return [
    ['east', east],
    ['west', west],
  ].map(([name, mode]) => ({ name, mode }) as KafkaCluster);
}

const SETTLED = { activeForMs: 10, turnAfterMs: 10 };

test.each<[string, string, KafkaCluster['mode'], KafkaCluster['mode'], string]>([
  ['another one is active', 'east', 'active', 'standby', 'run'],
  ['the active one prepares a switch-over', 'east', 'pausing', 'standby', 'run'],
  ['the active one is dead', 'east', 'unknown', 'standby', 'run'],
  ['it was promoted', 'west', 'unknown', 'active', 'stop'],
  ['it was promoted, and the gateway does not know it yet', 'east', 'active', 'active', 'stop'],
  ['it hands over', 'west', 'standby', 'pausing', 'stop'],
  ['it was lost and is back', 'east', 'active', 'fenced', 'stop'],
  ['its bridges do not respond', 'east', 'active', 'unknown', 'keep'],
  ['no cluster was active yet', 'east', 'unassigned', 'unassigned', 'keep'],
  ['the gateway knows of its promotion before its bridges do', 'west', 'standby', 'standby', 'keep'],
])('%s', (_, active, east, west, expected) => {
  const decision = decide('west', { active, members: members(east, west) }, SETTLED);
  expect(decision).toMatchObject(expected === 'run' ? { kind: 'run', source: 'east' } : { kind: expected });
});

test('a cluster that the gateway does not know', () => {
  expect(() => decide('north', { active: 'east', members: members('active', 'standby') }, SETTLED)).toThrow(
    'The gateway knows no Kafka cluster north (known: east, west)',
  );
});

test('after a promotion, the new direction waits until the old one has had time to end', () => {
  const clusters = { active: 'east', members: members('active', 'standby') };
  expect(decide('west', clusters, { activeForMs: 9, turnAfterMs: 10 })).toEqual({
    kind: 'stop',
    reason: 'east was promoted just now, and MirrorMaker may still run towards it',
  });
});

test.each([
  ['the first one', 1, '2026-01-01T00:00:09.000Z', Number.POSITIVE_INFINITY],
  ['one of an unknown time', 2, null, Number.POSITIVE_INFINITY],
  ['a recent one', 2, '2026-01-01T00:00:09.000Z', 1000],
  ['one of a clock that is ahead', 2, '2026-01-01T00:00:20.000Z', 0],
])('the age of a promotion: %s', (_, promotion, since, expected) => {
  expect(ageMs({ promotion, since }, Date.parse('2026-01-01T00:00:10.000Z'))).toBe(expected);
});
