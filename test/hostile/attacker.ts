/** Sends hostile inputs with marked requests behind them, and reads what comes back until the connection closes. */
import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import type { HostileCase } from './hostile-case.ts';
import { type Outcome, outcomeOf } from './verdict.ts';

/** Opens a connection to a tier. */
export type Open = () => Duplex;

/** How the bytes leave: at once, or in a piece for each line and one more between CR and LF. */
export type Delivery = 'at once' | 'in pieces';

/** A server that keeps a connection open for so long waits for bytes that the attacker does not send. */
const STUCK_AFTER_MS = 60_000;
/** More pieces would only take longer. */
const MAX_PIECES = 64;

/** Partition numbers that no topic has; each names one request of the whole run. */
let lastNumber = 1_000_000;

/** A request whose response names it: no other response can be taken for it. */
export interface Marked {
  readonly bytes: string;
  /** A text in its response. */
  readonly text: string;
  readonly requestId: string;
}

export function marked(topic: string, kind: 'marker' | 'inner' | 'good', lines = ''): Marked {
  lastNumber += 1;
  const requestId = `${kind}-${lastNumber}`;
  return {
    bytes: `GET /topics/${topic}/partitions/${lastNumber}/offsets HTTP/1.1\r\nhost: h\r\nx-request-id: ${requestId}\r\n${lines}\r\n`,
    text: `partition with id ${lastNumber}"`,
    requestId,
  };
}

export function openTcp(port: number): Open {
  return () => connect({ port, host: '127.0.0.1', noDelay: true });
}

export interface Attempted {
  /** What happened, or the desync in a sentence. */
  readonly outcome: Outcome | string;
  /** The hidden request, which no program may serve. */
  readonly inner: Marked;
}

/** Sends one input and two markers on a connection of its own. */
export async function attempt(
  hostile: HostileCase,
  { open, topic, delivery }: { open: Open; topic: string; delivery: Delivery },
): Promise<Attempted> {
  const inner = marked(topic, 'inner');
  const markers = [marked(topic, 'marker'), marked(topic, 'marker', 'connection: close\r\n')];
  const bytes = hostile.bytes({ inner: inner.bytes, topic }) + markers.map((marker) => marker.bytes).join('');
  const received = await exchange(open(), delivery === 'at once' ? [bytes] : piecesOf(bytes));
  if (received === undefined) return { outcome: 'the connection stays open', inner };
  const texts = markers.map(({ text }) => text);
  return { outcome: outcomeOf({ hostile, received, markers: texts, inner: inner.text }), inner };
}

/** Everything that arrives until the connection closes; `undefined` if it does not. `isHalfClosed`: nothing follows the pieces. */
export async function exchange(
  socket: Duplex,
  pieces: readonly string[],
  { isHalfClosed = false } = {},
): Promise<string | undefined> {
  let received = '';
  socket.setEncoding('latin1');
  socket.on('data', (text: string) => {
    received += text;
  });
  // A reset counts as the end: what arrived before it is judged.
  socket.on('error', () => {});
  const { promise: closed, resolve } = Promise.withResolvers<boolean>();
  socket.once('close', () => resolve(true));
  const timer = setTimeout(() => resolve(false), STUCK_AFTER_MS);
  for (const [index, piece] of pieces.entries()) {
    if (index > 0) await new Promise((resolve) => setImmediate(resolve));
    if (socket.destroyed || socket.writableEnded) break;
    socket.write(piece, 'latin1');
  }
  if (isHalfClosed && !socket.destroyed && !socket.writableEnded) socket.end();
  const isClosed = await closed;
  clearTimeout(timer);
  socket.destroy();
  return isClosed ? received : undefined;
}

function piecesOf(bytes: string): string[] {
  const pieces = bytes.split(/(?<=\r)|(?<=\n)/);
  if (pieces.length <= MAX_PIECES) return pieces;
  return [...pieces.slice(0, MAX_PIECES - 1), pieces.slice(MAX_PIECES - 1).join('')];
}

/** Runs `work` for each item, `width` at a time. */
export async function eachOf<Item>(
  items: readonly Item[],
  width: number,
  work: (item: Item) => Promise<void>,
): Promise<void> {
  let next = 0;
  await Promise.all(
    Array.from({ length: Math.min(width, items.length) }, async () => {
      while (next < items.length) {
        const item = items[next] as Item;
        next += 1;
        await work(item);
      }
    }),
  );
}
