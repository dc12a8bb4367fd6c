/** Streams of server-sent events (WHATWG HTML §9.2) to a limited number of listeners, each of which may be slow or gone. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { GatewayError } from '../errors.ts';

/** A comment line at this interval shows both ends of a stream that the other one is alive. */
const HEARTBEAT_INTERVAL_MS = 15_000;
/** A stream with more unread bytes than this is closed: its listener reconnects with the last event it has seen. */
const MAX_UNREAD_BYTES = 262_144;
/** Limit over all kinds of streams. */
const MAX_STREAMS = 100;

export interface StreamMessage {
  event: string;
  /** JSON without line breaks. */
  json: string;
  id?: number;
}

export class EventStreams {
  readonly #open = new Set<EventStream>();

  /**
   * Takes over a response; the stream calls `onClose` once, at its end.
   *
   * Errors: `overloaded` at the limit of streams.
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

  /** The listener has not read everything so far: messages that are stale in a second can be skipped. */
  get isBusy(): boolean {
    return this.#reply.raw.writableLength > 0;
  }

  /** Sends all or none: a stream never ends between messages that belong together. */
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

/** Returns the event after which a listener continues; 0 for all events in memory. */
export function lastEventId({ headers }: Pick<FastifyRequest, 'headers'>): number {
  const id = Number(headers['last-event-id'] ?? 0);
  return Number.isFinite(id) ? id : 0;
}
