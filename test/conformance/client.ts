/** An HTTP client that adds no headers and does not normalize paths. */
import { Agent, type IncomingHttpHeaders, request } from 'node:http';

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

export class PlainClient {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 8 });

  /** Errors: of the connection; `AbortError` after `signal`. */
  send(url: string, { method, target, headers, body }: PlainRequest, signal?: AbortSignal): Promise<PlainAnswer> {
    const { hostname, port } = new URL(url);
    const { promise, resolve, reject } = Promise.withResolvers<PlainAnswer>();
    const length = body === undefined ? {} : { 'content-length': String(body.length) };
    const outgoing = request(
      { hostname, port, method, path: target, headers: { ...length, ...headers }, agent: this.#agent, signal },
      (incoming) => {
        const chunks: Buffer[] = [];
        incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
        incoming.on('error', reject);
        incoming.on('end', () => {
          const text = Buffer.concat(chunks).toString('utf8');
          const { statusCode: status = 0, headers } = incoming;
          const type = headers['content-type'];
          const json: unknown = type?.includes('json') === true && text !== '' ? JSON.parse(text) : undefined;
          resolve({ status, headers, type, text, json });
        });
      },
    );
    outgoing.on('error', reject);
    outgoing.end(body);
    return promise;
  }

  close(): void {
    this.#agent.destroy();
  }
}
