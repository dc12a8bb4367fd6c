/** One stream of server-sent events (WHATWG HTML §9.2) to one listener, which may be slow or gone. */
import type { FastifyReply, FastifyRequest } from 'fastify';

/** A comment line this often shows both ends of a stream that the other one lives. */
const HEARTBEAT_INTERVAL_MS = 15_000;
/** A listener that reads nothing is not written to beyond this: it may come again, and say what it has seen. */
const MOST_UNREAD_BYTES = 8_388_608;
/** What is stale in a second is not sent to a listener with this much to read. */
const BUSY_BYTES = 262_144;

export class EventStream {
  readonly #reply: FastifyReply;
  readonly #heartbeat: NodeJS.Timeout;

  /** Takes the answer over. `onClose` is called once, whoever ends the stream. */
  constructor(reply: FastifyReply, onClose: () => void) {
    this.#reply = reply;
    reply.hijack();
    reply.raw.writeHead(200, {
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
    });
    reply.raw.on('error', () => {});
    this.#heartbeat = setInterval(() => this.#write(': alive\n\n'), HEARTBEAT_INTERVAL_MS);
    reply.raw.once('close', () => {
      clearInterval(this.#heartbeat);
      onClose();
    });
    this.#write(': connected\n\n');
  }

  /** The listener has not read what it was sent before. */
  get isBusy(): boolean {
    return this.#reply.raw.writableLength > BUSY_BYTES;
  }

  /** `json`: one line of JSON. */
  send(event: string, json: string, id?: number): void {
    this.#write(`${id === undefined ? '' : `id: ${id}\n`}event: ${event}\ndata: ${json}\n\n`);
  }

  end(): void {
    this.#reply.raw.end();
  }

  #write(text: string): void {
    const { raw } = this.#reply;
    if (raw.writableLength > MOST_UNREAD_BYTES) raw.destroy();
    else raw.write(text);
  }
}

/** The event after which a listener wants to go on; 0: all that are kept. */
export function lastEventId({ headers }: Pick<FastifyRequest, 'headers'>): number {
  const id = Number(headers['last-event-id'] ?? 0);
  return Number.isFinite(id) ? id : 0;
}
