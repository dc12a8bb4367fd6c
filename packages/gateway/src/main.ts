/** Command line of the gateway: arguments, environment, signals and exit code. */
import { resolve } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { ConfigError } from '@causeway/config/load.ts';
import { watchFiles } from '@causeway/config/watch.ts';
import { pino } from 'pino';
import { loadForStart, loadGatewayConfig } from './config/load.ts';
import type { GatewayConfig } from './config/schema.ts';
import { Gateway } from './gateway.ts';

const USAGE = `Usage: npm run gateway -- --config FILE [--check]

  --config FILE  YAML; config/gateway.yaml has every key
  --check        check the file, say what is wrong with it, and end
  --help         this text`;

interface Arguments {
  configFile: string;
  isCheck: boolean;
}

function readArguments(): Arguments | 'help' {
  const { values } = parseArgs({
    options: { config: { type: 'string' }, check: { type: 'boolean' }, help: { type: 'boolean' } },
  });
  if (values.help) return 'help';
  if (values.config === undefined) throw new Error('--config FILE is missing');
  // npm runs scripts in the repository's root; INIT_CWD is where the person stands.
  return { configFile: resolve(process.env['INIT_CWD'] ?? '.', values.config), isCheck: values.check ?? false };
}

function fail(message: string, exitCode: number): never {
  process.stderr.write(`${message}\n`);
  process.exit(exitCode);
}

function load(file: string): GatewayConfig {
  return loadGatewayConfig(file, process.env);
}

/** Settings that are valid, but often a mistake; a line each. */
function warningsOf({ regions }: GatewayConfig): string {
  if (regions.some(({ weight }) => weight > 0)) return '';
  return 'warning: the weight of every region is 0: requests without a consumer that has a home there get 503\n';
}

async function run(configFile: string, config: GatewayConfig): Promise<void> {
  const { name, region } = config.gateway;
  const log = pino({ level: config.log.level, base: { gateway: name, ...(region === undefined ? {} : { region }) } });
  const onFault = (error: unknown): void => log.error({ err: error }, 'fault');
  const gateway = new Gateway({ config, configFile, env: process.env, onFault });
  gateway.events.subscribe(({ id: _, at: __, type, ...details }) => {
    if (type === 'reloadRefused' || ('problem' in details && details.problem !== null)) log.error(details, type);
    else if (
      type === 'health' ||
      type === 'breaker' ||
      type === 'panic' ||
      type === 'telemetry' ||
      type === 'impostor' ||
      type === 'handshake' ||
      type === 'connectionsRefused' ||
      type === 'accessRefused'
    )
      log.warn(details, type);
    else log.info(details, type);
  });

  const reload = (): void => {
    try {
      gateway.reload(load(configFile));
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      gateway.refuseReload(error.message);
    }
  };
  const stop = (signal: string): void => {
    watch.close();
    void gateway.close(signal).then(() => process.exit(0));
  };
  const watch = watchFiles([configFile], reload);
  process.on('SIGHUP', () => {
    gateway.reopenLogs();
    reload();
  });
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  try {
    await gateway.start();
  } catch (error) {
    watch.close();
    fail(`The gateway cannot start: ${error instanceof Error ? error.message : String(error)}`, 1);
  }
}

let parsed: Arguments | 'help';
try {
  parsed = readArguments();
} catch (error) {
  fail(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`, 2);
}
if (parsed === 'help') {
  process.stdout.write(`${USAGE}\n`);
} else {
  try {
    const config = loadForStart(parsed.configFile, process.env);
    if (parsed.isCheck) process.stdout.write(`${parsed.configFile}: ok\n${warningsOf(config)}`);
    else await run(parsed.configFile, config);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    fail(error.message, 1);
  }
}
