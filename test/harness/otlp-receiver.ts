/** A real OTLP receiver: Rotel, a collector of 10 MB from PyPI. It writes what it receives to Kafka. */
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { findFreePorts } from '@causeway/lab/stack/ports.ts';
import { LabProcess, Reaper } from '@causeway/lab/stack/process.ts';
import { request } from 'undici';

const VERSION = '0.0.1a15';
/** The wheel for the Python of Debian 12. */
const WHEEL = [
  '--implementation',
  'cp',
  '--python-version',
  '3.11',
  '--abi',
  'cp311',
  '--platform',
  'manylinux_2_34_x86_64',
];
const DOWNLOAD_TIMEOUT_MS = 120_000;
const START_TIMEOUT_MS = 60_000;

/** Downloads the program once, to the user's cache. `undefined` if it cannot run here; with `CI=true`, an error instead. */
export function findOtlpReceiver(): string | undefined {
  const cache = join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'causeway');
  const directory = join(cache, `rotel-${VERSION}`);
  const program = join(directory, 'rotel/rotel-agent');
  if (!existsSync(program)) download(directory);
  const { status } = spawnSync(program, ['--version'], { stdio: 'ignore' });
  if (status === 0) return program;
  if (process.env['CI'] === 'true') {
    throw new Error('Rotel does not run here: it needs pip (Debian package: python3-pip) and libpython3.11');
  }
  return undefined;
}

function download(directory: string): void {
  const part = `${directory}.part-${process.pid}`;
  mkdirSync(part, { recursive: true });
  const run = (command: string, args: string[]): boolean =>
    spawnSync(command, args, { cwd: part, stdio: 'ignore', timeout: DOWNLOAD_TIMEOUT_MS }).status === 0;
  const isThere =
    run('pip', ['download', '--quiet', '--no-deps', '--only-binary=:all:', ...WHEEL, `rotel==${VERSION}`]) &&
    run('sh', ['-c', 'python3 -m zipfile -e *.whl .']);
  if (isThere) {
    chmodSync(join(part, 'rotel/rotel-agent'), 0o755);
    // Another test may have put it there meanwhile.
    if (!existsSync(directory)) renameSync(part, directory);
  }
  rmSync(part, { recursive: true, force: true });
}

export interface OtlpReceiver {
  /** For `tracing.endpoint`. */
  url: string;
  close(): Promise<void>;
}

/** Starts the receiver. It writes spans to a topic, as OTLP's JSON. */
export async function startOtlpReceiver(
  program: string,
  { bootstrap, topic }: { bootstrap: string; topic: string },
): Promise<OtlpReceiver> {
  const directory = mkdtempSync(join(tmpdir(), 'causeway-otlp-'));
  const [httpPort = 0, grpcPort = 0] = await findFreePorts(2);
  const reaper = new Reaper();
  const child = await LabProcess.start({
    name: 'rotel',
    command: program,
    args: [
      ...['start', '--log-file', join(directory, 'agent.log'), '--pid-file', join(directory, 'pid')],
      ...['--otlp-http-endpoint', `127.0.0.1:${httpPort}`, '--otlp-grpc-endpoint', `127.0.0.1:${grpcPort}`],
      ...['--batch-timeout', '100ms', '--exporter', 'kafka', '--kafka-exporter-brokers', bootstrap],
      ...['--kafka-exporter-traces-topic', topic, '--kafka-exporter-format', 'json'],
    ],
    logFile: join(directory, 'rotel.log'),
    reaper,
  });
  const close = async (): Promise<void> => {
    await child.kill();
    await reaper.close();
    rmSync(directory, { recursive: true, force: true });
  };
  const url = `http://127.0.0.1:${httpPort}`;
  try {
    await child.waitUntilReady(() => answers(url), { timeoutMs: START_TIMEOUT_MS });
  } catch (error) {
    await close();
    throw error;
  }
  return { url, close };
}

async function answers(url: string): Promise<boolean> {
  try {
    await (await request(url)).body.dump();
    return true;
  } catch {
    return false;
  }
}
