/** The programs of a Kubernetes control plane: built from Go modules, once, into the user's cache. */
import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { cacheDirectory } from '@causeway/lab/stack/cache-directory.ts';

const run = promisify(execFile);

const MODULE_FILE = fileURLToPath(new URL('go.mod', import.meta.url));
const KUBERNETES_VERSION = '1.36.3';
/** Plays the kubelets of nodes that do not exist. */
const KWOK = 'sigs.k8s.io/kwok@v0.8.0';
/** How kwok moves nodes and pods through their lives, without pauses. */
const STAGE_DIRECTORIES = ['node/fast', 'node/heartbeat-with-lease', 'pod/fast'];
/** Kinds that the chart and the demonstration may use: modules, and where their CustomResourceDefinitions are. */
const CUSTOM_RESOURCES: readonly [module: string, directory: string][] = [
  ['github.com/cert-manager/cert-manager@v1.21.2', 'deploy/crds'],
  ['github.com/prometheus-operator/prometheus-operator@v0.85.0', 'example/prometheus-operator-crd'],
  ['sigs.k8s.io/gateway-api@v1.6.3', 'config/crd/standard'],
];

/** With about how many packages each is built: for the progress only. */
const PACKAGES = {
  etcd: { path: 'go.etcd.io/etcd/server/v3', count: 640 },
  'kube-apiserver': { path: 'k8s.io/kubernetes/cmd/kube-apiserver', count: 1330 },
  'kube-controller-manager': { path: 'k8s.io/kubernetes/cmd/kube-controller-manager', count: 1330 },
  'kube-scheduler': { path: 'k8s.io/kubernetes/cmd/kube-scheduler', count: 1030 },
} as const;

type Program = keyof typeof PACKAGES | 'kwok';
const PROGRAMS: readonly Program[] = ['etcd', 'kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'kwok'];

/** Lines of Go's output that the error for a failed build shows. */
const TAIL_LINES = 20;
/** Two cores of a usual machine need about half an hour for all. */
const BUILD_TIMEOUT_MS = 2 * 60 * 60_000;
const REPORT_EVERY_MS = 15_000;

/** The files of a control plane, by their paths. */
export interface ControlPlanePrograms {
  programs: Record<Program, string>;
  /** For kwok's `--config`. */
  stagesFile: string;
  /** CustomResourceDefinitions, each a file. */
  customResourceFiles: string[];
}

/** `undefined` if they are not built yet. */
export function findControlPlane(): ControlPlanePrograms | undefined {
  const directory = buildDirectory();
  const programs = Object.fromEntries(PROGRAMS.map((name) => [name, join(directory, name)])) as Record<Program, string>;
  const stagesFile = join(directory, 'stages.yaml');
  const customResources = join(directory, 'custom-resources');
  const files = [...Object.values(programs), stagesFile, customResources];
  if (files.some((file) => !existsSync(file))) return undefined;
  const customResourceFiles = readdirSync(customResources).map((file) => join(customResources, file));
  return { programs, stagesFile, customResourceFiles };
}

/** Another version of anything is another directory. */
function buildDirectory(): string {
  const content = [readFileSync(MODULE_FILE, 'utf8'), KWOK, STAGE_DIRECTORIES, CUSTOM_RESOURCES];
  const digest = createHash('sha256').update(JSON.stringify(content)).digest('hex').slice(0, 12);
  return join(cacheDirectory(), `control-plane-${digest}`);
}

/**
 * Builds what is missing; what an earlier build has finished stays. `onProgress` gets lines for people.
 * Errors: without Go, with what to install; when Go fails, with its last lines; after two hours, and when `signal` ends it.
 */
export async function buildControlPlane(
  onProgress: (line: string) => void,
  signal: AbortSignal,
): Promise<ControlPlanePrograms> {
  const built = findControlPlane();
  if (built !== undefined) return built;
  if (spawnSync('go', ['version'], { stdio: 'ignore' }).status !== 0) {
    throw new Error(
      'The control plane is built by Go 1.21 or newer, which fetches the version that it needs: install it.',
    );
  }
  const directory = buildDirectory();
  mkdirSync(directory, { recursive: true });
  const part = mkdtempSync(join(directory, 'part-'));
  const end = AbortSignal.any([signal, AbortSignal.timeout(BUILD_TIMEOUT_MS)]);
  onProgress('building a Kubernetes control plane: once, on two cores in about 30 minutes');
  try {
    copyFileSync(MODULE_FILE, join(part, 'go.mod'));
    for (const name of PROGRAMS) {
      if (existsSync(join(directory, name))) continue;
      await buildProgram(name, { part, onProgress, end });
      renameSync(join(part, name), join(directory, name));
    }
    await gatherFiles(directory, part);
  } finally {
    rmSync(part, { recursive: true, force: true });
  }
  const found = findControlPlane();
  if (found === undefined) throw new Error(`${directory} lacks a part of the control plane`);
  return found;
}

interface Build {
  /** A directory of this build. */
  part: string;
  onProgress: (line: string) => void;
  end: AbortSignal;
}

async function buildProgram(name: Program, { part, onProgress, end }: Build): Promise<void> {
  const startedAtMs = performance.now();
  const child = spawn('go', goArguments(name), {
    cwd: part,
    env: { ...process.env, CGO_ENABLED: '0', GOBIN: part, GOFLAGS: '-buildvcs=false', GOWORK: 'off' },
    stdio: ['ignore', 'ignore', 'pipe'],
    signal: end,
    killSignal: 'SIGKILL',
  });
  const { tail, packageCount } = follow(child);
  const total = name === 'kwok' ? '' : ` of about ${PACKAGES[name].count}`;
  const report = (): void => onProgress(`building ${name}: ${packageCount()} packages${total}`);
  const reporting = setInterval(report, REPORT_EVERY_MS);
  try {
    const [exitCode] = (await once(child, 'close')) as [number | null];
    if (exitCode !== 0) throw new Error(`go could not build ${name} (exit code ${exitCode}):\n${tail.join('\n')}`);
  } finally {
    clearInterval(reporting);
  }
  onProgress(`built ${name} in ${Math.round((performance.now() - startedAtMs) / 1000)} s`);
}

function goArguments(name: Program): string[] {
  if (name === 'kwok') return ['install', '-v', KWOK.replace('@', '/cmd/kwok@')];
  const [major, minor] = KUBERNETES_VERSION.split('.');
  // A build outside of Kubernetes' own repository would call itself v0.0.0, which charts refuse.
  const version = Object.entries({ gitVersion: `v${KUBERNETES_VERSION}`, gitMajor: major, gitMinor: minor });
  const stamps = version.map(([key, value]) => `-X k8s.io/component-base/version.${key}=${value}`);
  return ['build', '-v', '-mod=mod', '-ldflags', ['-s', '-w', ...stamps].join(' '), '-o', name, PACKAGES[name].path];
}

/** With `-v`, Go prints the name of each package that it builds. */
function follow(child: ChildProcess): { tail: string[]; packageCount: () => number } {
  const tail: string[] = [];
  let count = 0;
  if (child.stderr === null) return { tail, packageCount: () => count };
  createInterface({ input: child.stderr }).on('line', (line) => {
    count += 1;
    tail.push(line);
    if (tail.length > TAIL_LINES) tail.shift();
  });
  return { tail, packageCount: () => count };
}

async function gatherFiles(directory: string, part: string): Promise<void> {
  const stages = join(await sourceOf(KWOK, part), 'kustomize/stage');
  const files = STAGE_DIRECTORIES.flatMap((name) => yamlFilesIn(join(stages, name)));
  writeFileSync(join(directory, 'stages.yaml'), files.map((file) => readFileSync(file, 'utf8')).join('---\n'));
  const customResources = join(part, 'custom-resources');
  mkdirSync(customResources);
  for (const [module, place] of CUSTOM_RESOURCES) {
    for (const file of yamlFilesIn(join(await sourceOf(module, part), place))) {
      writeFileSync(join(customResources, file.slice(file.lastIndexOf('/') + 1)), readFileSync(file));
    }
  }
  const target = join(directory, 'custom-resources');
  if (!existsSync(target)) renameSync(customResources, target);
}

function yamlFilesIn(directory: string): string[] {
  const names = readdirSync(directory).filter((name) => name.endsWith('.yaml') && name !== 'kustomization.yaml');
  return names.sort().map((name) => join(directory, name));
}

/** Go's copy of a module. */
async function sourceOf(module: string, part: string): Promise<string> {
  const { stdout } = await run('go', ['mod', 'download', '-json', module], { cwd: part });
  return (JSON.parse(stdout) as { Dir: string }).Dir;
}
