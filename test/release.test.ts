/**
 * What the image and the tarball contain, made from what the Dockerfile copies, and run from there as they run it. `npm run image`
 * builds and runs both for real.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  cpSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  utimesSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { assemble } from '../deploy/release/assemble.ts';
import type { Sbom } from '../deploy/release/sbom.ts';
import { writeTarball } from '../deploy/release/tarball.ts';
import { copyContext } from './harness/dockerfile.ts';
import { findHadolint } from './harness/hadolint.ts';
import { KafkaView } from './harness/kafka-view.ts';
import {
  checkReleasedSystem,
  runReleased,
  type StartReleased,
  startReleasedSystem,
  stopReleasedSystem,
} from './harness/released-system.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const COMMIT = '0123456789ab';
/** Thousands of files, on a machine that is busy with others. */
const COPY_TIMEOUT_MS = 900_000;
const { version } = JSON.parse(readFileSync(`${ROOT}package.json`, 'utf8')) as { version: string };
const hadolint = findHadolint();

let scratch: string;
/** As the image has it. */
let release: string;

beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), 'causeway-release-'));
  // Other users run the programs there.
  chmodSync(scratch, 0o755);
  const source = join(scratch, 'source');
  copyContext(source);
  symlinkSync(join(ROOT, 'node_modules'), join(source, 'node_modules'));
  release = join(scratch, 'causeway');
  const args = ['--disable-warning=ExperimentalWarning', 'deploy/release/assemble.ts', '--commit', COMMIT, release];
  const { status, stderr } = spawnSync(process.execPath, args, { cwd: source, encoding: 'utf8' });
  expect([status, stderr]).toEqual([0, '']);
}, COPY_TIMEOUT_MS);

afterAll(() => rmSync(scratch, { recursive: true }));

/** Nothing of the environment, and, where the test may choose it, a user that can write nowhere: an arbitrary one in the group root. */
const start: StartReleased = (args, directory): ChildProcess =>
  spawn(join(release, 'bin/causeway'), args, {
    cwd: directory,
    env: {},
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(process.getuid?.() === 0 ? { uid: 1_000_650_000, gid: 0 } : {}),
  });

function filesOf(directory: string): string[] {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' }).sort();
}

test('no tests, no compiler, no npm, and of the lab only the traffic, without its clients of Kafka', () => {
  const files = filesOf(release);
  const unwanted = [
    /\.test\.ts$/,
    /\.d\.[cm]?ts$|\.map$/,
    /^node_modules\/(?:npm|typescript|vitest|kafkajs|@peculiar|reflect-metadata|@biomejs|undici-types)\b/,
    /^packages\/lab\/src\/(?!traffic\b|secure(?:\/client-tls\.ts)?$|errors\.ts$)/,
    /^packages\/page\/tsconfig\.json$/,
  ];
  expect(files.filter((file) => unwanted.some((pattern) => pattern.test(file)))).toEqual([]);
  expect(files).toEqual(
    expect.arrayContaining(['bin/node', 'packages/page/src/main.ts', 'node_modules/@causeway/http']),
  );
});

test('other users may read everything and write nothing', () => {
  const modes = filesOf(release)
    .map((file) => lstatSync(join(release, file)))
    .filter((stats) => !stats.isSymbolicLink())
    .map((stats) => (stats.isDirectory() ? 'directory ' : 'file ') + (stats.mode & 0o777).toString(8));
  expect([...new Set(modes)].sort()).toEqual(['directory 755', 'file 644', 'file 755']);
});

test('causeway --version says which version and commit it is, and on which Node.js it runs', async () => {
  const line = `causeway ${version} (commit ${COMMIT}, Node.js ${process.versions.node})\n`;
  expect(await runReleased(start, '--version')).toEqual({ code: 0, output: line });
});

test('without a program, causeway lists them', async () => {
  const help = await runReleased(start, '--help');
  expect(help).toEqual({ code: 0, output: expect.stringContaining('causeway traffic produce|consume') });
  expect(await runReleased(start, 'bridges')).toEqual({ code: 2, output: help.output });
  expect(await runReleased(start)).toEqual({ code: 2, output: help.output });
});

test('gateway, bridge and traffic start for any user without an environment, serve, and stop', async () => {
  const kafka = await KafkaView.connect(inject('kafkaBootstrap'));
  try {
    const topic = await kafka.topic(2);
    const system = await startReleasedSystem(start, inject('kafkaBootstrap'));
    await checkReleasedSystem(start, system, topic);
    await stopReleasedSystem(system);
  } finally {
    await kafka.close();
  }
});

test('a symbolic link to causeway starts it', () => {
  const link = join(scratch, 'linked');
  symlinkSync(join(release, 'bin/causeway'), link);
  const { status, stdout } = spawnSync(link, ['--version'], { encoding: 'utf8' });
  expect([status, stdout]).toEqual([0, expect.stringContaining(COMMIT)]);
});

interface LockEntry {
  version: string;
  integrity: string;
  dev?: boolean;
}

test('the bill of materials has what is there, with the hashes of the lock file, and nothing for development', () => {
  const sbom = JSON.parse(readFileSync(join(release, 'sbom.cdx.json'), 'utf8')) as Sbom;
  const { packages } = JSON.parse(readFileSync(`${ROOT}package-lock.json`, 'utf8')) as {
    packages: Record<string, LockEntry>;
  };
  const manifests = filesOf(join(release, 'node_modules')).flatMap(
    (file) => /^(?!@causeway)((?:.*\/node_modules\/)?(?:@[^/]+\/)?[^/@]+)\/package\.json$/.exec(file)?.[1] ?? [],
  );
  const libraries = manifests.map((place) => {
    const { version: locked, integrity, dev } = packages[`node_modules/${place}`] ?? expect.fail(place);
    expect([place, dev]).toEqual([place, undefined]);
    const name = place.slice(place.lastIndexOf('node_modules/') + 1).replace('ode_modules/', '');
    const hash = Buffer.from(integrity.replace('sha512-', ''), 'base64').toString('hex');
    return { purl: `pkg:npm/${name.replace('@', '%40')}@${locked}`, hashes: [{ alg: 'SHA-512', content: hash }] };
  });
  const own = readdirSync(join(release, 'packages')).map((name) => ({
    purl: `pkg:npm/%40causeway/${name}@${version}`,
  }));
  const node = { purl: `pkg:github/nodejs/node@v${process.versions.node}` };
  const byPurl = (a: { purl: string }, b: { purl: string }): number => a.purl.localeCompare(b.purl);
  const listed = sbom.components.map(({ purl, hashes }) => (hashes === undefined ? { purl } : { purl, hashes }));
  const unique = [...new Map([...libraries, ...own, node].map((entry) => [entry.purl, entry])).values()];
  expect(listed.sort(byPurl)).toEqual(unique.sort(byPurl));
  expect(sbom.components.filter(({ licenses = [] }) => licenses.length === 0).map(({ purl }) => purl)).toEqual([]);
});

/** Node.js is a copy of one file, and named in the bill of materials; `npm run image` compares them, too. */
const OF_RUNTIME = new Set(['bin/node', 'bin/LICENSE-node', 'sbom.cdx.json']);

/** Everything else of a directory that a tarball has. */
function digestOf(directory: string): string {
  const hash = createHash('sha256');
  for (const file of filesOf(directory).filter((name) => !OF_RUNTIME.has(name))) {
    const path = join(directory, file);
    const stats = lstatSync(path);
    hash.update(`${file} ${stats.mode}\n`);
    if (stats.isSymbolicLink()) hash.update(readlinkSync(path));
    else if (stats.isFile()) hash.update(readFileSync(path));
  }
  return hash.digest('hex');
}

test('a second build has the same bytes, whatever the umask and the times of files', {
  timeout: COPY_TIMEOUT_MS,
}, async () => {
  const again = join(scratch, 'again');
  const before = process.umask(0o077);
  try {
    assemble({ directory: again, commit: COMMIT, runtime: undefined });
  } finally {
    process.umask(before);
  }
  expect(digestOf(again)).toBe(digestOf(release));
  const files = ['one', 'two'].map((name) => {
    const directory = join(scratch, name, 'packages');
    cpSync(join(release, 'packages/status'), directory, { recursive: true });
    utimesSync(join(directory, 'package.json'), 1, name.length === 3 ? name.charCodeAt(0) : 1);
    return { directory, file: join(scratch, `${name}.tar.gz`), time: 1_000_000_000 };
  });
  for (const options of files) await writeTarball(options);
  const [one, two] = files.map(({ file }) => readFileSync(file));
  expect(one?.equals(two ?? Buffer.alloc(0))).toBe(true);
});

test.runIf(hadolint !== undefined)('hadolint finds nothing in the Dockerfile', () => {
  const { status, stdout } = spawnSync(hadolint ?? '', [`${ROOT}Dockerfile`], { encoding: 'utf8' });
  expect([status, stdout]).toEqual([0, '']);
});

test('the Dockerfile runs the program itself as a user without rights, and says who it is', () => {
  const text = readFileSync(`${ROOT}Dockerfile`, 'utf8');
  const last = text.slice(text.lastIndexOf('\nFROM '));
  for (const line of ['ENTRYPOINT ["causeway"]', 'USER 1000:1000', 'STOPSIGNAL SIGTERM', 'EXPOSE 8080 8081']) {
    expect(last).toContain(`\n${line}\n`);
  }
  expect(last).toMatch(/^HEALTHCHECK .*CMD \["causeway", "healthy"\]$/m);
  for (const label of ['title', 'version', 'revision', 'licenses'])
    expect(last).toContain(`org.opencontainers.image.${label}=`);
});
