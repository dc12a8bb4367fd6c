/** Finds out at each look whether a client reads, of a connection or of a stream of one. Pure but for the progress that it is given. */

/** A process that stalled itself does not blame its clients for longer than this. */
export const MAX_STEP_MS = 2_000;

/** What a connection, or a stream of one, keeps to find out whether its client reads. */
export interface ReadingProgress {
  /** Of the written bytes, those that the client or the system had taken at the last look; {@link NOTHING_WAITS}. */
  seenTakenBytes: number;
  /** How long the client has read nothing while bytes waited for it. */
  unreadMs: number;
}

export const NOTHING_WAITS = -1;

/**
 * Whether the client has read nothing for `timeoutMs`. `takenBytes`: those taken by now, or {@link NOTHING_WAITS}. `stepMs` have
 * passed since the last look.
 */
export function isUnread(
  progress: ReadingProgress,
  takenBytes: number,
  { stepMs, timeoutMs }: { stepMs: number; timeoutMs: number },
): boolean {
  if (takenBytes === NOTHING_WAITS || takenBytes !== progress.seenTakenBytes) {
    progress.seenTakenBytes = takenBytes;
    progress.unreadMs = 0;
    return false;
  }
  progress.unreadMs += stepMs;
  return progress.unreadMs >= timeoutMs;
}
