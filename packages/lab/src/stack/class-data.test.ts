import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { until } from '../../../../test/harness/until.ts';
import { makeClassData } from './class-data.ts';
import { type JavaRuntime, javaArguments, resolveKafkaRuntime } from './kafka-runtime.ts';
import { Reaper } from './process.ts';

let directory: string;
let reaper: Reaper;
let runtime: JavaRuntime;
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'causeway-class-data-'));
  reaper = new Reaper();
  runtime = await withOwnCache();
});
afterEach(async () => {
  await reaper.close();
  rmSync(directory, { recursive: true, force: true });
});

/** A cache with this machine's jars and no class data. */
async function withOwnCache(): Promise<JavaRuntime> {
  const shared = await resolveKafkaRuntime({ onProgress: () => {}, reaper });
  if (shared.kind !== 'java') throw new Error('This test needs Java.');
  const jars = shared.classPath.split(':');
  const jarDirectory = join(directory, basename(dirname(jars[0] ?? '')));
  mkdirSync(jarDirectory);
  for (const jar of jars) symlinkSync(jar, join(jarDirectory, basename(jar)));
  const own = await resolveKafkaRuntime({ onProgress: () => {}, reaper, cacheDirectory: directory });
  if (own.kind !== 'java' || own.classDataFile === undefined) throw new Error('This test needs a HotSpot Java.');
  return own;
}

/** What Kafka's storage tool prints with these options of Java. */
function runTool(...options: string[]): { status: number | null; stdout: string; stderr: string } {
  const args = [...options, ...javaArguments(runtime), 'kafka.tools.StorageTool', 'random-uuid'];
  return spawnSync(runtime.command, args, { encoding: 'utf8' });
}

function filesBesideJars(): string[] {
  return readdirSync(dirname(runtime.classDataFile ?? '')).filter((file) => !file.endsWith('.jar'));
}

test('two processes that start at once make one archive, and Kafka takes its classes from it', async () => {
  expect(javaArguments(runtime)).toEqual(['-cp', runtime.classPath]);
  await Promise.all([makeClassData(runtime, reaper), makeClassData(runtime, reaper)]);
  const file = runtime.classDataFile ?? '';
  expect(filesBesideJars()).toEqual([basename(file)]);

  // Java exits if it cannot use the archive.
  const { status, stdout } = runTool('-Xshare:on', '-Xlog:class+load');
  expect(status).toBe(0);
  expect(stdout).toMatch(/org\.apache\.kafka\.common\.Uuid source: shared objects file \(top\)/);

  const { ino } = statSync(file);
  await makeClassData(runtime, reaper);
  expect(statSync(file).ino).toBe(ino);
});

test('an archive that Java cannot use costs time only, and prints nothing', async () => {
  const without = runTool();
  writeFileSync(runtime.classDataFile ?? '', 'no archive');
  const { status, stdout, stderr } = runTool();
  expect({ status, stderr }).toEqual({ status: 0, stderr: without.stderr });
  expect(stdout.split('\n').length).toBe(without.stdout.split('\n').length);
});

test('a lab that ends while it makes the archive leaves no files and no process', async () => {
  const part = `${runtime.classDataFile}.part`;
  const making = makeClassData(runtime, reaper);
  await until('Kafka formats its storage', () => existsSync(join(part, 'kafka-1.log')));
  await reaper.close();
  await making;
  expect(filesBesideJars()).toEqual([]);

  // It ends before a process is started.
  await makeClassData(runtime, reaper);
  expect(filesBesideJars()).toEqual([]);
});
