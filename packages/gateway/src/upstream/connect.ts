/** Opens connections to a target, over TCP or TLS, within a time limit. */
import { isIP, type LookupFunction, Socket, type SocketConstructorOpts } from 'node:net';
import { type ConnectionOptions, connect as connectTls, type SecureContext, type TLSSocket } from 'node:tls';
import { portOf } from '@causeway/protocol/http-grammar.ts';
import { UpstreamError } from './errors.ts';

export interface ConnectOptions {
  readonly url: URL;
  readonly timeoutMs: number;
  /** Certificates and authorities for TLS. `undefined`: those of Node. */
  readonly secureContext: SecureContext | undefined;
  /** In place of the host of the URL, in the handshake and in the certificate. */
  readonly serverName: string | undefined;
  /** Finds the addresses of the host. `undefined`: that of Node. */
  readonly lookup: LookupFunction | undefined;
  /** The socket reads into it; `onBytes` must be done with it when it returns. */
  readonly readBuffer: Buffer;
  onBytes(bytes: Buffer): void;
}

/** The largest record of TLS (RFC 8446 §5.1). */
const TLS_RECORD_BYTES = 16_384;

interface TlsSession {
  readonly bytes: Buffer;
  readonly context: SecureContext | undefined;
  /** When the certificate ends that the target showed at its begin, in milliseconds since 1970. */
  readonly endsAtMs: number;
}

/**
 * The TLS session that the target issued last; the next connection resumes it with less work (RFC 8446 §2.2). A resumed session
 * verifies no certificate again, and shows none: so it outlives neither the authorities and the certificate of the gateway that it
 * began with, nor the certificate of the target.
 */
export class TlsSessions {
  #last: TlsSession | undefined;

  of(context: SecureContext | undefined): TlsSession | undefined {
    const last = this.#last;
    return last !== undefined && last.context === context && Date.now() < last.endsAtMs ? last : undefined;
  }

  keep(session: TlsSession): void {
    this.#last = session;
  }
}

/** Returns a connecting socket. Either `onConnected` is called with it, or it closes with an error. */
export function connectTo(
  options: ConnectOptions,
  sessions: TlsSessions,
  onConnected: (socket: Socket) => void,
): Socket {
  const { url, timeoutMs } = options;
  const socket = url.protocol === 'https:' ? openTls(options, sessions) : openTcp(options);
  const timer = setTimeout(() => {
    // A busy process runs this timer before it sees that the connection was established long ago: look once more.
    setImmediate(() => {
      if (isConnected) return;
      const what = socket.connecting ? 'no connection in time' : 'no TLS handshake in time';
      socket.destroy(new UpstreamError('ETIMEDOUT', what));
    });
  }, timeoutMs);
  let isConnected = false;
  socket.once(url.protocol === 'https:' ? 'secureConnect' : 'connect', () => {
    isConnected = true;
    clearTimeout(timer);
    onConnected(socket);
  });
  socket.once('close', () => clearTimeout(timer));
  return socket;
}

function openTcp({ url, lookup, readBuffer, onBytes }: ConnectOptions): Socket {
  const socket = new Socket({
    onread: onread(readBuffer, onBytes),
    noDelay: true,
    keepAlive: true,
  } as SocketConstructorOpts);
  return socket.connect({ host: hostOf(url), port: portOf(url), ...(lookup === undefined ? {} : { lookup }) });
}

function openTls(
  { url, lookup, secureContext, serverName, onBytes }: ConnectOptions,
  sessions: TlsSessions,
): TLSSocket {
  const host = hostOf(url);
  const resumed = sessions.of(secureContext);
  const socket = connectTls({
    host,
    port: portOf(url),
    lookup,
    // Without the dot of an absolute name; and an address is not a server name (RFC 6066 §3).
    servername: (serverName ?? (isIP(host) === 0 ? host : '')).replace(/\.$/, ''),
    ALPNProtocols: ['http/1.1'],
    session: resumed?.bytes,
    secureContext,
    noDelay: true,
    keepAlive: true,
    // A buffer of its own: TLS may deliver decrypted bytes while another socket's bytes are being processed.
    onread: onread(Buffer.allocUnsafeSlow(TLS_RECORD_BYTES), onBytes),
  } as ConnectionOptions);
  let endsAtMs: number | undefined;
  socket.on('session', (bytes) => {
    endsAtMs ??= resumed !== undefined && socket.isSessionReused() ? resumed.endsAtMs : endOfCertificate(socket);
    sessions.keep({ bytes, context: secureContext, endsAtMs });
  });
  return socket;
}

/** That of the target. */
function endOfCertificate(socket: TLSSocket): number {
  return socket.getPeerX509Certificate()?.validToDate.getTime() ?? 0;
}

function onread(buffer: Buffer, onBytes: (bytes: Buffer) => void): SocketConstructorOpts['onread'] {
  return {
    buffer,
    callback: (length) => {
      onBytes(buffer.subarray(0, length));
      return true;
    },
  };
}

/** Strips the brackets of an IPv6 address. */
export function hostOf(url: URL): string {
  return url.hostname.replace(/^\[(.*)\]$/, '$1');
}
