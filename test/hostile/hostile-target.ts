/** A target that passes every probe and sends scripted bytes to every other request. */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import type { Ending, HostileResponse } from './corpus/responses.ts';

/** What no client's response may contain. */
export const POISON = 'poison';
const POISON_RESPONSE = `HTTP/1.1 200 OK\r\ncontent-length: ${POISON.length}\r\n\r\n${POISON}`;
/** Between two pieces of something without an end. */
const DRIP_MS = 5;

const DRIPS: Partial<Record<Ending, string>> = {
  'endless headers': `${`x: ${'y'.repeat(1_000)}\r\n`.repeat(8)}`,
  'endless interim responses': 'HTTP/1.1 102 Processing\r\n\r\n'.repeat(20),
};

export interface Target {
  readonly url: string;
  /** Requests so far, without probes. */
  readonly requestCount: number;
  /** Hostile responses to probes so far. */
  readonly probeCount: number;
  /** Paths of requests whose connection the gateway has closed after an unsolicited response. */
  readonly closedAfterPoison: ReadonlySet<string>;
  close(): void;
}

/**
 * `/topics/N?id=ID` gets the response N; every other request gets its own path back. `areProbesHostile`: probes get all responses
 * in turn.
 */
export async function startHostileTarget(
  responses: readonly HostileResponse[],
  { areProbesHostile = false } = {},
): Promise<Target> {
  const sockets = new Set<Socket>();
  const closedAfterPoison = new Set<string>();
  let requestCount = 0;
  let probeCount = 0;
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    let head = '';
    // After an unclear response the gateway must not send another request here.
    let isSpent = false;
    socket.on('data', (chunk: Buffer) => {
      head += chunk.toString('latin1');
      for (;;) {
        const end = head.indexOf('\r\n\r\n');
        if (end === -1) return;
        let path = head.split(' ', 2)[1] ?? '';
        const length = Number(/content-length: (\d+)/.exec(head.slice(0, end))?.[1] ?? 0);
        head = head.slice(end + 4 + length);
        if (path !== '/ready') requestCount += 1;
        else if (areProbesHostile) {
          path = `/topics/${probeCount % responses.length}?id=probe`;
          probeCount += 1;
        }
        if (isSpent) {
          socket.write(POISON_RESPONSE);
          continue;
        }
        const response = responseTo(path, responses);
        isSpent = response !== undefined && response.ending === undefined;
        respond(socket, path, response, () => closedAfterPoison.add(path));
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get requestCount() {
      return requestCount;
    },
    get probeCount() {
      return probeCount;
    },
    closedAfterPoison,
    close: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

function responseTo(path: string, responses: readonly HostileResponse[]): HostileResponse | undefined {
  return responses[Number(/^\/topics\/(\d+)\?id=\w+$/.exec(path)?.[1])];
}

function respond(socket: Socket, path: string, response: HostileResponse | undefined, onClosed: () => void): void {
  if (response === undefined) {
    const isProbe = path === '/ready';
    const body = isProbe ? '' : JSON.stringify({ path });
    const close = isProbe ? 'connection: close\r\n' : '';
    socket.write(`HTTP/1.1 200 OK\r\n${close}content-length: ${body.length}\r\n\r\n${body}`);
    if (isProbe) socket.end();
    return;
  }
  socket.write(response.bytes({ own: JSON.stringify({ path }), poison: POISON_RESPONSE }), 'latin1', () =>
    finish(socket, response.ending, onClosed),
  );
}

function finish(socket: Socket, ending: Ending | undefined, onClosed: () => void): void {
  if (ending === 'poison') socket.once('close', onClosed);
  if (ending === 'end') socket.end();
  // The bytes before it have to arrive first.
  else if (ending === 'reset') setTimeout(() => socket.resetAndDestroy(), DRIP_MS);
  else if (ending === 'poison') setTimeout(() => socket.write(POISON_RESPONSE), DRIP_MS);
  else if (ending !== undefined && DRIPS[ending] !== undefined) {
    const timer = setInterval(() => socket.write(DRIPS[ending] as string), DRIP_MS);
    socket.once('close', () => clearInterval(timer));
  }
}
