/** `npm run version:set -- VERSION`: writes the one version into every package, the lock file and the chart. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const CHART = join(ROOT, 'deploy/helm/causeway/Chart.yaml');
/** https://semver.org, without build metadata, which tags of images cannot have. */
const SEMANTIC = /^\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?$/;

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
if (existsSync(CHART)) {
  const text = readFileSync(CHART, 'utf8');
  const both = text.replace(/^version: .*$/m, `version: ${version}`);
  writeFileSync(CHART, both.replace(/^appVersion: .*$/m, `appVersion: "${version}"`));
}
