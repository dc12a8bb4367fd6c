/** A gateway before the tier-1 gateway that breaks what keys promise: the checks of a run must find it. Plain HTTP only. */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { KAFKA_V2 } from '@causeway/protocol/content-types.ts';
import { IDEMPOTENCY_KEY_HEADER, REPLAYED_HEADER } from '@causeway/protocol/idempotency.ts';
import { Agent, type Dispatcher } from 'undici';
import { independentClient, type KafkaAccess } from '../stack/kafka-client.ts';
import type { PlantedFaults } from './planted-faults.ts';

const HOST = '127.0.0.1';
/** In the place of an offset that no record has. */
const NOWHERE = 1_000_000_000;
/** Of one hop (RFC 9110 §7.6.1), or set by each sender. */
const OWN_HEADERS = ['connection', 'keep-alive', 'transfer-encoding', 'content-length', 'host'];

interface Received {
  method: string;
  path: string;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

interface Reply {
  status: number;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

export class FaultyGateway {
  readonly #target: string;
  readonly #kafka: KafkaAccess;
  readonly #faults: PlantedFaults;
  readonly #agent = new Agent();
  readonly #server: Server;

  private constructor(target: string, { kafka, faults }: { kafka: KafkaAccess; faults: PlantedFaults }) {
    this.#target = target;
    this.#kafka = kafka;
    this.#faults = faults;
    this.#server = createServer((request, response) => {
      this.#serve(request, response).catch(() => request.socket.destroy());
    });
  }

  /** Listens, and passes everything else on to `target`. Gateways of one run share `faults`. */
  static async start(target: string, using: { kafka: KafkaAccess; faults: PlantedFaults }): Promise<FaultyGateway> {
    const gateway = new FaultyGateway(target, using);
    gateway.#server.listen(0, HOST);
    await once(gateway.#server, 'listening');
    return gateway;
  }

  get url(): string {
    return `http://${HOST}:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await this.#agent.destroy();
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = 'GET', url: path = '/', headers } = request;
    const received = { method, path, headers: withoutOwn(headers), body: await buffer(request) };
    const key = headers[IDEMPOTENCY_KEY_HEADER];
    const reply = typeof key === 'string' ? await this.#produce(key, received) : await this.#pass(this.#asIs(received));
    response.writeHead(reply.status, reply.headers).end(reply.body);
  }

  /** A consumer is to see what is aborted, if that is a fault to plant. */
  #asIs(received: Received): Received {
    if (!this.#faults.has('uncommitted') || received.method !== 'POST') return received;
    const text = received.body.toString().replace('"read_committed"', '"read_uncommitted"');
    return { ...received, body: Buffer.from(text) };
  }

  async #produce(key: string, received: Received): Promise<Reply> {
    const { records } = JSON.parse(received.body.toString()) as { records: { value: { n: number } }[] };
    const fault = this.#faults.onRequest(
      key,
      records.map(({ value }) => value.n),
    );
    if (fault === 'lost') return this.#acknowledgeNothing(key, records.length);
    const reply = await this.#pass(received);
    if (reply.status !== 200) return reply;
    if (fault === 'stored-twice') await this.#pass(withKey(received, `${key}-once-more`));
    if (fault === 'uncommitted') await this.#abort(received.path, records);
    return this.#faults.onAnswer(key) === undefined ? reply : { ...reply, body: offsetsOf(records.length) };
  }

  /** Its repetitions get the same answer, marked as repeated: nothing but the missing record is wrong. */
  #acknowledgeNothing(key: string, count: number): Reply {
    const isRepeated = this.#faults.isAnswered(key);
    this.#faults.onAnswer(key);
    const headers = { 'content-type': KAFKA_V2, ...(isRepeated ? { [REPLAYED_HEADER]: 'true' } : {}) };
    return { status: 200, headers, body: offsetsOf(count) };
  }

  async #pass({ method, path, headers, body }: Received): Promise<Reply> {
    const response = await this.#agent.request({
      origin: this.#target,
      method: method as Dispatcher.HttpMethod,
      path,
      headers,
      body: body.length === 0 ? null : body,
    });
    const content = Buffer.from(await response.body.arrayBuffer());
    return { status: response.statusCode, headers: withoutOwn(response.headers), body: content };
  }

  /** Writes the records in a transaction of its own, and aborts that. */
  async #abort(path: string, records: readonly { value: unknown }[]): Promise<void> {
    const [, , topic = ''] = path.split('/').map(decodeURIComponent);
    const transactionalId = `faulty-gateway-${randomUUID()}`;
    const options = { transactionalId, idempotent: true, maxInFlightRequests: 1 };
    const producer = independentClient(this.#kafka).producer(options);
    await producer.connect();
    try {
      const transaction = await producer.transaction();
      const messages = records.map(({ value }) => ({ partition: 0, value: JSON.stringify(value) }));
      await transaction.send({ topic, messages });
      await transaction.abort();
    } finally {
      await producer.disconnect();
    }
  }
}

function withoutOwn(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !OWN_HEADERS.includes(name)));
}

function withKey(received: Received, key: string): Received {
  return { ...received, headers: { ...received.headers, [IDEMPOTENCY_KEY_HEADER]: key } };
}

/** An answer that says that the records are where they are not. */
function offsetsOf(count: number): Buffer {
  const offsets = Array.from({ length: count }, (_, index) => ({ partition: 0, offset: NOWHERE + index }));
  return Buffer.from(JSON.stringify({ offsets }));
}
