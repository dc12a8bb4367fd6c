/** `npm run release [-- DIRECTORY]`: the tarball with its own Node.js, its bill of materials, and their SHA-256 sums, in `dist`. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import process from 'node:process';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { readVersion } from '@causeway/protocol/version.ts';
import { assemble } from './assemble.ts';
import { writeTarball } from './tarball.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

function git(...args: string[]): string {
  return execFileSync('git', args, { cwd: ROOT, encoding: 'utf8' }).trim();
}

/** What is not committed cannot be built again: its name says so. */
function commitId(): string {
  const id = git('rev-parse', '--short=12', 'HEAD');
  return git('status', '--porcelain') === '' ? id : `${id}-modified`;
}

async function sumLine(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return `${hash.digest('hex')}  ${basename(file)}\n`;
}

const target = resolve(process.env['INIT_CWD'] ?? '.', process.argv[2] ?? join(ROOT, 'dist'));
const name = `causeway-${readVersion()}-${process.platform}-${process.arch}`;
const scratch = mkdtempSync(join(tmpdir(), 'causeway-release-'));
try {
  const directory = join(scratch, name);
  const { sbom } = assemble({ directory, commit: commitId(), runtime: process.execPath });
  mkdirSync(target, { recursive: true });
  const tarball = join(target, `${name}.tar.gz`);
  const bill = join(target, `${name}.cdx.json`);
  await writeTarball({ directory, file: tarball, time: Number(git('log', '-1', '--format=%ct')) });
  writeFileSync(bill, `${JSON.stringify(sbom, null, 2)}\n`);
  const sums = await Promise.all([tarball, bill].map(sumLine));
  writeFileSync(join(target, `${name}.sha256`), sums.join(''));
  process.stdout.write(sums.join(''));
} finally {
  rmSync(scratch, { recursive: true });
}
