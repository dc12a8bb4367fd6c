/**
 * The way to the Kafka of one region from the other region: its bridge and MirrorMaker reach it there. It can be cut: bytes vanish without an
 * error, as on a line that is down, while everything else continues.
 */
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { LAB_HOST } from './ports.ts';

export interface PeerPorts {
  /** Of the broker's own listener for the other region. */
  listener: number;
  /** Of the link, which the broker advertises there. */
  link: number;
}

/** What the broker needs for it, on top of its other listeners. */
export function peerProperties(
  [clientPort, controllerPort]: readonly number[],
  { listener, link }: PeerPorts,
): Record<string, string> {
  return {
    listeners: `PLAINTEXT://${LAB_HOST}:${clientPort},PEER://${LAB_HOST}:${listener},CONTROLLER://${LAB_HOST}:${controllerPort}`,
    'advertised.listeners': `PLAINTEXT://${LAB_HOST}:${clientPort},PEER://${LAB_HOST}:${link}`,
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,PEER:PLAINTEXT,CONTROLLER:PLAINTEXT',
  };
}

export function peerAddress({ link }: PeerPorts): string {
  return `${LAB_HOST}:${link}`;
}

export class PeerLink {
  readonly #ports: PeerPorts;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #isCut = false;

  private constructor(ports: PeerPorts) {
    this.#ports = ports;
    this.#server = createServer((near) => this.#accept(near));
  }

  static async start(ports: PeerPorts): Promise<PeerLink> {
    const link = new PeerLink(ports);
    link.#server.listen(ports.link, LAB_HOST);
    await once(link.#server, 'listening');
    return link;
  }

  /** From now on, nothing arrives at the other end. */
  cut(): void {
    this.#isCut = true;
    for (const socket of this.#sockets) {
      socket.unpipe();
      socket.pause();
    }
  }

  /** What was open meanwhile is reset: neither end knows what the other one has. */
  heal(): void {
    this.#isCut = false;
    for (const socket of this.#sockets) socket.destroy();
  }

  async close(): Promise<void> {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await once(this.#server, 'close');
  }

  #accept(near: Socket): void {
    this.#keep(near);
    if (this.#isCut) {
      near.pause();
      return;
    }
    const far = connect({ port: this.#ports.listener, host: LAB_HOST });
    this.#keep(far);
    near.pipe(far).pipe(near);
    near.once('close', () => this.#end(far));
    far.once('close', () => this.#end(near));
  }

  /** An end that goes away during a cut is not noticed at the other one. */
  #end(socket: Socket): void {
    if (!this.#isCut) socket.destroy();
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('error', () => {});
    socket.once('close', () => this.#sockets.delete(socket));
  }
}
