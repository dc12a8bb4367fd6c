/** Programs that tests run and that npm does not install. */
import { spawnSync } from 'node:child_process';
import process from 'node:process';

/** Whether the program of a Debian package of the same name is installed. Errors: with `CI=true`, if it is not. */
export function hasDebianTool(name: string, versionOption: string): boolean {
  const isThere = spawnSync(name, [versionOption], { stdio: 'ignore' }).status === 0;
  if (!isThere && process.env['CI'] === 'true') throw new Error(`${name} is not installed (Debian package: ${name})`);
  return isThere;
}
