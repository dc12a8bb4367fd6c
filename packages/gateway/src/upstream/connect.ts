/** Makes connections to a target: TCP, or TLS over it, within a time limit. */
import { isIP, Socket, type SocketConstructorOpts } from 'node:net';
import { type ConnectionOptions, connect as connectTls, type SecureContext, type TLSSocket } from 'node:tls';
import { portOf } from '@causeway/protocol/http-grammar.ts';
import { UpstreamError } from './errors.ts';

export interface ConnectOptions {
  readonly url: URL;
  readonly timeoutMs: number;
  /** For TLS; `undefined`: Node's own. */
  readonly secureContext: SecureContext | undefined;
  /** Where the socket reads into: free again when `onBytes` returns. */
  readonly readBuffer: Buffer;
  onBytes(bytes: Buffer): void;
}

/** Of TLS: what one record holds at most (RFC 8446 §5.1). */
const TLS_RECORD_BYTES = 16_384;

/** The session that a target gave last, so that the next connection is made with less work (RFC 8446 §2.2). */
export class TlsSessions {
  last: Buffer | undefined;
}

/** A socket that is connecting: `onConnected` is called, or the socket closes with an error before. */
export function connectTo(options: ConnectOptions, sessions: TlsSessions, onConnected: () => void): Socket {
  const { url, timeoutMs } = options;
  const socket = url.protocol === 'https:' ? openTls(options, sessions) : openTcp(options);
  const timer = setTimeout(() => {
    // A process that was busy for so long looks first whether the connection has been there for long, too.
    setImmediate(() => {
      if (!isConnected) socket.destroy(new UpstreamError('ETIMEDOUT', `no connection within ${timeoutMs} ms`));
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

function openTls({ url, secureContext, onBytes }: ConnectOptions, sessions: TlsSessions): TLSSocket {
  const host = hostOf(url);
  const socket = connectTls({
    host,
    port: portOf(url),
    // An address is no server name (RFC 6066 §3).
    servername: isIP(host) === 0 ? host : '',
    ALPNProtocols: ['http/1.1'],
    session: sessions.last,
    secureContext,
    noDelay: true,
    keepAlive: true,
    // Its own buffer: what is decrypted may be told in the middle of other work.
    onread: onread(Buffer.allocUnsafeSlow(TLS_RECORD_BYTES), onBytes),
  } as ConnectionOptions);
  socket.on('session', (session) => {
    sessions.last = session;
  });
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

/** Without the brackets of an IPv6 address. */
function hostOf(url: URL): string {
  return url.hostname.replace(/^\[(.*)\]$/, '$1');
}
