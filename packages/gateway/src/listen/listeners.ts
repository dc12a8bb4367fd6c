/** All listeners for clients: they start, count, stop and close together. */
import type { ListenTls } from '@causeway/config/listen-tls.ts';
import type { Certificates } from '@causeway/http/certificates.ts';
import type { HttpServer, ListenAddress } from '@causeway/http/server.ts';
import type { Listener } from '@causeway/protocol/admin/model.ts';
import type { EventLog } from '../events.ts';
import type { ClientPeer } from '../exchange/client-peer.ts';
import { createCertificates, describeCertificates } from './certificates.ts';
import { type ClientServerOptions, createClientServer } from './server.ts';

export interface ListenerSettings extends ListenAddress {
  /** Its place in the configuration, for errors. */
  key: string;
  name: string;
  http2: ClientServerOptions['http2'];
  /** Plain HTTP without. */
  tls: ListenTls | undefined;
}

/** What all listeners have in common. */
interface SharedOptions extends Omit<ClientServerOptions, 'http2' | 'certificates'> {
  events: Pick<EventLog, 'emit'>;
}

/** What operators see of a listener. */
export interface ListenerState {
  readonly name: string;
  /** Empty until it listens. */
  readonly url: string;
  readonly connectionCount: number;
  /** `null` for plain HTTP. */
  readonly tls: Listener['tls'];
  readonly protocols: Listener['protocols'];
}

export class ClientListener implements ListenerState {
  readonly #settings: ListenerSettings;
  readonly #server: HttpServer<ClientPeer>;
  readonly certificates: Certificates | undefined;
  #url = '';

  constructor(settings: ListenerSettings, options: SharedOptions) {
    this.#settings = settings;
    const { events, ...shared } = options;
    const { http2 } = settings;
    this.certificates = createCertificates(settings, events);
    this.#server = createClientServer({ ...shared, http2, certificates: this.certificates });
  }

  get name(): string {
    return this.#settings.name;
  }

  get url(): string {
    return this.#url;
  }

  get protocols(): Listener['protocols'] {
    const { http2, tls } = this.#settings;
    if (http2 === undefined) return ['http/1.1'];
    return [tls === undefined ? 'h2c' : 'h2', 'http/1.1'];
  }

  get connectionCount(): number {
    return this.#server.connections.count;
  }

  get tls(): ListenerState['tls'] {
    return describeCertificates(this.certificates);
  }

  /** The bytes of all connections that it ever had. */
  totals(): { receivedBytes: number; sentBytes: number } {
    return this.#server.connections.totals();
  }

  /** Errors: with the listener's key in the configuration, and the error of `net.Server` as cause. */
  async listen(): Promise<void> {
    const { key, host, port, backlog } = this.#settings;
    try {
      const { url } = await this.#server.listen({ host, port, backlog });
      this.#url = url;
      this.certificates?.start();
    } catch (cause) {
      throw new Error(`${key}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
    }
  }

  async stop(graceMs: number): Promise<void> {
    await this.#server.stop(graceMs);
    this.certificates?.close();
  }

  close(): void {
    this.certificates?.close();
    this.#server.close();
  }
}

export class ClientListeners {
  readonly all: readonly ClientListener[];

  constructor(settings: readonly ListenerSettings[], options: SharedOptions) {
    this.all = settings.map((each) => new ClientListener(each, options));
  }

  get connectionCount(): number {
    return this.all.reduce((sum, { connectionCount }) => sum + connectionCount, 0);
  }

  /** Of the listeners with TLS. */
  certificates(): { name: string; certificates: Certificates }[] {
    return this.all.flatMap(({ name, certificates }) => (certificates === undefined ? [] : [{ name, certificates }]));
  }

  /** Of all connections that clients ever had. */
  totals(): { receivedBytes: number; sentBytes: number } {
    let receivedBytes = 0;
    let sentBytes = 0;
    for (const listener of this.all) {
      const totals = listener.totals();
      receivedBytes += totals.receivedBytes;
      sentBytes += totals.sentBytes;
    }
    return { receivedBytes, sentBytes };
  }

  /** In the order of the configuration. Errors: of the first listener that cannot listen. */
  async listen(): Promise<void> {
    for (const listener of this.all) await listener.listen();
  }

  /** All of them stop to accept at once, and share the grace. */
  async stop(graceMs: number): Promise<void> {
    await Promise.all(this.all.map((listener) => listener.stop(graceMs)));
  }

  close(): void {
    for (const listener of this.all) listener.close();
  }
}
