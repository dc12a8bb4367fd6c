/** Command line of a client that runs beside a system, as in a pod: arguments, signals and exit code. */
import process from 'node:process';
import { versionLine } from '@causeway/protocol/version.ts';
import { LabError } from '../errors.ts';
import { parseTrafficArguments, TRAFFIC_USAGE } from './arguments.ts';
import { runTraffic } from './run.ts';

const BAD_ARGUMENTS_EXIT_CODE = 2;

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

try {
  const command = parseTrafficArguments(process.argv.slice(2), process.env);
  if (command.kind === 'help') {
    print(TRAFFIC_USAGE);
  } else if (command.kind === 'version') {
    print(versionLine());
  } else {
    const stopping = new AbortController();
    // Once: a second signal ends the process at once.
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopping.abort());
    process.exitCode = await runTraffic(command, { print, signal: stopping.signal });
  }
} catch (error) {
  if (!(error instanceof LabError) || error.code !== 'badArguments') throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = BAD_ARGUMENTS_EXIT_CODE;
}
