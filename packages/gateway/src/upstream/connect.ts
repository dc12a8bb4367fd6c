/** Opens connections to a target, over TCP or TLS, within a time limit. */
import { isIP, Socket, type SocketConstructorOpts } from 'node:net';
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
  /** The socket reads into it; `onBytes` must be done with it when it returns. */
  readonly readBuffer: Buffer;
  onBytes(bytes: Buffer): void;
}

/** The largest record of TLS (RFC 8446 §5.1). */
const TLS_RECORD_BYTES = 16_384;

/**
 * The TLS session that the target issued last; the next connection resumes it with less work (RFC 8446 §2.2). A resumed session
 * verifies no certificate again, and shows none: so it does not outlive the authorities and the certificate that it began with.
 */
export class TlsSessions {
  #last: Buffer | undefined;
  #context: SecureContext | undefined;

  of(context: SecureContext | undefined): Buffer | undefined {
    return this.#context === context ? this.#last : undefined;
  }

  /** `context` is that of the connection on which the session arrived. */
  keep(session: Buffer, context: SecureContext | undefined): void {
    this.#last = session;
    this.#context = context;
  }
}

/** Returns a connecting socket. Either `onConnected` is called, or the socket closes with an error. */
export function connectTo(options: ConnectOptions, sessions: TlsSessions, onConnected: () => void): Socket {
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
    onConnected();
  });
  socket.once('close', () => clearTimeout(timer));
  return socket;
}

function openTcp({ url, readBuffer, onBytes }: ConnectOptions): Socket {
  const socket = new Socket({
    onread: onread(readBuffer, onBytes),
    noDelay: true,
    keepAlive: true,
  } as SocketConstructorOpts);
  return socket.connect({ host: hostOf(url), port: portOf(url) });
}

function openTls({ url, secureContext, serverName, onBytes }: ConnectOptions, sessions: TlsSessions): TLSSocket {
  const host = hostOf(url);
  const socket = connectTls({
    host,
    port: portOf(url),
    // Without the dot of an absolute name; and an address is not a server name (RFC 6066 §3).
    servername: (serverName ?? (isIP(host) === 0 ? host : '')).replace(/\.$/, ''),
    ALPNProtocols: ['http/1.1'],
    session: sessions.of(secureContext),
    secureContext,
    noDelay: true,
    keepAlive: true,
    // A buffer of its own: TLS may deliver decrypted bytes while another socket's bytes are being processed.
    onread: onread(Buffer.allocUnsafeSlow(TLS_RECORD_BYTES), onBytes),
  } as ConnectionOptions);
  socket.on('session', (session) => sessions.keep(session, secureContext));
  return socket;
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
function hostOf(url: URL): string {
  return url.hostname.replace(/^\[(.*)\]$/, '$1');
}
