/** An answer that ends its connection when the request's body has not arrived (RFC 9112 §9.3). */
import { type IncomingMessage, ServerResponse } from 'node:http';

/** The rest of a body up to here is read and dropped, and the connection goes on; beyond it, the connection ends. */
const MAX_DROPPED_BYTES = 65_536;

export class ClosingResponse extends ServerResponse {
  // biome-ignore lint/suspicious/noExplicitAny: Node's own overloads.
  override writeHead(statusCode: number, ...rest: any[]): this {
    if (!this.req.complete && !isRestShort(this.req)) this.shouldKeepAlive = false;
    return super.writeHead(statusCode, ...rest);
  }
}

function isRestShort({ headers }: IncomingMessage): boolean {
  if (headers['transfer-encoding'] !== undefined) return false;
  // Who was not told to go on may send the body, or the next request: nothing tells them apart (RFC 9110 §10.1.1).
  if (headers.expect !== undefined) return false;
  const length = headers['content-length'];
  return length === undefined || Number(length) <= MAX_DROPPED_BYTES;
}
