/** kubernetes-validate, a program in Python that has the schemas of Kubernetes: pip installs it once, into the user's cache. */
import { execFile, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { promisify } from 'node:util';
import { cacheDirectory } from '@causeway/lab/stack/cache-directory.ts';

const VERSION = '1.37.0';

/**
 * The directory with the program; `undefined` where pip cannot install it: a line then says whose tests are left out.
 * Errors: with `CI=true`, if pip cannot install it.
 */
export function findKubernetesValidate(): string | undefined {
  const directory = join(cacheDirectory(), `kubernetes-validate-${VERSION}`);
  if (existsSync(directory)) return directory;
  mkdirSync(cacheDirectory(), { recursive: true });
  const part = mkdtempSync(`${directory}.part-`);
  const { status } = spawnSync('pip', ['install', '--quiet', '--target', part, `kubernetes-validate==${VERSION}`], {
    stdio: 'ignore',
  });
  // Another process may have been quicker.
  if (status === 0 && !existsSync(directory)) renameSync(part, directory);
  else rmSync(part, { recursive: true, force: true });
  if (existsSync(directory)) return directory;
  const reason = `pip (Debian package: python3-pip) cannot install kubernetes-validate==${VERSION}`;
  if (process.env['CI'] === 'true') throw new Error(reason);
  process.stderr.write(`${reason}: its tests are left out\n`);
  return undefined;
}

/** Checks files by the strict schemas of a version of Kubernetes, such as `1.30`. Returns its lines. */
export async function kubernetesValidate(
  directory: string,
  version: string,
  files: readonly string[],
): Promise<{ isValid: boolean; lines: string[] }> {
  const run = promisify(execFile);
  const options = { env: { ...process.env, PYTHONPATH: directory } };
  try {
    const args = ['-m', 'kubernetes_validate', '--strict', '-k', version, ...files];
    const { stdout, stderr } = await run('python3', args, options);
    return { isValid: true, lines: `${stdout}${stderr}`.trim().split('\n') };
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
    return { isValid: false, lines: `${stdout}${stderr}`.trim().split('\n') };
  }
}
