/** The lab's cache outside the repository: Kafka's jars, and Node's compiled code. */
import { homedir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';

/** `causeway` in the user's cache (XDG Base Directory Specification). */
export function cacheDirectory(): string {
  return join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'causeway');
}
