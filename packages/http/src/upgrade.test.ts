/** Offers to change the protocol, as Java's client sends them with every request. */
import { connect } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { answersOf, HOST, raw } from '../../../test/harness/raw.ts';
import { until } from '../../../test/harness/until.ts';
import { HttpServer } from './server.ts';

const OFFER =
  'connection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAEAAEAAAAIAAAAAAAMAAAAAAAQBAAAAAAUAAEAA\r\n';
const CLOSE = 'connection: close\r\n';

/** Responds with the target of each request. */
async function start(): Promise<number> {
  const server = new HttpServer({
    limits: {
      maxUrlBytes: 1_000,
      maxHeaderBytes: 10_000,
      headersTimeoutMs: 60_000,
      requestTimeoutMs: 60_000,
      bodyTimeoutMs: 60_000,
      responseTimeoutMs: () => 60_000,
    },
    checks: [],
    serve: ({ request, response }) => {
      const body = request.url ?? '';
      response.writeHead(200, { 'content-length': body.length }).end(body);
      if ('resume' in request) request.resume();
    },
  });
  onTestFinished(() => server.close());
  return (await server.listen({ host: '127.0.0.1', port: 0 })).port;
}

const offer = (method: string, more = '', body = ''): string =>
  `${method} /offer HTTP/1.1\r\n${HOST}${OFFER}${more}\r\n${body}`;

test.each([
  ['without a body', offer('GET')],
  ['with a body in the same packet', offer('POST', 'content-length: 5\r\n', 'hello')],
])('an offer %s is ignored, and the connection carries the next request', async (_, bytes) => {
  const socket = connect(await start(), '127.0.0.1').setEncoding('latin1');
  onTestFinished(() => void socket.destroy());
  let received = '';
  socket.on('data', (text: string) => {
    received += text;
  });
  socket.write(bytes);
  await until('the first response', () => received.endsWith('/offer'));
  socket.write(`GET /next HTTP/1.1\r\n${HOST}${CLOSE}\r\n`);
  await until('the second response', () => received.endsWith('/next'));
});

test.each([
  ['a request', offer('GET'), `GET /next HTTP/1.1\r\n${HOST}${CLOSE}\r\n`],
  ['a half of a request', offer('GET'), 'GET /lost HTTP/1.1\r\nx: '],
  ['a request behind a body', offer('POST', 'content-length: 5\r\n', 'hello'), 'GET /lost HTTP/1.1\r\nx: '],
  [
    'a request behind chunks',
    offer('POST', 'transfer-encoding: chunked\r\n', '0\r\n\r\n'),
    'GET /lost HTTP/1.1\r\nx: ',
  ],
])(
  'the connection ends after the response when %s is behind an offer, which Node’s parser drops',
  async (_, bytes, more) => {
    const [answer, ...others] = answersOf(await raw(await start(), bytes + more));
    expect(answer).toMatchObject({ status: 200, body: '/offer' });
    expect(others).toEqual([]);
  },
);
