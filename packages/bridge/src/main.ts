/** The bridge as a process: `--config FILE [--check]`, `--version`, `--help`, signals, exit code. */
import { resolve } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { ConfigError } from '@causeway/config/load.ts';
import { secretKeys } from '@causeway/config/masked.ts';
import { versionLine } from '@causeway/protocol/version.ts';
import { pino } from 'pino';
import { Bridge } from './app.ts';
import { BridgeConfig } from './config.ts';
import { loadBridgeConfig } from './load.ts';

const USAGE = `Usage: npm run bridge -- --config FILE [--check]

  --config FILE  YAML; config/bridge.yaml has every key
  --check        check the file, report its errors, and exit
  --version      the version of this program, and of Node.js
  --help         this text`;

/** No line logs a secret; a line that ever contains a part of the configuration is redacted. */
const SECRET_PATHS = secretKeys(BridgeConfig).flatMap((key) =>
  [0, 1, 2, 3, 4].map((depth) => `${'*.'.repeat(depth)}${key}`),
);

interface Arguments {
  file: string;
  isCheck: boolean;
}

function readArguments(): Arguments | 'help' | 'version' {
  const { values } = parseArgs({
    options: {
      config: { type: 'string' },
      check: { type: 'boolean', default: false },
      version: { type: 'boolean' },
      help: { type: 'boolean' },
    },
  });
  if (values.help) return 'help';
  if (values.version) return 'version';
  if (values.config === undefined) throw new TypeError('--config FILE is missing');
  return { file: values.config, isCheck: values.check };
}

/** Returns the exit code, or `undefined` while the bridge runs. */
async function main(): Promise<number | undefined> {
  let parsed: Arguments | 'help' | 'version';
  try {
    parsed = readArguments();
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}\n`);
    return 2;
  }
  if (parsed === 'help' || parsed === 'version') {
    process.stdout.write(`${parsed === 'help' ? USAGE : versionLine()}\n`);
    return 0;
  }
  const { file, isCheck } = parsed;
  let config: BridgeConfig;
  try {
    // npm runs scripts in the root of the package, and passes the caller's directory.
    config = loadBridgeConfig(resolve(process.env['INIT_CWD'] ?? process.cwd(), file), process.env);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return 1;
  }
  if (isCheck) {
    process.stdout.write(`${file}: ok\n`);
    return 0;
  }
  return await run(config);
}

async function run(config: BridgeConfig): Promise<number | undefined> {
  const log = pino({
    level: config.log.level,
    base: { bridge: `${config.bridge.region}/${config.bridge.name}` },
    redact: SECRET_PATHS,
  });
  let bridge: Bridge;
  try {
    bridge = await Bridge.start(config, log);
  } catch (error) {
    log.fatal({ err: error }, 'bridge cannot start');
    return 1;
  }
  const stop = (): void => {
    void bridge.close().then(() => process.exit(0));
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  process.on('SIGHUP', () => bridge.reopenLogs());
  // A request must never end the process: log the bug and continue.
  process.on('unhandledRejection', (error) => log.error({ err: error }, 'unhandled rejection'));
  process.on('uncaughtException', (error) => log.error({ err: error }, 'uncaught exception'));
  return undefined;
}

const exitCode = await main();
if (exitCode !== undefined) process.exitCode = exitCode;
