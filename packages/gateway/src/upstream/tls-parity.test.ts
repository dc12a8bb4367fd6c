/** The transport has the same outcomes over TLS as over TCP, whatever the target does. */
import { PassThrough } from 'node:stream';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Listening, type Sent, send, TCP, tlsWire, type Wire } from '../../../../test/harness/transport.ts';
import { until } from '../../../../test/harness/until.ts';
import type { UpstreamRequest } from './transport.ts';

const TLS = tlsWire();

const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello';
/** What a target sends for a request, each part in a write of its own. */
const RESPONSES = {
  whole: [OK],
  bytes: [...OK],
  chunks: ['HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhel', 'lo\r\n0\r\n\r\n'],
  long: [`HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n${'x'.repeat(60_000)}`, 'x'.repeat(40_000)],
  informational: ['HTTP/1.1 100 Continue\r\n\r\n', 'HTTP/1.1 103 Early Hints\r\n\r\n', OK],
  closing: ['HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello'],
  old: ['HTTP/1.0 200 OK\r\ncontent-length: 5\r\n\r\nhello'],
  empty: ['HTTP/1.1 204 No Content\r\n\r\n'],
  unclear: ['HTTP/1.1 204 No Content\r\ncontent-length: 5\r\n\r\n'],
  twice: [OK + OK],
  twoLengths: ['HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello'],
  broken: [OK.slice(0, -2)],
  brokenHead: ['HTTP/1.1 200 OK\r\nconte'],
  brokenChunk: ['HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\na\r\nhello'],
  garbage: ['SSH-2.0-OpenSSH_9.2\r\n\r\n'],
  nothing: [],
} as const;
type Response = keyof typeof RESPONSES;
/** Without an end, these requests would wait forever. */
const INCOMPLETE: readonly Response[] = ['broken', 'brokenHead', 'brokenChunk', 'nothing'];

interface Exchange {
  response: Response;
  ending: 'keep' | 'end' | 'reset';
  request: 'get' | 'head' | 'post' | 'upload' | 'longUpload';
  /** After it, the target touches the idle connection. */
  touch: 'none' | 'end' | 'reset';
}

/** Plays the exchanges, whose number is in the path. */
async function targetOf(wire: Wire, exchanges: readonly Exchange[]): Promise<Listening> {
  return await wire.listen((socket, tcp) => {
    socket.on('data', (bytes) => {
      // A head arrives as a whole; the rest is a body.
      const index = /(?:GET|HEAD|POST) \/(\d+) HTTP/.exec(bytes.toString('latin1'))?.[1];
      if (index === undefined) return;
      const { response, ending } = exchanges[Number(index)] as Exchange;
      const parts = [...RESPONSES[response]];
      const last = parts.pop();
      for (const part of parts) socket.write(part);
      const leave = (): void => {
        // A reset destroys what the client has not read yet: before a response, the outcome is the same each time.
        if (ending === 'reset' && response === 'nothing') tcp.resetAndDestroy();
        else if (ending === 'end' || INCOMPLETE.includes(response)) socket.end();
      };
      if (last === undefined) leave();
      else socket.write(last, leave);
    });
  });
}

function requestOf(kind: Exchange['request'], index: number): Partial<UpstreamRequest> {
  const path = `/${index}`;
  switch (kind) {
    case 'get':
      return { path };
    case 'head':
      return { path, method: 'HEAD' };
    case 'post':
      return { path, method: 'POST', body: Buffer.from('a body') };
    case 'upload':
    case 'longUpload': {
      const stream = new PassThrough();
      stream.end(Buffer.alloc(kind === 'upload' ? 10 : 300_000, 0x61));
      return { path, method: 'POST', body: { stream, lengthBytes: undefined } };
    }
  }
}

/** What the caller of the transport sees of each request. */
async function play(wire: Wire, exchanges: readonly Exchange[]): Promise<unknown[]> {
  const server = await targetOf(wire, exchanges);
  const pool = wire.pool(server.url);
  const seen: unknown[] = [];
  for (const [index, { request, touch }] of exchanges.entries()) {
    const sent: Sent = send(pool, requestOf(request, index));
    const { status, body, error, hasStarted } = await sent.answered;
    const { isReused, hasResponseBegun } = sent.control ?? {};
    // A reset fails whichever the system does first, reading or writing.
    const code = (error as NodeJS.ErrnoException | undefined)?.code?.replace('EPIPE', 'ECONNRESET');
    seen.push({
      hasStarted,
      status,
      body: `${body.length} ${body.toString('latin1', 0, 10)}`,
      code,
      isReused,
      hasResponseBegun,
    });
    for (const tcp of server.sockets) {
      if (touch === 'end') tcp.end();
      else if (touch === 'reset') tcp.resetAndDestroy();
    }
    if (touch !== 'none') await until('the connection is closed', () => server.sockets.size === 0);
  }
  const { connectionCount } = server;
  await pool.close();
  await until('no connection is left', () => server.sockets.size === 0);
  await server.close();
  return [...seen, connectionCount];
}

const exchange = fc.record<Exchange>({
  response: fc.constantFrom(...(Object.keys(RESPONSES) as Response[])),
  ending: fc.constantFrom('keep', 'end', 'reset'),
  request: fc.constantFrom('get', 'head', 'post', 'upload', 'longUpload'),
  touch: fc.constantFrom('none', 'none', 'end', 'reset'),
});

test('requests in turn have the same outcomes over TLS as over TCP', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(exchange, { minLength: 1, maxLength: 6 }), async (exchanges) => {
      expect(await play(TLS, exchanges)).toEqual(await play(TCP, exchanges));
    }),
    { seed: 15, numRuns: 30 },
  );
});
