/** ConfigMaps as directories of files, swapped as the kubelet swaps them: a new directory, and one rename of the link `..data`. */
import { mkdirSync, readlinkSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ConfigMap } from './objects.ts';

export class ConfigVolumes {
  readonly #directory: string;
  #swapCount = 0;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Where the files of a ConfigMap are; every pod that mounts it reads them there. */
  pathOf(name: string): string {
    return join(this.#directory, name);
  }

  write({ metadata: { name }, data }: ConfigMap): void {
    const path = this.pathOf(name);
    this.#swapCount += 1;
    const version = `..version-${this.#swapCount}`;
    mkdirSync(join(path, version), { recursive: true });
    for (const [file, text] of Object.entries(data)) {
      writeFileSync(join(path, version, file), text);
      linkOnce(join('..data', file), join(path, file));
    }
    const before = versionIn(path);
    symlinkSync(version, join(path, '..data_tmp'));
    renameSync(join(path, '..data_tmp'), join(path, '..data'));
    if (before !== undefined) rmSync(join(path, before), { recursive: true });
  }
}

function versionIn(path: string): string | undefined {
  try {
    return readlinkSync(join(path, '..data'));
  } catch {
    return undefined;
  }
}

function linkOnce(target: string, path: string): void {
  try {
    symlinkSync(target, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}
