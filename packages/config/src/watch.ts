/** Detects changes of files: written in place, replaced, or swapped through a symlink (a ConfigMap). */
import { createHash } from 'node:crypto';
import { statSync } from 'node:fs';
import { readRegularFile } from './file.ts';

/** How often files are checked. Polling detects every kind of change; inotify follows inodes. */
const POLL_INTERVAL_MS = 250;
/** After this many checks (5 s) a missing file is gone, and not just being replaced. */
const GONE_AFTER_LOOKS = 20;

export interface FileWatch {
  close(): void;
}

/**
 * Calls `onChange` once for each new content, after one interval without a change, so that no half-written file is read, and
 * no certificate without its key. A file that is missing for a moment has not changed; one that is missing for
 * {@link GONE_AFTER_LOOKS} intervals has, and again when it returns.
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

/** Changes whenever a file behind a path does, also through symlinks; `undefined` while a file cannot be read. */
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
