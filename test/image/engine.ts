/** Builds and runs images without a daemon: Debian's buildah, podman and runc, with a storage of their own. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';

/** vfs, which copies the image for each container, works where overlay does not. */
const DRIVER = process.env['STORAGE_DRIVER'] || 'overlay';
/** crun needs systemd, and runc limits that are below those of the machine. */
const RUN = [
  '--runtime',
  'runc',
  'run',
  '--rm',
  '--network=host',
  '--ulimit',
  'nofile=4096:4096',
  '--ulimit',
  'nproc=4096:4096',
  '--read-only',
  '--read-only-tmpfs=false',
  '--cap-drop=all',
  '--security-opt=no-new-privileges',
  // Its timer would need systemd; the test asks by itself.
  '--no-healthcheck',
] as const;

export interface RunOptions {
  /** Options of `podman run`. */
  options?: readonly string[];
  /** A directory that the container sees, read-only, under the same path. */
  directory?: string | undefined;
}

export class Engine {
  readonly #storage: string[];
  readonly #directory: string;

  /** Keeps everything in `directory`, which `close` removes. */
  constructor(directory: string) {
    this.#directory = directory;
    mkdirSync(directory, { recursive: true });
    this.#storage = [
      '--root',
      join(directory, 'storage'),
      '--runroot',
      join(directory, 'run'),
      '--storage-driver',
      DRIVER,
    ];
  }

  /** Makes an image of the tarball of a root file system. */
  import(tarball: string, image: string): void {
    this.podman('import', '--quiet', tarball, image);
  }

  /** The base images must have been imported. */
  build(context: string, image: string, args: Readonly<Record<string, string>>): void {
    const values = Object.entries(args).flatMap(([name, value]) => ['--build-arg', `${name}=${value}`]);
    // The form of Docker has health checks.
    const form = ['--format', 'docker', '--isolation', 'chroot', '--network', 'host', '--pull-never'];
    this.#run('buildah', ['bud', ...form, ...values, '--tag', image, context]);
  }

  podman(...args: string[]): string {
    return this.#run('podman', args);
  }

  /** As operators should run it: without rights, and with nothing that it could write. */
  start(image: string, args: readonly string[], { options = [], directory }: RunOptions = {}): ChildProcess {
    const volumes = directory === undefined || directory === '/' ? [] : ['--volume', `${directory}:${directory}:ro`];
    return spawn('podman', [...this.#storage, ...RUN, ...volumes, ...options, image, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  }

  close(): void {
    this.podman('rm', '--all', '--force');
    this.podman('rmi', '--all', '--force');
    // Never what a container that was left behind has mounted below it.
    spawnSync('rm', ['-r', '--one-file-system', this.#directory]);
  }

  #run(command: string, args: readonly string[]): string {
    const { status, stdout, stderr, error } = spawnSync(command, [...this.#storage, ...args], {
      encoding: 'utf8',
      maxBuffer: 64 * 1024 * 1024,
    });
    if (status === 0) return stdout.trim();
    throw new Error(`${command} ${args[0]} failed: ${error?.message ?? ''}${stderr}${stdout}`, { cause: error });
  }
}
