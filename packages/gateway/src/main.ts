/** Command line of the gateway: arguments, environment, signals and exit code. */
import { resolve } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { ConfigError } from '@causeway/config/load.ts';
import { isLoopback } from '@causeway/config/networks.ts';
import { watchFiles } from '@causeway/config/watch.ts';
import { versionLine } from '@causeway/protocol/version.ts';
import { pino } from 'pino';
import { keyEntry, makeKey, passwordEntry, passwordProblem } from './authentication/new-entry.ts';
import { nameProblem } from './authentication/principal-name.ts';
import { readPassword } from './authentication/read-password.ts';
import { credentialWarnings } from './config/auth-credentials.ts';
import { listenersOf } from './config/listeners.ts';
import { loadForStart, loadGatewayConfig } from './config/load.ts';
import type { GatewayConfig } from './config/schema.ts';
import { Gateway } from './gateway.ts';

const USAGE = `Usage: npm run gateway -- --config FILE [--check]
       npm run gateway -- --hash [--key] --name NAME [--role ROLE]...

  --config FILE  YAML; config/gateway.yaml has every key
  --check        check the file, say what is wrong with it, and end
  --hash         read a password from the terminal or from standard input, and print its entry for a file of auth.basic
  --hash --key   make an API key, show it once, on standard error, and print its entry for a file of auth.apiKeys
  --name NAME    of the principal
  --role ROLE    one of its roles, for rules
  --version      the version of this program, and of Node.js
  --help         this text`;

type Arguments =
  | { command: 'help' }
  | { command: 'version' }
  | { command: 'run' | 'check'; configFile: string }
  | { command: 'hash'; isKey: boolean; name: string; roles: readonly string[] };

function readArguments(): Arguments {
  const { values } = parseArgs({
    options: {
      config: { type: 'string' },
      check: { type: 'boolean' },
      hash: { type: 'boolean' },
      key: { type: 'boolean' },
      name: { type: 'string' },
      role: { type: 'string', multiple: true },
      version: { type: 'boolean' },
      help: { type: 'boolean' },
    },
  });
  const { config, check = false, hash = false, key = false, name, role: roles = [] } = values;
  if (values.help) return { command: 'help' };
  if (values.version) return { command: 'version' };
  if (hash) {
    if (config !== undefined || check) throw new Error('--hash needs no --config');
    if (name === undefined) throw new Error('--name NAME is missing');
    const problem = nameProblem(name);
    if (problem !== undefined) throw new Error(`--name: ${name} ${problem}`);
    return { command: 'hash', isKey: key, name, roles };
  }
  if (key || name !== undefined || roles.length > 0) throw new Error('--key, --name and --role are for --hash');
  if (config === undefined) throw new Error('--config FILE is missing');
  // npm runs scripts in the repository's root; INIT_CWD is where the person stands.
  return { command: check ? 'check' : 'run', configFile: resolve(process.env['INIT_CWD'] ?? '.', config) };
}

function fail(message: string, exitCode: number): never {
  process.stderr.write(`${message}\n`);
  process.exit(exitCode);
}

function load(file: string): GatewayConfig {
  return loadGatewayConfig(file, process.env);
}

/** Settings that are valid, but often a mistake; a line each. */
function warningsOf(config: GatewayConfig): string {
  const { regions, auth } = config;
  const weights = regions.some(({ weight }) => weight > 0)
    ? []
    : ['the weight of every region is 0: requests without a consumer that has a home there get 503'];
  // A proxy in front of it may speak TLS.
  const plain = listenersOf(config).filter(({ settings: { tls, host } }) => tls === undefined && !isLoopback(host));
  const readable = (auth === undefined ? [] : plain).map(
    ({ key }) => `${key} is plain HTTP beyond loopback: credentials of clients can be read on the way`,
  );
  return [...weights, ...readable, ...(auth === undefined ? [] : credentialWarnings(auth))]
    .map((text) => `warning: ${text}\n`)
    .join('');
}

async function run(configFile: string, config: GatewayConfig): Promise<void> {
  const { name, region } = config.gateway;
  const log = pino({ level: config.log.level, base: { gateway: name, ...(region === undefined ? {} : { region }) } });
  const onFault = (error: unknown): void => log.error({ err: error }, 'fault');
  const gateway = new Gateway({ config, configFile, env: process.env, onFault });
  gateway.events.subscribe(({ id: _, at: __, type, ...details }) => {
    if (type === 'reloadRefused' || ('problem' in details && details.problem !== null)) log.error(details, type);
    else if (
      ('warning' in details && details.warning !== null) ||
      type === 'health' ||
      type === 'breaker' ||
      type === 'panic' ||
      type === 'promotion' ||
      type === 'promotionFailed' ||
      type === 'telemetry' ||
      type === 'impostor' ||
      type === 'rulesNotEnforced' ||
      type === 'handshake' ||
      type === 'connectionsRefused' ||
      type === 'quotaExceeded' ||
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

/** The entry alone goes to standard output, so that it can be appended to a file. */
async function printEntry({ isKey, name, roles }: Extract<Arguments, { command: 'hash' }>): Promise<void> {
  if (isKey) {
    const key = makeKey();
    process.stderr.write(`The API key, shown only now: ${key}\n`);
    process.stdout.write(keyEntry({ name, roles }, key));
    return;
  }
  let password: string;
  try {
    password = await readPassword(process.stdin, process.stderr);
  } catch (error) {
    fail(error instanceof Error ? error.message : String(error), 1);
  }
  const problem = passwordProblem(password);
  if (problem !== undefined) fail(problem, 1);
  process.stdout.write(await passwordEntry({ name, roles }, password));
}

let parsed: Arguments;
try {
  parsed = readArguments();
} catch (error) {
  fail(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`, 2);
}
if (parsed.command === 'help') {
  process.stdout.write(`${USAGE}\n`);
} else if (parsed.command === 'version') {
  process.stdout.write(`${versionLine()}\n`);
} else if (parsed.command === 'hash') {
  await printEntry(parsed);
} else {
  const { configFile } = parsed;
  try {
    const config = loadForStart(configFile, process.env);
    if (parsed.command === 'check') process.stdout.write(`${configFile}: ok\n${warningsOf(config)}`);
    else await run(configFile, config);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    fail(error.message, 1);
  }
}
