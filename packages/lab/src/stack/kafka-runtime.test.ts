import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { KAFKA_VERSION } from './kafka-broker.ts';
import { type RuntimeCommands, resolveKafkaRuntime, resolveMirrorRuntime } from './kafka-runtime.ts';
import { Reaper } from './process.ts';

let directory: string;
const reaper = new Reaper();
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'causeway-runtime-'));
});
afterAll(async () => {
  await reaper.close();
  rmSync(directory, { recursive: true, force: true });
});

/** A fake program with the given output and exit code. */
function program(name: string, script: string): string {
  const file = join(directory, name);
  writeFileSync(file, `#!/bin/sh\n${script}\n`);
  chmodSync(file, 0o755);
  return file;
}

const none: RuntimeCommands = { java: '/nowhere/java', maven: '/nowhere/mvn', docker: '/nowhere/docker' };
const java = (version: string): string => program(`java-${version}`, `echo 'openjdk version "${version}"' >&2`);

function resolve(commands: Partial<RuntimeCommands>, cacheDirectory = join(directory, 'cache'), lines: string[] = []) {
  return resolveKafkaRuntime({
    onProgress: (text) => lines.push(text),
    reaper,
    commands: { ...none, ...commands },
    cacheDirectory,
  });
}

test('without Java and Docker, one sentence says what to install', async () => {
  await expect(resolve({})).rejects.toMatchObject({
    code: 'noKafkaRuntime',
    message: expect.stringMatching(/this machine has no Java: install both .*--bootstrap HOST:PORT\.$/),
  });
});

test('a Java that is too old is named with its version', async () => {
  await expect(resolve({ java: java('1.8.0_402') })).rejects.toMatchObject({
    code: 'noKafkaRuntime',
    message: expect.stringContaining('this is Java 8'),
  });
});

test('Java without Maven and without jars in the cache asks for Maven', async () => {
  await expect(resolve({ java: java('17.0.15') })).rejects.toMatchObject({
    code: 'noKafkaRuntime',
    message: expect.stringContaining('this machine has no mvn'),
  });
});

test('Docker is used without Java', async () => {
  const docker = program('docker', 'exit 0');
  expect(await resolve({ docker })).toEqual({ kind: 'docker', command: docker });
});

test('Maven downloads the jars once, and reports progress', async () => {
  const maven = program(
    'mvn',
    `[ "$1" = --version ] && exit 0
echo '[INFO] Downloaded from somewhere: https://repository/a/kafka_2.13.jar (6.1 MB at 3 MB/s)'
for argument in "$@"; do case $argument in -DoutputDirectory=*) touch "\${argument#*=}/kafka.jar";; esac; done`,
  );
  const cache = join(directory, 'fetched');
  const lines: string[] = [];
  const runtime = await resolve({ java: java('21'), maven }, cache, lines);
  expect(runtime).toMatchObject({
    kind: 'java',
    classPath: expect.stringMatching(/^[^:]+\/kafka-[0-9a-f]{12}\/kafka\.jar$/),
    classDataFile: undefined,
  });
  expect(lines).toEqual([
    'fetching Apache Kafka with Maven (about 45 MB, once)',
    'fetching Apache Kafka with Maven: 1 files, kafka_2.13.jar (6.1 MB at 3 MB/s)',
  ]);
  expect(await resolve({ java: java('21') }, cache)).toEqual(runtime);
});

test('MirrorMaker has jars of its own, and none in Docker', async () => {
  const maven = program(
    'mvn-mirror',
    `[ "$1" = --version ] && exit 0
for argument in "$@"; do case $argument in -DoutputDirectory=*) touch "\${argument#*=}/connect-mirror.jar";; esac; done`,
  );
  const lines: string[] = [];
  const options = { onProgress: (text: string) => lines.push(text), reaper, cacheDirectory: join(directory, 'mirror') };
  const runtime = await resolveMirrorRuntime({ ...options, commands: { ...none, java: java('21'), maven } });
  expect(runtime.classPath).toMatch(/\/mirror-[0-9a-f]{12}\/connect-mirror\.jar$/);
  expect(lines).toEqual(['fetching MirrorMaker with Maven (about 35 MB, once)']);

  const docker = program('docker-alone', 'exit 0');
  await expect(resolveMirrorRuntime({ ...options, commands: { ...none, docker } })).rejects.toMatchObject({
    code: 'noKafkaRuntime',
    message: expect.stringMatching(/this machine has no Java: .*or run the lab with one cluster\.$/),
  });
});

test.each([['pom.xml'], ['mirror/pom.xml']])("%s names the lab's release of Kafka", (pom) => {
  const text = readFileSync(new URL(`../../kafka/${pom}`, import.meta.url), 'utf8');
  const [, version] = /<groupId>org\.apache\.kafka<\/groupId>.*?<version>(.*?)<\/version>/s.exec(text) ?? [];
  expect(version).toBe(KAFKA_VERSION);
});

test('a failed download shows the output of Maven and leaves no files', async () => {
  const maven = program('mvn-broken', '[ "$1" = --version ] && exit 0; echo "[ERROR] no such artifact"; exit 1');
  const cache = join(directory, 'broken');
  await expect(resolve({ java: java('21'), maven }, cache)).rejects.toMatchObject({
    code: 'downloadFailed',
    message: expect.stringContaining('[ERROR] no such artifact'),
  });
  expect(existsSync(cache) ? readdirSync(cache) : []).toEqual([]);
});
