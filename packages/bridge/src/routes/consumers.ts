/** Operations on consumers. */
import type { Socket } from 'node:net';
import { ConsumerOptions, type CreatedConsumer, OffsetCommitSeekList, Topics } from '@causeway/protocol/consumers.ts';
import { accepts, isConsumerBody, RECORDS } from '@causeway/protocol/content-types.ts';
import type { FastifyReply } from 'fastify';
import { codecOf } from '../codec/formats.ts';
import { answerText } from '../consumers/answer-text.ts';
import type { ConsumerRegistry } from '../consumers/registry.ts';
import type { Delivery, Session, SessionIdentity } from '../consumers/session.ts';
import { readFormat, readSessionOptions } from '../consumers/session-options.ts';
import { BridgeError } from '../errors.ts';
import type { Metrics } from '../metrics.ts';
import type { PartitionOffset, StoredRecord } from '../records.ts';
import { baseUri } from './base-uri.ts';
import { integerParameter } from './parameters.ts';
import { decodeBody, isEmptyBody } from './request-body.ts';
import { type ApiServer, answer, answerEmpty, type Request } from './server.ts';
import { exactInteger } from './violations.ts';

export interface ConsumerDependencies {
  registry: ConsumerRegistry;
  metrics: Metrics;
}

const DEFAULT_POLL_TIMEOUT_MS = 100;
/** Longest delay of a timer in Node, and far beyond any client's patience. */
const MAX_POLL_TIMEOUT_MS = 2 ** 31 - 1;

export function addConsumerRoutes(server: ApiServer, { registry, metrics }: ConsumerDependencies): void {
  const deliveries = new DeliveryWatch();

  server.on('createConsumer', async (request, reply) => {
    const body = consumerBody(request, ConsumerOptions, { isOptional: true }) as ConsumerOptions | undefined;
    return answer(reply, JSON.stringify(createConsumer(registry, request, body ?? {})));
  });

  server.on('deleteConsumer', async ({ params }, reply) => {
    await registry.delete(identityOf(params));
    return answerEmpty(reply, 204);
  });

  server.on('subscribe', async (request, reply) => {
    const body = consumerBody(request, Topics) as Topics;
    const session = registry.find(identityOf(request.params));
    await session.subscribe(topicsToSubscribe(body));
    return answerEmpty(reply, 204);
  });

  server.on('poll', async (request, reply) => {
    const timeoutMs = integerParameter(request.target, 'timeout') ?? DEFAULT_POLL_TIMEOUT_MS;
    const maxBytes = integerParameter(request.target, 'max_bytes') ?? Number.POSITIVE_INFINITY;
    const session = registry.find(identityOf(request.params));
    await poll(session, { request, reply, timeoutMs, maxBytes, metrics, deliveries });
    return reply;
  });

  server.on('commit', async (request, reply) => {
    const body = consumerBody(request, OffsetCommitSeekList, { isOptional: true }) as OffsetCommitSeekList | undefined;
    const session = registry.find(identityOf(request.params));
    await session.commit(body?.offsets?.map(toOffset));
    return answerEmpty(reply, 204);
  });
}

function createConsumer(registry: ConsumerRegistry, request: Request, body: ConsumerOptions): CreatedConsumer {
  readFormat(body);
  const identity = { group: request.params['group'] ?? '', name: body.name ?? registry.generateName() };
  if (registry.has(identity)) throw new BridgeError('consumerExists');
  const queryStart = request.target.indexOf('?');
  const path = queryStart === -1 ? request.target : request.target.slice(0, queryStart);
  const base_uri = baseUri({ headers: request.headers, path, scheme: 'http' }, identity.name);
  registry.create(identity, readSessionOptions(body, registry.defaults));
  return { instance_id: identity.name, base_uri };
}

function identityOf(params: Request['params']): SessionIdentity {
  return { group: params['group'] ?? '', name: params['instance'] ?? '' };
}

/** Errors: `bodyMissing`, `bodyTypeUnsupported`, `bodyUndecodable`, `schemaViolation`. */
function consumerBody({ headers, body }: Request, schema: object, { isOptional = false } = {}): unknown {
  if (isOptional && isEmptyBody(body)) return undefined;
  if (isEmptyBody(body)) throw new BridgeError('bodyMissing');
  if (!isConsumerBody(headers['content-type'])) throw new BridgeError('bodyTypeUnsupported');
  return decodeBody(body, schema);
}

function topicsToSubscribe({ topics, topic_pattern }: Topics): readonly string[] {
  if (topics !== undefined && topic_pattern !== undefined) throw new BridgeError('subscriptionConflict');
  if (topic_pattern !== undefined) {
    throw new BridgeError('notSupported', { message: 'Subscriptions to a topic_pattern are not supported yet' });
  }
  if (topics === undefined) {
    throw new BridgeError('invalidValue', {
      message: 'A list (of Topics type) or a topic_pattern must be specified.',
    });
  }
  if (topics.some((topic) => topic.trim() === '')) {
    throw new BridgeError('kafkaRefused', {
      message:
        'java.lang.IllegalArgumentException: Topic collection to subscribe to cannot contain null or empty topic',
    });
  }
  return topics;
}

function toOffset({ topic, partition, offset }: { topic: string; partition: number; offset: number }): PartitionOffset {
  const exact = exactInteger(offset);
  if (exact < 0n) {
    throw new BridgeError('invalidValue', { message: 'Invalid negative offset' });
  }
  return { topic, partition, offset: exact };
}

interface PollContext {
  request: Request;
  reply: FastifyReply;
  timeoutMs: number;
  maxBytes: number;
  metrics: Metrics;
  deliveries: DeliveryWatch;
}

async function poll(session: Session, context: PollContext): Promise<void> {
  const { request, reply, timeoutMs, maxBytes, metrics, deliveries } = context;
  if (timeoutMs < 0) {
    throw new BridgeError('kafkaRefused', {
      message: `java.lang.IllegalArgumentException: Invalid negative timeout ${timeoutMs}`,
    });
  }
  const { format } = session.options;
  session.checkSubscribed();
  if (!accepts(request.headers.accept, RECORDS[format])) throw new BridgeError('formatMismatch');
  const gone = new AbortController();
  const onClose = (): void => gone.abort();
  reply.raw.once('close', onClose);
  await session.poll({
    timeoutMs: Math.min(timeoutMs, MAX_POLL_TIMEOUT_MS),
    signal: gone.signal,
    deliver: async (records: readonly StoredRecord[], takeBack): Promise<Delivery> => {
      const { text, recordCount } = answerText(records, codecOf(format), maxBytes);
      deliveries.watch(request.raw.socket, () => {
        if (takeBack()) metrics.countTakenBack();
      });
      if (!(await write(reply, text, RECORDS[format]))) return { writtenCount: undefined };
      metrics.countDelivered(recordCount);
      return { writtenCount: recordCount };
    },
  });
}

/** Whether the whole answer left for the client. */
function write(reply: FastifyReply, text: string | Buffer, contentType: string): Promise<boolean> {
  const { raw } = reply;
  if (raw.destroyed || raw.closed) return Promise.resolve(false);
  return new Promise((resolve) => {
    raw.once('finish', () => resolve(true));
    raw.once('close', () => resolve(false));
    answer(reply, text, contentType);
  });
}

/** Takes an answer back when its connection breaks after it was written: the client cannot have read it all. */
class DeliveryWatch {
  /** The last answer of each connection; a client that reads the next one has read it. */
  readonly #takeBacks = new WeakMap<Socket, () => void>();

  watch(socket: Socket, takeBack: () => void): void {
    if (!this.#takeBacks.has(socket)) {
      // A reset, not an orderly end: TCP resets a connection that is closed with data unread.
      socket.once('close', (hadError) => {
        if (hadError) this.#takeBacks.get(socket)?.();
      });
    }
    this.#takeBacks.set(socket, takeBack);
  }
}
