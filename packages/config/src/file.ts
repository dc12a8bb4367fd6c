/** Reads files that a configuration names: regular files of limited size, so that no file can block the process. */
import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';

/** Far beyond certificates of a hundred authorities, or the YAML of a thousand regions. */
const MAX_BYTES = 4_194_304;

/**
 * The content of a regular file of at most 4 MiB. A FIFO, a device or a socket is not opened for reading: it may never end.
 * Errors: `Error` with the file and the reason.
 */
export function readRegularFile(file: string): Buffer {
  try {
    // Without waiting for the other end of a FIFO.
    const descriptor = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const stats = fstatSync(descriptor);
      if (stats.isDirectory()) throw new UnusableFileError('it is a directory');
      if (!stats.isFile()) throw new UnusableFileError('it is not a regular file');
      if (stats.size > MAX_BYTES) throw new UnusableFileError(`it is larger than ${MAX_BYTES} bytes`);
      return readFileSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
  } catch (cause) {
    throw new Error(`${file} cannot be read: ${reasonOf(cause)}`, { cause });
  }
}

class UnusableFileError extends Error {}

function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  switch (code) {
    case undefined:
      return message;
    case 'ENOENT':
      return 'there is no such file';
    case 'EACCES':
      return 'permission denied';
    case 'ENXIO':
      return 'it is not a regular file';
    default:
      return code;
  }
}
