/** A load balancer for TCP that announces its clients with the header of a test (PROXY protocol). */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** How the header reaches the server: in one packet with the client's first bytes, alone, or byte by byte. */
export type HeaderPackets = 'together' | 'alone' | 'bytewise';

export interface Balancer {
  port: number;
  close(): void;
}

export async function startBalancer(
  serverPort: number,
  { header, packets = 'together' }: { header: Buffer | string; packets?: HeaderPackets },
): Promise<Balancer> {
  const sockets = new Set<Socket>();
  const keep = (socket: Socket): void => {
    sockets.add(socket);
    socket.setNoDelay().on('error', () => socket.destroy());
    socket.on('close', () => sockets.delete(socket));
  };
  const server = createServer({ allowHalfOpen: true }, (client) => {
    const upstream = connect({ port: serverPort, host: '127.0.0.1', allowHalfOpen: true });
    keep(client);
    keep(upstream);
    client.once('data', async (first: Buffer) => {
      client.pause();
      const bytes = Buffer.from(header);
      if (packets === 'together') upstream.write(Buffer.concat([bytes, first]));
      else {
        const step = packets === 'alone' ? bytes.length : 1;
        for (let at = 0; at < bytes.length; at += step) {
          await new Promise((resolve) => upstream.write(bytes.subarray(at, at + step), resolve));
          // Without it, the system would put several writes into one packet.
          await new Promise(setImmediate);
        }
        upstream.write(first);
      }
      client.pipe(upstream);
      upstream.pipe(client);
    });
    client.once('close', () => upstream.destroy());
    upstream.once('close', () => client.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    close: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
