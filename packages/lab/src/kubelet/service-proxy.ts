/** One port of a Service: a plain forwarder of TCP, as kube-proxy and load balancers are. Connections outlive their endpoint's removal. */
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

export interface Backend {
  host: string;
  port: number;
}

export class ServiceProxy {
  readonly #listen: Backend;
  readonly #random: () => number;
  readonly #sockets = new Set<Socket>();
  #backends: readonly Backend[] = [];
  #server: Server | undefined;

  /** `listen`: the address of the Service. */
  constructor(listen: Backend, random: () => number = Math.random) {
    this.#listen = listen;
    this.#random = random;
  }

  /** Forwards new connections to these; without any they are refused. */
  async setBackends(backends: readonly Backend[]): Promise<void> {
    this.#backends = backends;
    if (backends.length === 0) {
      this.#server?.close();
      this.#server = undefined;
    } else if (this.#server === undefined) {
      const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.#forward(socket));
      this.#server = server;
      server.listen(this.#listen);
      await once(server, 'listening');
    }
  }

  close(): void {
    this.#server?.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #forward(client: Socket): void {
    const backend = this.#backends[Math.floor(this.#random() * this.#backends.length)];
    if (backend === undefined) {
      client.resetAndDestroy();
      return;
    }
    const pod = connect({ ...backend, allowHalfOpen: true, noDelay: true });
    this.#join(client, pod);
    this.#join(pod, client);
  }

  #join(from: Socket, to: Socket): void {
    this.#sockets.add(from);
    from.pipe(to);
    from.on('error', () => to.resetAndDestroy());
    from.on('close', () => this.#sockets.delete(from));
  }
}
