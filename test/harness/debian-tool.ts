/** Programs that tests run and that npm does not install. */
import { spawnSync } from 'node:child_process';
import process from 'node:process';

/**
 * Whether the program of a Debian package, by default of the same name, is installed; if it is not, a line says whose tests are left out.
 * Errors: with `CI=true`, if it is not.
 */
export function hasDebianTool(name: string, versionOption: string, debianPackage = name): boolean {
  const isThere = spawnSync(name, [versionOption], { stdio: 'ignore' }).status === 0;
  if (isThere) return true;
  const reason = `${name} is not installed (Debian package: ${debianPackage})`;
  if (process.env['CI'] === 'true') throw new Error(reason);
  process.stderr.write(`${reason}: its tests are left out\n`);
  return false;
}
