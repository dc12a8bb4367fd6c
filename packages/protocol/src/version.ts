/** The version of Causeway, which is that of all its packages. */
import { existsSync, readFileSync } from 'node:fs';
import process from 'node:process';

const PACKAGE = new URL('../package.json', import.meta.url);
/** In the root of an image or a tarball; a checkout has no such file. */
const RELEASE = new URL('../../../release.json', import.meta.url);

export function readVersion(): string {
  return (JSON.parse(readFileSync(PACKAGE, 'utf8')) as { version: string }).version;
}

/** One line for `--version`: `causeway 0.4.0 (commit 1a65ade, Node.js 26.10.0)`. */
export function versionLine(): string {
  return `causeway ${readVersion()} (${readCommit()}, Node.js ${process.versions.node})`;
}

function readCommit(): string {
  if (!existsSync(RELEASE)) return 'a checkout';
  return `commit ${(JSON.parse(readFileSync(RELEASE, 'utf8')) as { commit: string }).commit}`;
}
