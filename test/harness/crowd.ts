/** Many clients that connect at once. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

export interface Crowd {
  /** Clients whose connection the server's kernel accepted in time. */
  connectedCount: number;
  close(): void;
}

/** Resolves when all clients are connected, or after `timeoutMs`. */
export async function connectAtOnce(url: string, count: number, timeoutMs: number): Promise<Crowd> {
  const { hostname: host, port } = new URL(url);
  const sockets: Socket[] = Array.from({ length: count }, () => connect({ host, port: Number(port) }));
  let connectedCount = 0;
  const signal = AbortSignal.timeout(timeoutMs);
  await Promise.all(
    sockets.map(async (socket) => {
      socket.on('error', () => {});
      await once(socket, 'connect', { signal }).then(
        () => (connectedCount += 1),
        () => {},
      );
    }),
  );
  return {
    connectedCount,
    close: () => {
      for (const socket of sockets) socket.destroy();
    },
  };
}
