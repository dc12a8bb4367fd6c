/** As follow.test.ts, with MirrorMaker's connectors in two real clusters of Kafka Connect. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createConnectors, startTwoSides, type TwoSides } from './connect-fixture.ts';
import { expectTurns, type Name, Program, TwoClusters } from './follow-fixture.ts';

let sides: TwoSides;
let clusters: TwoClusters;
let programs: Record<Name, Program>;

function start(target: Name): Program {
  return new Program(target, clusters.gateway, ['--connect', sides[target].connect.url]);
}

beforeAll(async () => {
  sides = await startTwoSides();
  const { east, west } = sides;
  clusters = await TwoClusters.start({ east: east.kafka, west: west.kafka });
  await Promise.all([createConnectors(east, west), createConnectors(west, east)]);
  programs = { east: start('east'), west: start('west') };
}, 400_000);

afterAll(async () => {
  await Promise.all(Object.values(programs ?? {}).map((program) => program.close()));
  await clusters?.close();
  await sides?.close();
});

test('connectors turn with each switch-over, there and back, and each record is in both clusters once', async () => {
  await clusters.switchOverAndBack();
  expectTurns(programs, ['west', 'east', 'west']);
}, 180_000);

test('a program that is started again leaves connectors that run as they are', async () => {
  await programs.west.close();
  await clusters.produce('e');
  await clusters.untilBothHave(['a', 'b', 'c', 'd', 'e']);
  programs.west = start('west');
  await expect.poll(() => programs.west.log.map(({ msg }) => msg), { timeout: 60_000 }).toEqual(['MirrorMaker runs']);
}, 120_000);

test('a worker that was killed continues', async () => {
  await sides.west.connect.kill();
  await clusters.produce('f');
  await sides.west.connect.restart();
  await clusters.untilBothHave(['a', 'b', 'c', 'd', 'e', 'f'], { isRepeated: true });
}, 120_000);

test('a lost cluster that rejoins is filled again, without another step', async () => {
  await sides.east.kafka.cluster.killBroker(1);
  await clusters.change('west/promote');
  await clusters.produce('g');
  await sides.east.kafka.cluster.restartBroker(1);
  await clusters.untilMode('east', 'fenced');
  await clusters.change('east/rejoin');
  await clusters.untilBothHave(['a', 'b', 'c', 'd', 'e', 'f', 'g'], { isRepeated: true });
}, 180_000);
