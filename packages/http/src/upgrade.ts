/**
 * Ignores offers to change the protocol (RFC 9110 §7.8), which common clients send with every request. Node's parser pauses
 * behind such a request and drops what else the same packet holds: half of the next request, for instance, whose other half
 * would then be parsed as a request of its own. So the connection ends when anything can have been dropped.
 */
import type { IncomingMessage } from 'node:http';
import { type Connection, connectionOf } from './connection.ts';
import { closeLingering } from './lingering.ts';

const END_OF_HEAD = '\r\n\r\n';

/** For `shouldUpgradeCallback`: called for requests with `Upgrade` alone. */
export function ignoreUpgrade(request: IncomingMessage): false {
  const connection = connectionOf(request.socket);
  // When the parser has returned, the request has its response object.
  if (connection !== undefined && !endsWithItsPacket(request)) queueMicrotask(() => endAfterResponse(connection));
  return false;
}

function endAfterResponse(connection: Connection): void {
  const { last, socket } = connection;
  if (last === undefined) return;
  if (!last.headersSent) last.shouldKeepAlive = false;
  else if (last.writableFinished) closeLingering(socket);
  else last.once('finish', () => closeLingering(socket));
}

/** Whether the packet that is being parsed holds this request from its begin to its end, and nothing behind it. */
function endsWithItsPacket({ method, url, headers, socket }: IncomingMessage): boolean {
  if (headers['transfer-encoding'] !== undefined) return false;
  const packet = currentPacket(socket);
  const endOfHead = packet.indexOf(END_OF_HEAD);
  if (endOfHead === -1 || !packet.startsWith(`${method} ${url} `)) return false;
  return packet.length === endOfHead + END_OF_HEAD.length + Number(headers['content-length'] ?? 0);
}

/** One character for each byte. Node has no other name for it. */
function currentPacket(socket: object): string {
  const { parser } = socket as { parser?: { getCurrentBuffer(): Buffer } | null };
  return parser?.getCurrentBuffer()?.toString('latin1') ?? '';
}
