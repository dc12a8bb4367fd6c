/** Streams of server-sent events (WHATWG HTML §9.2), and how many listeners there may be; each may be slow or gone. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { GatewayError } from '../errors.ts';

/** A comment line this often shows both ends of a stream that the other one lives. */
const HEARTBEAT_INTERVAL_MS = 15_000;
/** A listener with more to read than this is closed: it comes back, and says what it has seen. */
const MAX_UNREAD_BYTES = 262_144;
/** Over all kinds of streams. */
const MAX_STREAMS = 100;

export interface StreamMessage {
  event: string;
  /** One line of JSON. */
  json: string;
  id?: number;
}

export class EventStreams {
  readonly #open = new Set<EventStream>();

  /**
   * Takes an answer over; the stream calls `onClose` once, at its end.
   *
   * Errors: `overloaded` when there are as many streams as there may be.
   */
  open(reply: FastifyReply, onClose: () => void): EventStream {
    if (this.#open.size >= MAX_STREAMS) {
      throw new GatewayError(
        'overloaded',
        `This gateway has ${MAX_STREAMS} open event streams, which is the limit: close some, or ask for JSON.`,
      );
    }
    const stream = new EventStream(reply, () => {
      this.#open.delete(stream);
      onClose();
    });
    this.#open.add(stream);
    return stream;
  }

  end(): void {
    for (const stream of this.#open) stream.end();
  }
}

export class EventStream {
  readonly #reply: FastifyReply;
  readonly #heartbeat: NodeJS.Timeout;

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

  /** The listener has not read all that it was sent before: what is stale in a second can wait. */
  get isBusy(): boolean {
    return this.#reply.raw.writableLength > 0;
  }

  /** All at once: messages that a listener needs together are never cut between two of them. */
  send(...messages: StreamMessage[]): void {
    if (messages.length > 0) this.#write(messages.map(textOf).join(''));
  }

  end(): void {
    this.#reply.raw.end();
  }

  #write(text: string): void {
    const { raw } = this.#reply;
    if (raw.writableLength > MAX_UNREAD_BYTES) raw.destroy();
    else raw.write(text);
  }
}

function textOf({ event, json, id }: StreamMessage): string {
  return `${id === undefined ? '' : `id: ${id}\n`}event: ${event}\ndata: ${json}\n\n`;
}

/** The event after which a listener wants to go on; 0: all that are kept. */
export function lastEventId({ headers }: Pick<FastifyRequest, 'headers'>): number {
  const id = Number(headers['last-event-id'] ?? 0);
  return Number.isFinite(id) ? id : 0;
}
