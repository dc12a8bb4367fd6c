/** `npm run mirror-maker`: lets MirrorMaker follow the promotions of Kafka clusters. */
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { versionLine } from '@causeway/protocol/version.ts';
import { trustAuthority } from '@causeway/status/trust-authority.ts';
import { pino } from 'pino';
import { type MirrorArguments, readArguments, USAGE } from './arguments.ts';
import { ConnectApi } from './connect/connect-api.ts';
import { ConnectReplicator } from './connect/connect-replicator.ts';
import { Follower } from './follower.ts';
import { Gateways } from './gateways.ts';
import { MirrorProcess } from './process/mirror-process.ts';
import type { Prepare, Replicator } from './replicator.ts';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

function main(): number | undefined {
  let options: MirrorArguments | 'help' | 'version';
  try {
    const directories = [process.env['INIT_CWD'] ?? process.cwd(), ROOT];
    options = readArguments(process.argv.slice(2), { env: process.env, directories });
    const caFile = typeof options === 'object' ? options.gateways.find((gateway) => gateway.caFile)?.caFile : undefined;
    if (caFile !== undefined) trustAuthority(caFile);
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}\n`);
    return 2;
  }
  if (options === 'help' || options === 'version') {
    process.stdout.write(`${options === 'help' ? USAGE : versionLine()}\n`);
    return 0;
  }
  run(options);
  return undefined;
}

function run({ target, gateways, intervalMs, way }: MirrorArguments): void {
  const log = pino({ base: { target } });
  const asked = new Gateways(gateways);
  const prepare: Prepare = async (source) => {
    const prepared = await asked.prepare(target, { dryRun: way.kind === 'connect' });
    if (prepared.source !== source) throw new Error(`Not ${source} is active, but ${prepared.source}`);
    return prepared.positions;
  };
  const onEvent = ({ type, ...fields }: { type: string }): void => log.info(fields, `MirrorMaker ${type}`);
  const now = (): number => performance.now();
  const common = { target, prepare, onEvent, now };
  const own = way.kind === 'process' ? new MirrorProcess({ command: way.command, ...common }) : undefined;
  const replicator: Replicator =
    way.kind === 'connect'
      ? new ConnectReplicator({ api: new ConnectApi(way.urls, way.credentials), ...common })
      : (own as MirrorProcess);
  const follower = new Follower({ target, gateways: asked, replicator, intervalMs, log });
  let isStopping = false;
  const stop = (): void => {
    if (isStopping) own?.kill();
    isStopping = true;
    void follower.close().then(() => process.exit(0));
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  follower.start();
}

process.exitCode = main();
