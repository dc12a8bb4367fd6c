/** `npm run status`: the state of the system from the admin API of any gateway, also as exit code. */
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { styleText } from 'node:util';
import type { State } from '@causeway/protocol/admin/model.ts';
import { versionLine } from '@causeway/protocol/version.ts';
import { readArguments, type StatusArguments, USAGE } from './arguments.ts';
import { type Asked, askGateway } from './ask.ts';
import { consumerList } from './consumer-list.ts';
import type { Paint } from './paint.ts';
import { picture } from './picture.ts';
import { trustAuthority } from './trust-authority.ts';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const INTERVAL_MS = 1_000;
const EVENT_COUNT = 8;
const DOWN = 2;
const EXIT_CODES: Readonly<Record<State, number>> = { up: 0, degraded: 1, down: DOWN };
/** Cursor to the top left; lines are overwritten one by one, which does not flicker. */
const HOME = '\u001b[H';
const CLEAR_LINE = '\u001b[K';
const CLEAR_BELOW = '\u001b[J';

const isColoured = process.stdout.isTTY === true && !process.env['NO_COLOR'];
const paint: Paint = (colour, text) => (isColoured ? styleText(colour, text, { validateStream: false }) : text);

function shown(asked: Asked, { url, isJson, isWatching }: StatusArguments): string {
  if ('failure' in asked) return isJson ? JSON.stringify({ failure: asked.failure }) : paint('red', asked.failure);
  const { system, consumers } = asked.status;
  if (isJson) return JSON.stringify(consumers ?? system, undefined, isWatching ? undefined : 2);
  if (consumers !== null) return consumerList(consumers, { at: system.at, paint });
  return picture(asked.status, { url, paint });
}

function exitCodeOf(asked: Asked): number {
  return 'failure' in asked ? DOWN : EXIT_CODES[asked.status.system.state];
}

async function once(options: StatusArguments): Promise<number> {
  const asked = await askGateway(options, EVENT_COUNT);
  const stream = 'failure' in asked && !options.isJson ? process.stderr : process.stdout;
  stream.write(`${shown(asked, options)}\n`);
  return exitCodeOf(asked);
}

/** Redraws until Ctrl-C; the exit code is that of the last state. */
async function watch(options: StatusArguments): Promise<number> {
  const end = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => end.abort());
  const isScreen = process.stdout.isTTY === true && !options.isJson;
  let exitCode = DOWN;
  if (isScreen) process.stdout.write(`${HOME}${CLEAR_BELOW}`);
  while (!end.signal.aborted) {
    const asked = await askGateway(options, EVENT_COUNT);
    exitCode = exitCodeOf(asked);
    const text = shown(asked, options);
    const drawn = `${HOME}${text.replaceAll('\n', `${CLEAR_LINE}\n`)}${CLEAR_LINE}\n${CLEAR_BELOW}`;
    process.stdout.write(isScreen ? drawn : `${text}\n`);
    await delay(INTERVAL_MS, undefined, { signal: end.signal }).catch(() => {});
  }
  return exitCode;
}

async function main(): Promise<number> {
  let options: StatusArguments | 'help' | 'version';
  try {
    const directories = [process.env['INIT_CWD'] ?? process.cwd(), ROOT];
    options = readArguments(process.argv.slice(2), { env: process.env, directories });
    if (typeof options === 'object' && options.caFile !== undefined) trustAuthority(options.caFile);
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}\n`);
    return DOWN;
  }
  if (options === 'help' || options === 'version') {
    process.stdout.write(`${options === 'help' ? USAGE : versionLine()}\n`);
    return 0;
  }
  return await (options.isWatching ? watch(options) : once(options));
}

process.exitCode = await main();
