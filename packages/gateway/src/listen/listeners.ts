/** All listeners for clients: they start, count, stop and close together. */
import type { Socket } from 'node:net';
import type { ListenTls } from '@causeway/config/listen-tls.ts';
import type { Certificates } from '@causeway/http/certificates.ts';
import type { Drop, DropReason } from '@causeway/http/entrance.ts';
import type { HttpServer, ListenAddress } from '@causeway/http/server.ts';
import type { Listener } from '@causeway/protocol/admin/model.ts';
import type { EventLog } from '../events.ts';
import type { ClientPeer } from '../exchange/client-peer.ts';
import { createCertificates, describeCertificates } from './certificates.ts';
import { defaultMaxConnections, openFileLimit } from './connection-limit.ts';
import { createRedirectServer } from './redirect.ts';
import { RefusedConnections } from './refused-connections.ts';
import { type ClientServerOptions, createClientServer, serverLimits } from './server.ts';

export interface ListenerSettings extends ListenAddress {
  /** Its place in the configuration, for errors. */
  key: string;
  name: string;
  http2: ClientServerOptions['http2'];
  /** Plain HTTP without. */
  tls: ListenTls | undefined;
  /** Each address of the listener. Default: by the limit of open files. */
  maxConnections: number | undefined;
  /** Whether proxies and peers announce their clients (PROXY protocol). */
  proxyProtocol: boolean;
  /** It only redirects to HTTPS at this port. */
  redirectToHttpsPort: number | undefined;
}

/** What all listeners have in common. */
interface SharedOptions extends Omit<ClientServerOptions, 'http2' | 'certificates' | 'entrance'> {
  events: Pick<EventLog, 'emit'>;
  /** Why a connection of this address may not enter, in words; `undefined`: it may. */
  whyRefused: (socket: Socket, address: string) => string | undefined;
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
  /** Connections that it closed before their first request, by reason. */
  readonly refusedCounts: Readonly<Record<DropReason, number>>;
}

export class ClientListener implements ListenerState {
  readonly #settings: ListenerSettings;
  readonly #server: HttpServer<ClientPeer> | HttpServer;
  readonly certificates: Certificates | undefined;
  #url = '';

  /** `defaultMax`: of connections. */
  constructor(settings: ListenerSettings, options: SharedOptions, defaultMax: number) {
    const { name, http2, maxConnections = defaultMax, proxyProtocol, redirectToHttpsPort } = settings;
    const { events, whyRefused, ...shared } = options;
    const { context } = shared;
    const refused = new RefusedConnections({
      listener: name,
      onReport: (report) => events.emit({ type: 'connectionsRefused', ...report }),
      now: context.now,
    });
    const entrance = {
      maxConnections,
      // The default keeps files free for targets and operators.
      isMaxShared: settings.maxConnections === undefined,
      whyRefused,
      isProxySender: proxyProtocol ? (address: string) => context.trust.isHop(address) : undefined,
      onDropped: (drop: Drop) => refused.add(drop),
    };
    this.#settings = settings;
    this.certificates = createCertificates(settings, events);
    this.#server =
      redirectToHttpsPort === undefined
        ? createClientServer({ ...shared, http2, certificates: this.certificates, entrance })
        : createRedirectServer({ httpsPort: redirectToHttpsPort, limits: serverLimits(shared), entrance });
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

  get refusedCounts(): Readonly<Record<DropReason, number>> {
    return this.#server.entrance.dropCounts;
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

  /** Serves on, and closes each connection with its next response. */
  leave(): void {
    this.#server.leave();
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
    const defaultMax = defaultMaxConnections(openFileLimit(), settings.length);
    this.all = settings.map((each) => new ClientListener(each, options, defaultMax));
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

  leave(): void {
    for (const listener of this.all) listener.leave();
  }

  /** All of them stop to accept at once, and share the grace. */
  async stop(graceMs: number): Promise<void> {
    await Promise.all(this.all.map((listener) => listener.stop(graceMs)));
  }

  close(): void {
    for (const listener of this.all) listener.close();
  }
}
