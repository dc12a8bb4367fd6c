/** What MirrorMaker's own client (`RemoteClusterUtils`) says of the committed offsets of the other cluster. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type JavaRuntime, javaArguments } from '@causeway/lab/stack/kafka-runtime.ts';

const SOURCE_FILE = fileURLToPath(new URL('./RemoteOffsets.java', import.meta.url));

export interface RemoteOffset {
  topic: string;
  partition: number;
  offset: number;
}

/** By group, of groups that match `pattern`. Java compiles the program, for which it needs a JDK. Errors: `Error` with what Java wrote. */
export async function remoteOffsets(
  runtime: JavaRuntime,
  { target, source, pattern }: { target: string; source: string; pattern: string },
): Promise<Map<string, RemoteOffset[]>> {
  const args = [runtime.loggingOption, ...javaArguments(runtime), SOURCE_FILE, target, source, pattern];
  const { stdout } = await promisify(execFile)(runtime.command, args, { timeout: 120_000 });
  const offsets = new Map<string, RemoteOffset[]>();
  for (const line of stdout.split('\n').filter((text) => text.startsWith('offset\t'))) {
    const [, group = '', topic = '', partition, offset] = line.split('\t');
    const known = offsets.get(group) ?? [];
    offsets.set(group, [...known, { topic, partition: Number(partition), offset: Number(offset) }]);
  }
  return offsets;
}
