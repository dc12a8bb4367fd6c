/** Finds a runtime for Apache Kafka and MirrorMaker on this machine: Java with the jars that Maven resolves, or Docker. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { LabError } from '../errors.ts';
import { cacheDirectory } from './cache-directory.ts';
import type { Reaper } from './process.ts';

/** A release beside the lab's own, for tests of its differences. */
export type OtherRelease = '3.9';
const COPY_DEPENDENCIES = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies';
/** Kafka 4 brokers need it (KIP-1013). */
const MIN_JAVA_VERSION = 17;

/** Lines of Maven's output that the error for a failed download shows. */
const MAVEN_TAIL_LINES = 12;

export interface JavaRuntime {
  kind: 'java';
  command: string;
  /** The option by which this release finds what it logs. */
  loggingOption: string;
  /** Every jar by its name, in one order: an archive of class data is refused for any other class path. */
  classPath: string;
  /** Where class data for this Java and these jars is kept (see `class-data.ts`); undefined for a Java that is not HotSpot. */
  classDataFile?: string | undefined;
}

export type KafkaRuntime = JavaRuntime | { kind: 'docker'; command: string };

/** Which programs the lab looks for; tests replace them by names that do not exist. */
export interface RuntimeCommands {
  java: string;
  maven: string;
  docker: string;
}

export const RUNTIME_COMMANDS: RuntimeCommands = { java: 'java', maven: 'mvn', docker: 'docker' };

export interface RuntimeOptions {
  onProgress: (text: string, isUpdate: boolean) => void;
  reaper: Reaper;
  signal?: AbortSignal | undefined;
  /** Default: {@link RUNTIME_COMMANDS}. */
  commands?: RuntimeCommands | undefined;
  /** Default: `causeway` in the user's cache. */
  cacheDirectory?: string | undefined;
  /** Default: the lab's own release. Java only. */
  release?: OtherRelease | undefined;
}

/** A program of the Kafka project, as Maven resolves it. */
interface JavaProgram {
  name: string;
  /** Begins the name of the directory of its jars. */
  directoryPrefix: string;
  pomFile: string;
  loggingOption: string;
  downloadMegabytes: number;
}

/**
 * Resolves Apache Kafka, downloading its jars once to the user's cache.
 * Errors: `noKafkaRuntime` with what to install, `downloadFailed` with Maven's last lines.
 */
export async function resolveKafkaRuntime(options: RuntimeOptions): Promise<KafkaRuntime> {
  const { docker } = options.commands ?? RUNTIME_COMMANDS;
  const found = await resolveJava(kafkaProgram(options.release), options);
  if (typeof found === 'object') return found;
  if (options.release === undefined && canRun(docker, ['info'])) return { kind: 'docker', command: docker };
  throw new LabError(
    'noKafkaRuntime',
    whatToInstall(found, 'or start Docker, or name a running Kafka with --bootstrap HOST:PORT'),
  );
}

/** Resolves MirrorMaker as {@link resolveKafkaRuntime} does Kafka, of the same release; never with Docker. */
export async function resolveMirrorRuntime(options: Omit<RuntimeOptions, 'release'>): Promise<JavaRuntime> {
  const found = await resolveJava(MIRROR_MAKER, options);
  if (typeof found === 'object') return found;
  throw new LabError('noKafkaRuntime', whatToInstall(found, 'or run the lab with one cluster'));
}

/** Or the version of a Java that is too old or has no Maven, or undefined without a Java. */
async function resolveJava(program: JavaProgram, options: RuntimeOptions): Promise<JavaRuntime | number | undefined> {
  const { java, maven } = options.commands ?? RUNTIME_COMMANDS;
  const { pomFile, loggingOption, directoryPrefix } = program;
  // A changed pom needs other jars: their directory is named after its content.
  const jarDirectory = join(
    options.cacheDirectory ?? cacheDirectory(),
    `${directoryPrefix}-${digest(readFileSync(pomFile))}`,
  );
  const javaDescription = describeJava(java);
  const javaVersion = versionIn(javaDescription);
  if (javaVersion === undefined || javaVersion < MIN_JAVA_VERSION) return javaVersion;
  if (!existsSync(jarDirectory)) {
    if (!canRun(maven, ['--version'])) return javaVersion;
    await downloadJars(maven, { program, jarDirectory }, options);
  }
  return {
    kind: 'java',
    command: java,
    loggingOption,
    classPath: jarsIn(jarDirectory).join(delimiter),
    classDataFile: classDataFile(jarDirectory, javaDescription),
  };
}

function whatToInstall(javaVersion: number | undefined, otherwise: string): string {
  if (javaVersion === undefined) {
    return `Apache Kafka needs Java ${MIN_JAVA_VERSION} and Maven, and this machine has no Java: install both (Debian: apt-get install openjdk-17-jre-headless maven), ${otherwise}.`;
  }
  if (javaVersion < MIN_JAVA_VERSION) {
    return `Apache Kafka needs Java ${MIN_JAVA_VERSION} or newer, and this is Java ${javaVersion}: install a newer one and Maven (Debian: apt-get install openjdk-17-jre-headless maven), ${otherwise}.`;
  }
  return `Apache Kafka's jars are fetched once by Maven, and this machine has no mvn: install it (Debian: apt-get install maven), ${otherwise}.`;
}

/** The start of a command line: the class path, and class data once there is some. */
export function javaArguments({ classPath, classDataFile }: JavaRuntime): string[] {
  const hasClassData = classDataFile !== undefined && existsSync(classDataFile);
  // A file that this Java does not accept costs time and says nothing.
  const sharing = hasClassData ? [`-XX:SharedArchiveFile=${classDataFile}`, '-Xshare:auto', '-Xlog:cds*=off'] : [];
  return [...sharing, '-cp', classPath];
}

const fileOf = (name: string): string => fileURLToPath(new URL(`../../kafka/${name}`, import.meta.url));
const LOG4J2 = `-Dlog4j2.configurationFile=${fileOf('log4j2.properties')}`;

const MIRROR_MAKER: JavaProgram = {
  name: 'MirrorMaker',
  directoryPrefix: 'mirror',
  pomFile: fileOf('mirror/pom.xml'),
  loggingOption: LOG4J2,
  downloadMegabytes: 35,
};

function kafkaProgram(release: OtherRelease | undefined): JavaProgram {
  const common = { name: 'Apache Kafka', directoryPrefix: 'kafka', downloadMegabytes: 45 };
  if (release === undefined) return { ...common, pomFile: fileOf('pom.xml'), loggingOption: LOG4J2 };
  return {
    ...common,
    pomFile: fileOf(`${release}/pom.xml`),
    loggingOption: `-Dlog4j.configuration=file:${fileOf(`${release}/log4j.properties`)}`,
  };
}

function digest(content: string | Buffer): string {
  return createHash('sha256').update(content).digest('hex').slice(0, 12);
}

function jarsIn(directory: string): string[] {
  return readdirSync(directory)
    .filter((file) => file.endsWith('.jar'))
    .sort()
    .map((file) => join(directory, file));
}

/** Only the very same build of Java can read it. */
function classDataFile(jarDirectory: string, javaDescription: string): string | undefined {
  const isHotSpot = javaDescription.includes('Server VM');
  return isHotSpot ? join(jarDirectory, `classes-${digest(javaDescription)}.jsa`) : undefined;
}

/** What `java -version` prints: the version, the build, the vendor and the kind of virtual machine. */
function describeJava(java: string): string {
  const { status, stderr } = spawnSync(java, ['-version'], { encoding: 'utf8' });
  return status === 0 ? stderr : '';
}

function versionIn(javaDescription: string): number | undefined {
  const match = /version "(?:1\.)?(\d+)/.exec(javaDescription);
  return match?.[1] === undefined ? undefined : Number(match[1]);
}

function canRun(command: string, args: string[]): boolean {
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0;
}

async function downloadJars(
  maven: string,
  { program, jarDirectory }: { program: JavaProgram; jarDirectory: string },
  options: RuntimeOptions,
): Promise<void> {
  const { name, pomFile, downloadMegabytes } = program;
  const { onProgress, reaper, signal } = options;
  signal?.throwIfAborted();
  const partDirectory = `${jarDirectory}.part-${process.pid}`;
  mkdirSync(partDirectory, { recursive: true });
  onProgress(`fetching ${name} with Maven (about ${downloadMegabytes} MB, once)`, false);
  const child = spawn(
    maven,
    ['-B', '-f', pomFile, COPY_DEPENDENCIES, `-DoutputDirectory=${partDirectory}`, '-DincludeScope=runtime'],
    // Its own process group, so that the children of mvn can be killed with it.
    { stdio: ['ignore', 'pipe', 'pipe'], detached: true },
  );
  const { pid } = child;
  if (pid !== undefined) reaper.watch(pid);
  const onAbort = (): void => killGroup(child);
  signal?.addEventListener('abort', onAbort, { once: true });
  const tail: string[] = [];
  let downloadedCount = 0;
  const onLine = (line: string): void => {
    tail.push(line);
    if (tail.length > MAVEN_TAIL_LINES) tail.shift();
    const file = /Downloaded from .*\/([^/ ]+\.jar) \(([^)]*)\)/.exec(line);
    if (file === null) return;
    downloadedCount += 1;
    onProgress(`fetching ${name} with Maven: ${downloadedCount} files, ${file[1]} (${file[2]})`, true);
  };
  createInterface({ input: child.stdout }).on('line', onLine);
  createInterface({ input: child.stderr }).on('line', onLine);
  try {
    const [exitCode] = (await once(child, 'close')) as [number | null];
    signal?.throwIfAborted();
    if (exitCode !== 0) throw new Error(`mvn exited with ${exitCode}`);
    // Another process made the directory first, with the same content.
    if (!existsSync(jarDirectory)) renameSync(partDirectory, jarDirectory);
  } catch (cause) {
    signal?.throwIfAborted();
    throw new LabError('downloadFailed', `Maven could not fetch ${name}:\n${tail.join('\n')}`, { cause });
  } finally {
    signal?.removeEventListener('abort', onAbort);
    if (pid !== undefined) reaper.forget(pid);
    rmSync(partDirectory, { recursive: true, force: true });
  }
}

function killGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // Already gone.
  }
}
