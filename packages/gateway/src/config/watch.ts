/** Notices that a file's content changed: written in place, replaced, or swapped through a symlink (a ConfigMap). */
import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';

/** How often the file is looked at. Polling sees every way in which a file can change; inotify follows inodes. */
const POLL_INTERVAL_MS = 250;

export interface FileWatch {
  close(): void;
}

/**
 * Calls `onChange` once for each new content, when the file has stood still for one interval (so that a file which is
 * being written is not read by half). A file that is missing for a moment is not a change.
 */
export function watchFile(file: string, onChange: () => void, intervalMs: number = POLL_INTERVAL_MS): FileWatch {
  let knownDigest = digest(file);
  let settledStamp = stamp(file);
  let lastStamp = settledStamp;
  const timer = setInterval(() => {
    const current = stamp(file);
    const stoodStill = current === lastStamp;
    lastStamp = current;
    if (current === undefined || current === settledStamp || !stoodStill) return;
    settledStamp = current;
    const currentDigest = digest(file);
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

/** Changes whenever the file behind the path does, through symlinks too; `undefined` while it cannot be looked at. */
function stamp(file: string): string | undefined {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = statSync(file, { bigint: true });
    return `${dev}:${ino}:${size}:${mtimeNs}:${ctimeNs}`;
  } catch {
    return undefined;
  }
}

function digest(file: string): string | undefined {
  try {
    return createHash('sha256').update(readFileSync(file)).digest('base64');
  } catch {
    return undefined;
  }
}
