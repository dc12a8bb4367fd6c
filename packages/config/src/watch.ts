/** Notices that files' content changed: written in place, replaced, or swapped through a symlink (a ConfigMap). */
import { createHash } from 'node:crypto';
import { statSync } from 'node:fs';
import { readRegularFile } from './file.ts';

/** How often files are looked at. Polling sees every way in which a file can change; inotify follows inodes. */
const POLL_INTERVAL_MS = 250;
/** After so many looks a file that is missing is gone (5 s), and not just being replaced. */
const GONE_AFTER_LOOKS = 20;

export interface FileWatch {
  close(): void;
}

/**
 * Calls `onChange` once for each new content, when the files have stood still for one interval (so that one which is
 * being written is not read by half, nor a certificate without its key). A file that is missing for a moment is not a
 * change; one that is gone for {@link GONE_AFTER_LOOKS} intervals is one, and another when it is back.
 */
export function watchFiles(
  files: readonly string[],
  onChange: () => void,
  intervalMs: number = POLL_INTERVAL_MS,
): FileWatch {
  let knownDigest = digest(files);
  let settledStamp = stamp(files);
  let lastStamp = settledStamp;
  let missingCount = 0;
  const timer = setInterval(() => {
    const current = stamp(files);
    const stoodStill = current === lastStamp;
    lastStamp = current;
    missingCount = current === undefined ? missingCount + 1 : 0;
    if (missingCount === GONE_AFTER_LOOKS) {
      knownDigest = undefined;
      settledStamp = undefined;
      onChange();
    }
    if (current === undefined || current === settledStamp || !stoodStill) return;
    settledStamp = current;
    const currentDigest = digest(files);
    if (currentDigest === undefined || currentDigest === knownDigest) return;
    knownDigest = currentDigest;
    onChange();
  }, intervalMs);
  timer.unref();
  return {
    close() {
      clearInterval(timer);
    },
  };
}

/** Changes whenever a file behind a path does, through symlinks too; `undefined` while one cannot be looked at. */
function stamp(files: readonly string[]): string | undefined {
  try {
    return files
      .map((file) => {
        const { dev, ino, size, mtimeNs, ctimeNs } = statSync(file, { bigint: true });
        return `${dev}:${ino}:${size}:${mtimeNs}:${ctimeNs}`;
      })
      .join(' ');
  } catch {
    return undefined;
  }
}

function digest(files: readonly string[]): string | undefined {
  try {
    return files.map((file) => createHash('sha256').update(readRegularFile(file)).digest('base64')).join(' ');
  } catch {
    return undefined;
  }
}
