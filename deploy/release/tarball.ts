/** A tarball of a directory, the same bytes for the same files: sorted, with one time and one owner. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { basename, dirname } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { constants, createGzip } from 'node:zlib';

export interface TarballOptions {
  directory: string;
  /** `.tar.gz`. */
  file: string;
  /** Seconds since 1970: the time of each file. */
  time: number;
}

/** Needs GNU tar. Errors: `Error` with its reason. */
export async function writeTarball({ directory, file, time }: TarballOptions): Promise<void> {
  const order = ['--sort=name', `--mtime=@${time}`, '--owner=0', '--group=0', '--numeric-owner', '--format=gnu'];
  const tar = spawn('tar', [...order, '-C', dirname(directory), '-cf', '-', basename(directory)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(tar, 'close');
  // Its header has no name and no time.
  await pipeline(tar.stdout, createGzip({ level: constants.Z_BEST_COMPRESSION }), createWriteStream(file));
  const [code] = await ended;
  if (code !== 0) throw new Error(`tar ended with ${code}`);
}
