/** How many connections a listener accepts when the configuration does not say it: never so many that the gateway has no file left. */
import { readFileSync } from 'node:fs';

/** A connection takes some 20 KiB, with TLS 60 KiB. */
const MAX_CONNECTIONS = 50_000;

/** Half of the files are for clients, the other half for targets, operators and logs. `openFiles`: the limit, if it is known. */
export function defaultMaxConnections(openFiles: number | undefined, listenerCount: number): number {
  const forClients = openFiles === undefined ? MAX_CONNECTIONS : Math.floor(openFiles / 2 / listenerCount);
  return Math.max(1, Math.min(MAX_CONNECTIONS, forClients));
}

/** The files that this process may have open, connections among them. `undefined` where the system does not say it as Linux does. */
export function openFileLimit(file = '/proc/self/limits'): number | undefined {
  try {
    const soft = /^Max open files\s+(\d+)/m.exec(readFileSync(file, 'utf8'))?.[1];
    return soft === undefined ? undefined : Number(soft);
  } catch {
    return undefined;
  }
}
