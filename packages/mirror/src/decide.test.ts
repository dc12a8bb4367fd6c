import type { KafkaCluster } from '@causeway/protocol/admin/model.ts';
import { expect, test } from 'vitest';
import { decide } from './decide.ts';

function members(east: KafkaCluster['mode'], west: KafkaCluster['mode']): KafkaCluster[] {
  return [
    ['east', east],
    ['west', west],
  ].map(([name, mode]) => ({ name, mode }) as KafkaCluster);
}

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
  const decision = decide('west', { active, members: members(east, west), isReplicationEnded: true });
  expect(decision).toMatchObject(expected === 'run' ? { kind: 'run', source: 'east' } : { kind: expected });
});

test('a cluster that the gateway does not know', () => {
  expect(() =>
    decide('north', { active: 'east', members: members('active', 'standby'), isReplicationEnded: true }),
  ).toThrow('The gateway knows no Kafka cluster north (known: east, west)');
});

test.each([
  ['a direction begins when the other one has ended', 'east', 'active', 'standby', true, 'run', undefined],
  ['and not before', 'east', 'active', 'standby', false, 'stop', false],
  ['while that is unknown, nothing changes', 'east', 'unknown', 'standby', null, 'keep', undefined],
  ['the program beside the promoted cluster reports the end', 'west', 'standby', 'active', false, 'stop', true],
  ['once', 'west', 'standby', 'active', true, 'stop', false],
  ['not while it is unknown whether it has', 'west', 'standby', 'active', null, 'stop', false],
  ['nor before the gateway knows the promotion', 'east', 'active', 'active', false, 'stop', false],
] as const)('two directions never overlap: %s', (_, active, east, west, isReplicationEnded, kind, isToReport) => {
  const decision = decide('west', { active, members: members(east, west), isReplicationEnded });
  expect(decision).toMatchObject(isToReport === undefined ? { kind } : { kind, isToReport });
});
