/**
 * Class data of Kafka: Java parses and checks some 5,000 classes at each start of a broker or a tool. Once for each build of Java,
 * a broker without clients leaves them in an archive beside the jars, from which all later starts take them: half the work of a start.
 */
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { KafkaBroker } from './kafka-broker.ts';
import type { KafkaRuntime } from './kafka-runtime.ts';
import { findFreePorts } from './ports.ts';
import type { Reaper } from './process.ts';

/** Java writes the archive while it exits, in about 2 s. */
const WRITE_TIMEOUT_MS = 60_000;
/** Of a Java that SIGTERM ended in order. */
const TERMINATED = 143;
/** A directory of this age was left by a machine that lost its power. */
const ABANDONED_AFTER_MS = 10 * 60_000;

/** Makes the archive if it is missing, unless another process makes it now. Never fails: without it, starts take longer. */
export async function makeClassData(runtime: KafkaRuntime, reaper: Reaper): Promise<void> {
  if (runtime.kind !== 'java' || runtime.classDataFile === undefined || existsSync(runtime.classDataFile)) return;
  const file = runtime.classDataFile;
  const directory = `${file}.part`;
  if (!claim(directory)) return;
  reaper.atEnd(['rm', '-rf', directory]);
  try {
    const partFile = join(directory, 'classes.jsa');
    const broker = new KafkaBroker({
      id: 1,
      brokerCount: 1,
      ports: await findFreePorts(2),
      directory,
      runtime,
      reaper,
      jvmOptions: [`-XX:ArchiveClassesAtExit=${partFile}`, '-Xlog:cds*=off'],
    });
    await broker.start();
    await broker.process.stop(WRITE_TIMEOUT_MS);
    const { exitCode } = await broker.process.exited;
    // Killed or failed while it wrote.
    if (exitCode !== TERMINATED) return;
    syncToDisk(partFile);
    renameSync(partFile, file);
  } catch {
    // A Java that writes none, a full disk, or the end of the lab.
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Makes the directory, or returns false: another process has it, or this one may not write here. */
function claim(directory: string): boolean {
  try {
    if (existsSync(directory) && Date.now() - statSync(directory).mtimeMs > ABANDONED_AFTER_MS) {
      rmSync(directory, { recursive: true, force: true });
    }
    mkdirSync(directory);
    return true;
  } catch {
    return false;
  }
}

/** Java crashes on an archive that is cut short: it gets its name when it is on the disk. */
function syncToDisk(file: string): void {
  const descriptor = openSync(file, 'r');
  fsyncSync(descriptor);
  closeSync(descriptor);
}
