/** HTTP clients that add no headers and do not normalize paths, one for each protocol. */
import { Agent, type IncomingHttpHeaders, request } from 'node:http';
import { type ClientHttp2Session, connect } from 'node:http2';
import { Agent as HttpsAgent, request as secureRequest } from 'node:https';
import { isIP } from 'node:net';
import type { ClientTls } from '@causeway/lab/secure/client-tls.ts';

export interface PlainRequest {
  method: string;
  /** Sent unchanged, with the query. */
  target: string;
  headers: Readonly<Record<string, string>>;
  body: Buffer | undefined;
}

export interface PlainAnswer {
  status: number;
  headers: IncomingHttpHeaders;
  /** `Content-Type`. */
  type: string | undefined;
  text: string;
  /** Parsed; `undefined` if the body is not JSON. */
  json: unknown;
}

export interface Client {
  /** Errors: of the connection; `AbortError` after `signal`. */
  send(url: string, request: PlainRequest, signal?: AbortSignal): Promise<PlainAnswer>;
  close(): void;
}

/** HTTP/1.1, over TLS for an `https` URL. */
export class PlainClient implements Client {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 8 });
  readonly #secureAgent: HttpsAgent;

  constructor(tls?: ClientTls) {
    this.#secureAgent = new HttpsAgent({ keepAlive: true, maxSockets: 8, ALPNProtocols: ['http/1.1'], ...tls });
  }

  send(url: string, { method, target, headers, body }: PlainRequest, signal?: AbortSignal): Promise<PlainAnswer> {
    const { protocol, hostname, port } = new URL(url);
    const isSecure = protocol === 'https:';
    const { promise, resolve, reject } = Promise.withResolvers<PlainAnswer>();
    const length = body === undefined ? {} : { 'content-length': String(body.length) };
    const outgoing = (isSecure ? secureRequest : request)(
      {
        hostname,
        port,
        method,
        path: target,
        headers: { ...length, ...headers },
        signal,
        // Not the `Host` of the request, which Node.js would verify.
        servername: isIP(hostname) === 0 ? hostname : '',
        agent: isSecure ? this.#secureAgent : this.#agent,
      },
      (incoming) => {
        const chunks: Buffer[] = [];
        incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
        incoming.on('error', reject);
        incoming.on('end', () => {
          resolve(answerOf(incoming.statusCode ?? 0, incoming.headers, Buffer.concat(chunks)));
        });
      },
    );
    outgoing.on('error', reject);
    outgoing.end(body);
    return promise;
  }

  close(): void {
    this.#agent.destroy();
    this.#secureAgent.destroy();
  }
}

/** HTTP/2 over TLS, all requests to a server over one connection. */
export class Http2Client implements Client {
  readonly #tls: ClientTls | undefined;
  readonly #sessions = new Map<string, ClientHttp2Session>();

  constructor(tls: ClientTls | undefined) {
    this.#tls = tls;
  }

  send(url: string, { method, target, headers, body }: PlainRequest, signal?: AbortSignal): Promise<PlainAnswer> {
    const { promise, resolve, reject } = Promise.withResolvers<PlainAnswer>();
    const { host, ...others } = headers;
    // White space around a value is not a part of it in HTTP/1.1 (RFC 9112, section 5), and malformed here (RFC 9113, section 8.2.1).
    const trimmed = Object.fromEntries(Object.entries(others).map(([name, value]) => [name, value.trim()]));
    const stream = this.#session(url).request(
      {
        ':method': method,
        ':path': target,
        ...(host === undefined ? {} : { ':authority': host }),
        ...(body === undefined ? {} : { 'content-length': String(body.length) }),
        ...trimmed,
      },
      { endStream: body === undefined, ...(signal === undefined ? {} : { signal }) },
    );
    const chunks: Buffer[] = [];
    let status = 0;
    let received: IncomingHttpHeaders = {};
    stream.on('response', (responseHeaders) => {
      status = responseHeaders[':status'] ?? 0;
      received = responseHeaders;
    });
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('error', reject);
    stream.on('end', () => resolve(answerOf(status, received, Buffer.concat(chunks))));
    if (body !== undefined) stream.end(body);
    return promise;
  }

  close(): void {
    for (const session of this.#sessions.values()) session.destroy();
  }

  #session(url: string): ClientHttp2Session {
    const { origin } = new URL(url);
    const open = this.#sessions.get(origin);
    if (open !== undefined && !open.closed && !open.destroyed) return open;
    const session = connect(origin, { ...this.#tls, ALPNProtocols: ['h2'] });
    // Its streams report the error.
    session.on('error', () => {});
    this.#sessions.set(origin, session);
    return session;
  }
}

function answerOf(status: number, headers: IncomingHttpHeaders, body: Buffer): PlainAnswer {
  const text = body.toString('utf8');
  const type = headers['content-type'];
  const json: unknown = type?.includes('json') === true && text !== '' ? JSON.parse(text) : undefined;
  return { status, headers, type, text, json };
}
