/** A TCP relay between a gateway and its target that keeps what the gateway sends. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { parseRequests, type WireMessage } from './wire.ts';

export class Tap {
  readonly port: number;
  readonly #close: () => void;
  /** What each connection has sent. */
  readonly #sent: { text: string; isOpen: boolean }[];

  private constructor(port: number, sent: { text: string; isOpen: boolean }[], close: () => void) {
    this.port = port;
    this.#sent = sent;
    this.#close = close;
  }

  static async start(targetPort: number): Promise<Tap> {
    const sent: { text: string; isOpen: boolean }[] = [];
    const sockets = new Set<Socket>();
    const server = createServer({ noDelay: true }, (client) => {
      const target = connect({ port: targetPort, host: '127.0.0.1', noDelay: true });
      const record = { text: '', isOpen: true };
      sent.push(record);
      for (const [socket, other] of [
        [client, target],
        [target, client],
      ] as const) {
        sockets.add(socket);
        socket.on('error', () => {});
        socket.on('close', () => {
          sockets.delete(socket);
          other.destroy();
          record.isOpen = false;
        });
      }
      client.on('data', (chunk: Buffer) => {
        record.text += chunk.toString('latin1');
      });
      client.pipe(target).pipe(client);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new Tap((server.address() as AddressInfo).port, sent, () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    });
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** The requests so far, probes left out, and what is not canonical in them. */
  read(): { requests: WireMessage[]; faults: string[] } {
    const wires = this.#sent.map(({ text }) => parseRequests(text));
    return {
      requests: wires
        .flatMap(({ messages }) => messages)
        .filter(({ startLine }) => !startLine.startsWith('GET /ready ')),
      faults: wires.flatMap(({ fault }) => fault ?? []),
    };
  }

  /** Forgets the requests so far, between two tests without traffic. */
  forget(): void {
    for (const record of this.#sent) record.text = '';
    this.#sent.splice(0, this.#sent.length, ...this.#sent.filter(({ isOpen }) => isOpen));
  }

  close(): void {
    this.#close();
  }
}
