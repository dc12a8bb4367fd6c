/** A response that closes its connection when the request's body has not arrived (RFC 9112 §9.3). */
import { type IncomingMessage, type OutgoingHttpHeader, type OutgoingHttpHeaders, ServerResponse } from 'node:http';

type Headers = OutgoingHttpHeaders | OutgoingHttpHeader[];

/** Up to here the rest of a body is read and dropped, and the connection stays open. */
const MAX_DROPPED_BYTES = 65_536;

export class ClosingResponse extends ServerResponse {
  override writeHead(statusCode: number, reason?: string | Headers, headers?: Headers): this {
    if (!this.req.complete && !isRestShort(this.req)) this.shouldKeepAlive = false;
    // Node reads its second argument as headers when it is no string.
    return super.writeHead(statusCode, reason as string, headers);
  }
}

function isRestShort({ headers }: IncomingMessage): boolean {
  if (headers['transfer-encoding'] !== undefined) return false;
  // A client that got no 100 Continue may send the body, or the next request: nothing distinguishes them (RFC 9110 §10.1.1).
  if (headers.expect !== undefined) return false;
  const length = headers['content-length'];
  return length === undefined || Number(length) <= MAX_DROPPED_BYTES;
}
