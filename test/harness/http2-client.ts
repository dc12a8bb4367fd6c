/** Requests over an HTTP/2 connection of Node. */
import type {
  ClientHttp2Session,
  IncomingHttpHeaders,
  IncomingHttpStatusHeader,
  OutgoingHttpHeaders,
} from 'node:http2';

export interface Http2Answer {
  status: number;
  headers: IncomingHttpHeaders;
  text: string;
}

/** Errors: of the stream, such as its reset. */
export async function fetchHttp2(
  client: ClientHttp2Session,
  headers: OutgoingHttpHeaders,
  body?: string | Buffer,
): Promise<Http2Answer> {
  const stream = client.request(headers, { endStream: body === undefined });
  const answered = new Promise<IncomingHttpHeaders & IncomingHttpStatusHeader>((resolve, reject) => {
    stream.once('response', resolve);
    stream.once('error', reject);
    stream.once('close', () => reject(new Error(`the stream was closed with code ${stream.rstCode}`)));
  });
  if (body !== undefined) stream.end(body);
  const response = await answered;
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return { status: response[':status'] ?? 0, headers: response, text: Buffer.concat(chunks).toString() };
}
