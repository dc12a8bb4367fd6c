/** Finds what can run Apache Kafka on this machine: Java with the jars that Maven resolves, or Docker. */
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { LabError } from '../errors.ts';

const POM_FILE = fileURLToPath(new URL('../../kafka/pom.xml', import.meta.url));
const COPY_DEPENDENCIES = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies';
/** Kafka 4 brokers need it (KIP-1013). */
const MIN_JAVA_VERSION = 17;

export type KafkaRuntime = { kind: 'java'; classPath: string } | { kind: 'docker' };

/** Which programs the lab looks for; tests replace them by names that do not exist. */
export interface RuntimeCommands {
  java: string;
  maven: string;
  docker: string;
}

export const RUNTIME_COMMANDS: RuntimeCommands = { java: 'java', maven: 'mvn', docker: 'docker' };

/**
 * Resolves Apache Kafka, downloading its jars once to the user's cache.
 * Errors: `noKafkaRuntime` with what to install, `downloadFailed` with Maven's last lines.
 */
export async function resolveKafkaRuntime(options: {
  onProgress: (text: string) => void;
  commands?: RuntimeCommands;
  cacheDirectory?: string;
}): Promise<KafkaRuntime> {
  const commands = options.commands ?? RUNTIME_COMMANDS;
  const jarDirectory = join(options.cacheDirectory ?? defaultCacheDirectory(), `kafka-${pomDigest()}`);
  const javaVersion = findJavaVersion(commands.java);
  if (javaVersion !== undefined && javaVersion >= MIN_JAVA_VERSION) {
    if (existsSync(jarDirectory)) return javaRuntime(jarDirectory);
    if (canRun(commands.maven, ['--version'])) {
      await downloadJars(commands.maven, jarDirectory, options.onProgress);
      return javaRuntime(jarDirectory);
    }
  }
  if (canRun(commands.docker, ['info'])) return { kind: 'docker' };
  throw new LabError('noKafkaRuntime', whatToInstall(javaVersion));
}

function whatToInstall(javaVersion: number | undefined): string {
  const otherwise = 'or start Docker, or name a running Kafka with --bootstrap HOST:PORT';
  if (javaVersion === undefined) {
    return `Apache Kafka needs Java ${MIN_JAVA_VERSION} and Maven, and there is no Java here: install both (Debian: apt-get install openjdk-17-jre-headless maven), ${otherwise}.`;
  }
  if (javaVersion < MIN_JAVA_VERSION) {
    return `Apache Kafka needs Java ${MIN_JAVA_VERSION} or newer, and this is Java ${javaVersion}: install a newer one and Maven (Debian: apt-get install openjdk-17-jre-headless maven), ${otherwise}.`;
  }
  return `Apache Kafka's jars are fetched once by Maven, and there is no mvn here: install it (Debian: apt-get install maven), ${otherwise}.`;
}

function defaultCacheDirectory(): string {
  return join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'causeway');
}

/** Another pom is another set of jars: the directory is named after its content. */
function pomDigest(): string {
  return createHash('sha256').update(readFileSync(POM_FILE)).digest('hex').slice(0, 12);
}

function javaRuntime(jarDirectory: string): KafkaRuntime {
  return { kind: 'java', classPath: join(jarDirectory, '*') };
}

function findJavaVersion(java: string): number | undefined {
  const { status, stderr } = spawnSync(java, ['-version'], { encoding: 'utf8' });
  if (status !== 0) return undefined;
  const match = /version "(?:1\.)?(\d+)/.exec(stderr);
  return match?.[1] === undefined ? undefined : Number(match[1]);
}

function canRun(command: string, args: string[]): boolean {
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0;
}

async function downloadJars(maven: string, jarDirectory: string, onProgress: (text: string) => void): Promise<void> {
  const partDirectory = `${jarDirectory}.part-${process.pid}`;
  mkdirSync(partDirectory, { recursive: true });
  onProgress('fetching Apache Kafka with Maven (about 45 MB, once)');
  const child = spawn(
    maven,
    ['-B', '-f', POM_FILE, COPY_DEPENDENCIES, `-DoutputDirectory=${partDirectory}`, '-DincludeScope=runtime'],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  const tail: string[] = [];
  let downloadedCount = 0;
  const onLine = (line: string): void => {
    tail.push(line);
    if (tail.length > 12) tail.shift();
    const file = /Downloaded from .*\/([^/ ]+\.jar) \(([^)]*)\)/.exec(line);
    if (file === null) return;
    downloadedCount += 1;
    onProgress(`fetching Apache Kafka with Maven: ${downloadedCount} files, ${file[1]} (${file[2]})`);
  };
  createInterface({ input: child.stdout }).on('line', onLine);
  createInterface({ input: child.stderr }).on('line', onLine);
  try {
    const [exitCode] = (await once(child, 'close')) as [number | null];
    if (exitCode !== 0) throw new Error(`mvn ended with ${exitCode}`);
    // Whoever comes second finds the directory there, with the same content.
    if (!existsSync(jarDirectory)) renameSync(partDirectory, jarDirectory);
  } catch (cause) {
    throw new LabError('downloadFailed', `Maven could not fetch Apache Kafka:\n${tail.join('\n')}`, { cause });
  } finally {
    rmSync(partDirectory, { recursive: true, force: true });
  }
}
