/** The operation that reads records, and takes back a response that did not arrive. */
import type { Socket } from 'node:net';
import { probeHalfClosed } from '@causeway/http/half-closed.ts';
import { accepts, RECORDS } from '@causeway/protocol/content-types.ts';
import { DEFAULT_POLL_TIMEOUT_MS } from '@causeway/protocol/parameters.ts';
import { DELIVERY_HEADER } from '@causeway/protocol/routing.ts';
import type { FastifyReply } from 'fastify';
import { codecForReading } from '../consumers/prepared-codecs.ts';
import type { ConsumerRegistry } from '../consumers/registry.ts';
import { type ErrorPolicy, responseText } from '../consumers/response-text.ts';
import type { Session } from '../consumers/session.ts';
import { accessOf } from '../consumers/topic-access.ts';
import { BridgeError } from '../errors.ts';
import { formatNamed } from '../formats/formats.ts';
import type { Metrics } from '../metrics.ts';
import { sessionOf } from './consumer-request.ts';
import type { Load } from './load.ts';
import { choiceParameter, integerParameter, MAX_INT32 } from './parameters.ts';
import { encoded, respond, respondHead } from './responses.ts';
import type { ApiServer, Request } from './server.ts';

export interface PollDependencies {
  registry: ConsumerRegistry;
  metrics: Metrics;
  load: Load;
  /** The longest `timeout`. */
  maxPollTimeoutMs: number;
  /** Where a response ends, unless a single record is longer. */
  maxPollBytes: number;
}

const ERROR_POLICIES: readonly ErrorPolicy[] = ['fail', 'report'];

export function addPollRoute(server: ApiServer, dependencies: PollDependencies): void {
  const { registry, load, maxPollTimeoutMs } = dependencies;
  const deliveries = new DeliveryWatch(dependencies.metrics);
  server.on('poll', async (request, reply) => {
    const { target } = request;
    const timeoutMs = integerParameter(target, 'timeout', { maximum: maxPollTimeoutMs }) ?? DEFAULT_POLL_TIMEOUT_MS;
    const maxBytes = integerParameter(target, 'max_bytes', { maximum: MAX_INT32 }) ?? Number.POSITIVE_INFINITY;
    const onError = choiceParameter(target, 'on_error', ERROR_POLICIES) ?? 'fail';
    const session = await registry.inTime(() => sessionOf(registry, request));
    load.checkBytes(0);
    await poll(session, { ...dependencies, request, reply, timeoutMs, maxBytes, onError, deliveries });
    return reply;
  });
}

interface PollContext extends Omit<PollDependencies, 'registry'> {
  request: Request;
  reply: FastifyReply;
  timeoutMs: number;
  maxBytes: number;
  onError: ErrorPolicy;
  deliveries: DeliveryWatch;
}

async function poll(session: Session, context: PollContext): Promise<void> {
  const { request, reply, timeoutMs, maxBytes, maxPollBytes, onError, metrics, deliveries } = context;
  if (timeoutMs < 0) {
    throw new BridgeError('kafkaRefused', {
      message: `java.lang.IllegalArgumentException: Invalid negative timeout ${timeoutMs}`,
    });
  }
  const { format } = session.options;
  session.checkSubscribed();
  if (!accepts(request.headers.accept, RECORDS[format])) throw new BridgeError('formatMismatch');
  if (request.raw.method === 'HEAD') {
    // HEAD must not take records that its client does not see.
    respondHead(reply, RECORDS[format]);
    return;
  }
  const { sender } = request;
  const heldBytes = sender.via === 'gateway' ? sender.maxResponseBytes : undefined;
  const wantedBytes = Math.min(maxPollBytes, heldBytes ?? maxPollBytes);
  const gone = new AbortController();
  const { raw } = reply;
  // The event follows every response, too.
  raw.once('close', () => {
    if (!raw.writableFinished) gone.abort();
  });
  probeHalfClosed(raw);
  request.watch?.polling(session.identity);
  await session.poll({
    timeoutMs,
    startedAtMs: performance.now(),
    signal: gone.signal,
    access: accessOf(sender),
    isConfirming: sender.via === 'gateway' && sender.delivered !== undefined,
    convert: async (reader, limits) => {
      const { onHeaders } = request.watch ?? {};
      const prepared = codecForReading(formatNamed(format), reader, { slices: request.slices, limits });
      const codec = prepared instanceof Promise ? await prepared : prepared;
      const text = await request.slices.run(responseText(reader, { codec, maxBytes, wantedBytes, onError, onHeaders }));
      request.watch?.polled(reader.count);
      return async (_reader, { takeBack, delivery }) => {
        if (delivery !== undefined && reader.count > 0) reply.header(DELIVERY_HEADER, delivery);
        deliveries.watch(request.raw.socket, takeBack);
        if (!(await write(text, RECORDS[format], context))) return false;
        metrics.countDelivered(reader.count, text.length);
        return true;
      };
    },
  });
}

/** Whether the whole response was sent. */
async function write(text: Buffer, contentType: string, context: PollContext): Promise<boolean> {
  const content = encoded(context.reply, text);
  return await writeEncoded(content instanceof Promise ? await content : content, contentType, context);
}

function writeEncoded(content: string | Buffer, contentType: string, { reply }: PollContext): Promise<boolean> {
  const { raw } = reply;
  if (raw.destroyed || raw.closed) return Promise.resolve(false);
  return new Promise((resolve) => {
    raw.once('finish', () => resolve(true));
    raw.once('close', () => resolve(false));
    respond(reply, content, contentType);
  });
}

/** Takes a response back when its connection breaks after it was written: the client cannot have read all of it. */
class DeliveryWatch {
  readonly #metrics: Metrics;
  /**
   * Of the last response of each connection; a client that reads the next one has read it. Made where the response itself is not in scope:
   * connections outlive it, and it is large.
   */
  readonly #takeBacks = new WeakMap<Socket, () => boolean>();

  constructor(metrics: Metrics) {
    this.#metrics = metrics;
  }

  watch(socket: Socket, takeBack: () => boolean): void {
    if (!this.#takeBacks.has(socket)) {
      // A reset, not an orderly end: TCP resets a connection that its client closes with data unread.
      socket.once('close', (hadError) => {
        if (hadError && this.#takeBacks.get(socket)?.() === true) this.#metrics.countTakenBack();
      });
    }
    this.#takeBacks.set(socket, takeBack);
  }
}
