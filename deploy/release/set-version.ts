/** `npm run version:set -- VERSION`: writes the one version into every package, the lock file, the chart, and texts that name it. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** Directories with texts that name the image, the tarball or the chart of this version. */
const TEXTS = ['deploy', 'docs'];
/** https://semver.org, of which only these forms are in use. */
const SEMANTIC = /^\d+\.\d+\.\d+(?:-rc\.\d+)?$/;

/** In names of images, tarballs and charts; and in fields of Kustomize and Helm. */
const NAMED =
  /(\bcauseway[:-]|\bimage\.tag=|^ *(?:newTag|appVersion): "?|^version: )\d+\.\d+\.\d+(?:-rc\.\d+)?(?=["\s-]|\.tar|\.sha|\.cdx|\/|$)/gm;

type Json = { [key: string]: Json | string };

function readJson(path: string): Json {
  return JSON.parse(readFileSync(path, 'utf8')) as Json;
}

function writeJson(path: string, value: Json): void {
  writeFileSync(path, `${JSON.stringify(value, null, 2)}\n`);
}

/** In a manifest, or a package's entry in the lock file. */
function setIn(manifest: Json, version: string): void {
  manifest['version'] = version;
  const dependencies = manifest['dependencies'];
  if (typeof dependencies !== 'object') return;
  for (const name of Object.keys(dependencies)) if (name.startsWith('@causeway/')) dependencies[name] = version;
}

const [version = ''] = process.argv.slice(2);
if (!SEMANTIC.test(version)) {
  process.stderr.write('Usage: npm run version:set -- VERSION, such as 0.5.0 or 0.5.0-rc.1\n');
  process.exit(2);
}
const places = ['', ...readdirSync(join(ROOT, 'packages')).map((name) => `packages/${name}`)];
const lock = readJson(join(ROOT, 'package-lock.json'));
lock['version'] = version;
for (const place of places) {
  const path = join(ROOT, place, 'package.json');
  const manifest = readJson(path);
  setIn(manifest, version);
  writeJson(path, manifest);
  setIn((lock['packages'] as Json)[place] as Json, version);
}
writeJson(join(ROOT, 'package-lock.json'), lock);
for (const directory of TEXTS) {
  for (const name of readdirSync(join(ROOT, directory), { recursive: true, encoding: 'utf8' })) {
    if (!/^\.(?:md|ya?ml)$/.test(extname(name))) continue;
    const path = join(ROOT, directory, name);
    const text = readFileSync(path, 'utf8');
    const next = text.replace(NAMED, (_, before: string) => `${before}${version}`);
    if (next !== text) writeFileSync(path, next);
  }
}
