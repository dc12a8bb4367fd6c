/**
 * A directory as Kubernetes mounts a ConfigMap or a Secret: each file is a symbolic link into `..data`, which is one to a directory
 * with a time in its name. An update writes a new directory and renames a new `..data` over the old one, so that all files change
 * at once (kubelet, pkg/volume/util/atomic_writer.go).
 */
import { mkdtempSync, readdirSync, readlinkSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

const DATA = '..data';

export class MountedDirectory {
  readonly path: string;

  /** Removed when the test has finished. */
  constructor(files: Readonly<Record<string, string>>) {
    this.path = mkdtempSync(join(tmpdir(), 'causeway-mounted-'));
    onTestFinished(() => rmSync(this.path, { recursive: true, force: true }));
    this.swap(files);
  }

  file(name: string): string {
    return join(this.path, name);
  }

  /** Replaces all files. */
  swap(files: Readonly<Record<string, string>>): void {
    const data = this.file(DATA);
    const before = readdirSync(this.path).includes(DATA) ? readlinkSync(data) : undefined;
    const next = mkdtempSync(this.file('..2026_11_27_'));
    for (const [name, content] of Object.entries(files)) writeFileSync(join(next, name), content);
    symlinkSync(next.slice(this.path.length + 1), `${data}_tmp`);
    renameSync(`${data}_tmp`, data);
    for (const name of Object.keys(files)) {
      if (!readdirSync(this.path).includes(name)) symlinkSync(join(DATA, name), this.file(name));
    }
    if (before !== undefined) rmSync(this.file(before), { recursive: true });
  }
}
