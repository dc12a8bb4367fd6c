/** Command line of the lab: arguments, environment, signals, keys and exit code. */
import process from 'node:process';
import { versionLine } from '@causeway/protocol/version.ts';
import { type LabOptions, parseArguments, USAGE } from './arguments.ts';
import { LabError } from './errors.ts';
import { Lab } from './lab.ts';
import { formatError } from './terminal/format.ts';
import { keyActions } from './terminal/keys.ts';
import { Screen } from './terminal/screen.ts';
import { decideStop } from './terminal/stop-requests.ts';

/** The exit code that shells report after Ctrl-C. */
const FORCED_EXIT_CODE = 130;
const BAD_ARGUMENTS_EXIT_CODE = 2;
/** How often the lab checks whether npm, its parent, still runs. */
const PARENT_CHECK_INTERVAL_MS = 1_000;

async function run(options: LabOptions): Promise<number> {
  const screen = new Screen(process.stdout);
  // The terminal may be gone (SIGHUP): continue without it.
  process.stdout.on('error', () => {});
  const { stdin } = process;
  const hasKeys = screen.isTerminal && stdin.isTTY;
  const lab = new Lab(options, { screen, hasKeys, directory: process.env['INIT_CWD'] ?? process.cwd() });

  const stopping = new AbortController();
  const stop = (): void => stopping.abort(new LabError('stopped', 'Stopped before everything was up.'));
  let firstStopAtMs: number | undefined;
  const requestStop = (): void => {
    const decision = decideStop(firstStopAtMs, performance.now());
    if (decision === 'ignore') return;
    // The reaper kills every remaining process once this one has exited.
    if (decision === 'force') process.exit(FORCED_EXIT_CODE);
    firstStopAtMs = performance.now();
    stop();
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, requestStop);

  // SIGKILL of npm means the lab, too, but reaches npm only.
  const parent = process.ppid;
  const parentCheck = setInterval(() => {
    if (process.env['npm_lifecycle_event'] !== undefined && process.ppid !== parent) stop();
  }, PARENT_CHECK_INTERVAL_MS);

  if (hasKeys) {
    stdin.setRawMode(true);
    stdin.setEncoding('utf8');
    stdin.on('data', (input: string) => {
      for (const action of keyActions(input)) {
        if (action.kind === 'stop') requestStop();
        else if (action.kind === 'promote') lab.promote();
        else lab.toggle(action.region);
      }
    });
  }
  try {
    return (await lab.run(stopping.signal)) === 'clean' ? 0 : 1;
  } catch (error) {
    screen.status(undefined);
    process.stderr.write(`${formatError(error)}\n`);
    return stopping.signal.aborted ? 0 : 1;
  } finally {
    clearInterval(parentCheck);
    if (hasKeys) {
      stdin.setRawMode(false);
      stdin.pause();
    }
  }
}

try {
  const parsed = parseArguments(process.argv.slice(2), process.env);
  if (parsed.kind === 'help') process.stdout.write(`${USAGE}\n`);
  else if (parsed.kind === 'version') process.stdout.write(`${versionLine()}\n`);
  else process.exitCode = await run(parsed.options);
} catch (error) {
  if (!(error instanceof LabError) || error.code !== 'badArguments') throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = BAD_ARGUMENTS_EXIT_CODE;
}
