/** Which ports the lab's processes listen on. */
import { once } from 'node:events';
import { createServer } from 'node:net';

/**
 * Ports for tests come from below the range that the system hands to outgoing connections (32768 and up on Linux), so
 * that a process that was killed finds its port free when it comes back.
 */
const TEST_PORT_RANGE = { first: 20_000, last: 31_999 } as const;

/** Whether nothing listens on `port` of `host` (default loopback). */
export async function isPortFree(port: number, host = '127.0.0.1'): Promise<boolean> {
  const server = createServer();
  try {
    server.listen(port, host);
    await once(server, 'listening');
    return true;
  } catch {
    return false;
  } finally {
    server.close();
  }
}

/** `count` different ports of loopback on which nothing listens now. */
export async function findFreePorts(count: number, random: () => number = Math.random): Promise<number[]> {
  const ports = new Set<number>();
  const width = TEST_PORT_RANGE.last - TEST_PORT_RANGE.first + 1;
  while (ports.size < count) {
    const port = TEST_PORT_RANGE.first + Math.floor(random() * width);
    if (!ports.has(port) && (await isPortFree(port))) ports.add(port);
  }
  return [...ports];
}
