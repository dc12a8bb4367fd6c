/** The bill of materials of an assembled directory, as npm writes it (CycloneDX 1.5), with hashes and the Node.js that runs the programs. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

interface Component {
  'bom-ref': string;
  type: string;
  name: string;
  version: string;
  purl: string;
  hashes?: { alg: string; content: string }[];
  licenses?: object[];
}

export interface Sbom {
  serialNumber?: string;
  metadata: { timestamp?: string; component: Component };
  components: Component[];
  dependencies: { ref: string; dependsOn: string[] }[];
}

interface LockEntry {
  version?: string;
  integrity?: string;
}

/** The same text for the same directory. `hasRuntime`: Node.js is in it. Errors: `Error` with npm's reason. */
export function makeSbom(directory: string, { hasRuntime }: { hasRuntime: boolean }): Sbom {
  const { status, stdout, stderr, error } = spawnSync('npm', ['sbom', '--sbom-format', 'cyclonedx', '--omit', 'dev'], {
    cwd: directory,
    encoding: 'utf8',
    // npm runs it in the root of the repository, which is another one.
    env: { ...process.env, npm_config_local_prefix: directory },
    maxBuffer: 64 * 1024 * 1024,
  });
  if (status !== 0) throw new Error(`npm sbom failed: ${error?.message ?? stderr}`, { cause: error });
  const sbom = JSON.parse(stdout) as Sbom;
  // Both would differ each time.
  delete sbom.serialNumber;
  delete sbom.metadata.timestamp;
  // npm takes the name of the directory.
  sbom.metadata.component.name = 'causeway';
  const integrities = readIntegrities();
  for (const component of sbom.components) {
    const integrity = integrities.get(component['bom-ref']);
    if (integrity !== undefined) component.hashes = [{ alg: 'SHA-512', content: integrity }];
  }
  if (hasRuntime) {
    const { node } = process.versions;
    const ref = `node@${node}`;
    sbom.components.push({
      'bom-ref': ref,
      type: 'platform',
      name: 'node',
      version: node,
      purl: `pkg:github/nodejs/node@v${node}`,
      licenses: [{ license: { id: 'MIT' } }],
    });
    sbom.dependencies.find((entry) => entry.ref === sbom.metadata.component['bom-ref'])?.dependsOn.push(ref);
  }
  return sbom;
}

/** SHA-512 in hexadecimal digits, by `name@version`. */
function readIntegrities(): Map<string, string> {
  const lock = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, LockEntry>;
  };
  return new Map(
    Object.entries(lock.packages).flatMap(([place, { version, integrity }]) => {
      const name = /(?:^|\/)node_modules\/((?:@[^/]+\/)?[^/]+)$/.exec(place)?.[1];
      const digest = /^sha512-(.*)$/.exec(integrity ?? '')?.[1];
      if (name === undefined || digest === undefined) return [];
      return [[`${name}@${version}`, Buffer.from(digest, 'base64').toString('hex')] as const];
    }),
  );
}
