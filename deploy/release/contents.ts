/** The contents of the image and of the tarball, declared once: the programs, what they import, and a few files beside them. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { dirname, extname, join } from 'node:path';

/** Where each program of `bin/causeway` begins. */
export const PROGRAMS = [
  'packages/gateway/src/main.ts',
  'packages/bridge/src/main.ts',
  'packages/status/src/main.ts',
  'packages/status/src/clusters/main.ts',
  'packages/mirror/src/main.ts',
  'packages/status/src/healthy/main.ts',
  'packages/lab/src/traffic/main.ts',
] as const;

/** The gateway serves these files to browsers: all of them, as packages/gateway/src/admin/page-files.ts does. */
const PAGE = 'packages/page/src';

/** Files that no program imports. */
export const PLAIN_FILES = [
  'LICENSE',
  'README.md',
  'CHANGELOG.md',
  'bin/causeway',
  'bin/stop-early.js',
  'config/bridge.schema.json',
  'config/bridge.yaml',
  'config/gateway.schema.json',
  'config/gateway.yaml',
  'config/grafana/causeway.json',
  'config/prometheus/causeway.rules.yml',
] as const;

/** What Node.js never reads of a library: it runs no TypeScript there. Licences stay. */
const UNREAD =
  /^(?:\.github|benchmarks?|docs|examples?|tests?)\/|\.[cm]?ts$|\.map$|\.tsbuildinfo$|(?<!licen[cs]e|notice|copying)\.(?:md|markdown)$/i;

export interface Contents {
  /** Paths below the root of the repository. */
  files: readonly string[];
  /** Packages of the workspace, as `packages/NAME`, and the libraries that their files import. */
  workspaces: ReadonlyMap<string, ReadonlySet<string>>;
  /** Directories of libraries, as the lock file names them: `node_modules/a`, `node_modules/a/node_modules/b`. */
  libraries: readonly string[];
}

interface LockEntry {
  dependencies?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
}

/** What the programs need, found by following their imports. Errors: `Error` if something that they import is missing. */
export function findContents(root: string): Contents {
  const files = new Set<string>();
  const workspaces = new Map<string, Set<string>>();
  const open: string[] = [...PROGRAMS, ...servedFiles(root)];
  for (let file = open.pop(); file !== undefined; file = open.pop()) {
    if (files.has(file)) continue;
    files.add(file);
    const workspace = file.split('/', 2).join('/');
    const libraries = workspaces.get(workspace) ?? new Set();
    workspaces.set(workspace, libraries);
    if (!file.endsWith('.ts')) continue;
    for (const name of importsOf(readFileSync(join(root, file), 'utf8'))) {
      const own = /^@causeway\/([^/]+)\/(.*)$/.exec(name);
      if (own !== null) {
        libraries.add(`@causeway/${own[1]}`);
        open.push(`packages/${own[1]}/src/${own[2]}`);
      } else if (name.startsWith('.')) open.push(join(dirname(file), name));
      else if (!name.startsWith('node:')) libraries.add(libraryOf(name));
    }
  }
  return {
    files: [...files, ...PLAIN_FILES].sort(),
    workspaces,
    libraries: closureOf(root, workspaces),
  };
}

/** Whether a file of a library is needed at run time; `path` begins in the library. */
export function isRead(path: string): boolean {
  return !UNREAD.test(path);
}

function servedFiles(root: string): string[] {
  return readdirSync(join(root, PAGE))
    .filter((name) => !name.endsWith('.test.ts') && extname(name) !== '')
    .map((name) => `${PAGE}/${name}`);
}

/** Modules that the code loads when it runs; imports of types have no effect. */
function importsOf(code: string): string[] {
  const matches = stripTypeScriptTypes(code).matchAll(
    /^(?:import|export)\b[^'"]*?from\s+'([^']+)'|^import\s+'([^']+)'|\bimport(?:\.meta\.resolve)?\('([^']+)'\)/gm,
  );
  return [...matches].map((match) => match[1] ?? match[2] ?? match[3] ?? '');
}

/** `@scope/name/file.js` and `name/file.js` are in the libraries `@scope/name` and `name`. */
function libraryOf(name: string): string {
  return name.split('/', name.startsWith('@') ? 2 : 1).join('/');
}

/** The libraries and those that they need, by the lock file. */
function closureOf(root: string, workspaces: ReadonlyMap<string, ReadonlySet<string>>): string[] {
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, LockEntry>;
  };
  const found = new Set<string>();
  const visit = (from: string, name: string, isOptional: boolean): void => {
    const place = placesOf(from, name).find((candidate) => lock.packages[candidate] !== undefined);
    // An optional library is for other platforms if it is not installed.
    if (isOptional && (place === undefined || !existsSync(join(root, place)))) return;
    if (place === undefined) throw new Error(`${from} needs ${name}, which package-lock.json does not have`);
    if (found.has(place)) return;
    found.add(place);
    const { dependencies = {}, optionalDependencies = {} } = lock.packages[place] ?? {};
    for (const needed of Object.keys({ ...dependencies, ...optionalDependencies })) {
      visit(place, needed, needed in optionalDependencies);
    }
  };
  for (const [workspace, libraries] of workspaces) {
    for (const library of libraries) if (!library.startsWith('@causeway/')) visit(workspace, library, false);
  }
  return [...found].sort();
}

/** Where Node.js looks for a library that a package imports, the nearest place first. */
function placesOf(from: string, name: string): string[] {
  const steps = from.split('/');
  return steps
    .map((_, index) => steps.slice(0, steps.length - index))
    .filter((directory) => directory.at(-1) !== 'node_modules')
    .map((directory) => `${directory.join('/')}/node_modules/${name}`)
    .concat(`node_modules/${name}`);
}
