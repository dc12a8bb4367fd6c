/** Which requests access log and traces are about. */

/** By the operation's name: machines ask for these all the time. */
const NOT_FOLLOWED: ReadonlySet<string> = new Set(['healthy', 'ready', 'metrics']);

export function isFollowed(operation: string): boolean {
  return !NOT_FOLLOWED.has(operation);
}
