/** Runs Kafka's own tool for dynamic configuration: users, loggers, topics. */
import { join } from 'node:path';
import { LabError } from '../errors.ts';
import { resolveKafkaRuntime } from './kafka-runtime.ts';
import { LabProcess, type Reaper } from './process.ts';

export interface KafkaConfigsOptions {
  bootstrap: string;
  /** The directory of its log. */
  directory: string;
  reaper: Reaper;
}

/** Runs `kafka-configs` with these arguments; Java only. Errors: `startFailed` with its output. */
export async function kafkaConfigs(
  args: readonly string[],
  { bootstrap, directory, reaper }: KafkaConfigsOptions,
): Promise<void> {
  const runtime = await resolveKafkaRuntime({ onProgress: () => {}, reaper });
  if (runtime.kind !== 'java') throw new LabError('noKafkaRuntime', 'kafka-configs needs Java 17 and Maven.');
  const tool = await LabProcess.start({
    name: 'kafka-configs',
    command: runtime.command,
    args: [
      ...['-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-cp', runtime.classPath],
      ...['kafka.admin.ConfigCommand', '--bootstrap-server', bootstrap, ...args],
    ],
    logFile: join(directory, 'kafka-configs.log'),
    reaper,
  });
  const { exitCode } = await tool.runToEnd();
  if (exitCode !== 0) throw new LabError('startFailed', `kafka-configs failed.\n${tool.logTail()}`);
}
