/** The whole: two real Kafka clusters with their bridges, a gateway, and for each cluster a program that runs a real MirrorMaker towards it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { javaArguments, resolveMirrorRuntime } from '@causeway/lab/stack/kafka-runtime.ts';
import { mirrorMakerProperties } from '@causeway/lab/stack/mirror-maker.ts';
import { findFreePorts } from '@causeway/lab/stack/ports.ts';
import { Reaper } from '@causeway/lab/stack/process.ts';
import { propertiesText } from '@causeway/lab/stack/properties-text.ts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type OwnKafka, QUICK_RESTART, startOwnKafka } from '../../../test/harness/own-kafka.ts';
import { expectTurns, NAMES, type Name, OTHER, Program, TwoClusters } from './follow-fixture.ts';

let directory: string;
let reaper: Reaper;
let kafkas: Record<Name, OwnKafka>;
let clusters: TwoClusters;
let programs: Record<Name, Program>;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'causeway-follow-'));
  reaper = new Reaper();
  const ports = await findFreePorts(4);
  const kafkaOf = (first: number): Promise<OwnKafka> =>
    startOwnKafka({ brokerCount: 1, ports: ports.slice(first, first + 2), properties: QUICK_RESTART });
  const [eastKafka, westKafka] = await Promise.all([kafkaOf(0), kafkaOf(2)]);
  kafkas = { east: eastKafka, west: westKafka };
  clusters = await TwoClusters.start(kafkas);
  const runtime = await resolveMirrorRuntime({ onProgress: () => {}, reaper });
  const named = (name: Name) => ({ name, bootstrap: kafkas[name].cluster.bootstrap });
  for (const target of NAMES) {
    const source = OTHER[target];
    const properties = mirrorMakerProperties(
      { source: named(source), target: named(target), directory, runtime, reaper },
      `mirror-${target}`,
    );
    writeFileSync(join(directory, `${source}-${target}.properties`), propertiesText(properties));
  }
  const java = [runtime.command, '-Xmx256m', runtime.loggingOption, ...javaArguments(runtime)];
  const file = join(directory, '{source}-{target}.properties');
  const way = ['--', ...java, 'org.apache.kafka.connect.mirror.MirrorMaker', file];
  const [east, west] = NAMES.map((target) => new Program(target, clusters.gateway, way)) as [Program, Program];
  programs = { east, west };
}, 400_000);

afterAll(async () => {
  await Promise.all(Object.values(programs ?? {}).map((program) => program.close()));
  await clusters?.close();
  await Promise.all(Object.values(kafkas ?? {}).map((kafka) => kafka.close()));
  await reaper?.close();
  rmSync(directory, { recursive: true, force: true });
});

/** Of MirrorMaker towards west, as it was started last. */
function pidOfWest(): number {
  return programs.west.log.findLast(({ msg }) => msg === 'MirrorMaker started')?.pid ?? 0;
}

test('MirrorMaker turns with each switch-over, there and back, and each record is in both clusters once', async () => {
  await clusters.switchOverAndBack();
  expectTurns(programs, ['west', 'east', 'west']);
}, 180_000);

test('a MirrorMaker that is killed is started again', async () => {
  const killed = pidOfWest();
  process.kill(killed, 'SIGKILL');
  await clusters.produce('e');
  await clusters.untilBothHave(['a', 'b', 'c', 'd', 'e'], { isRepeated: true });
  expect(pidOfWest()).not.toBe(killed);
}, 120_000);

test('a lost cluster that rejoins is filled again, without another step', async () => {
  await kafkas.east.cluster.killBroker(1);
  await clusters.change('west/promote');
  await clusters.produce('f');
  await kafkas.east.cluster.restartBroker(1);
  await clusters.untilMode('east', 'fenced');
  await clusters.change('east/rejoin');
  await clusters.untilBothHave(['a', 'b', 'c', 'd', 'e', 'f'], { isRepeated: true });
}, 180_000);
