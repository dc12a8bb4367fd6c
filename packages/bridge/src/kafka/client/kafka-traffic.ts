/** Counts what is sent to Kafka, what Kafka refused, by the protocol's names for them, and connections to brokers that failed. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { Distribution, MILLISECONDS_PER_SECOND } from '@causeway/metrics/distribution.ts';
import { type Connection, type ConnectionPool, protocolAPIsById } from '@platformatic/kafka';
import { protocolErrorId } from './failure.ts';
import { type ErrorId, errorIdOf, kafkaError } from './kafka-errors.ts';

/** Where the library tells of every request, of every answer, and of every answer that is an error. */
const START_CHANNEL = 'tracing:plt:kafka:connections:api:start';
const ANSWER_CHANNEL = 'tracing:plt:kafka:connections:api:asyncStart';
const ERROR_CHANNEL = 'tracing:plt:kafka:connections:api:error';
/** As Kafka's clients call a connection that cannot be made, or that ends while it is in use. */
const NO_CONNECTION: ErrorId = 'NETWORK_EXCEPTION';

/** There from the start, since a rate does not see a count that begins with 1. */
const ALWAYS_TOLD: readonly ErrorId[] = [NO_CONNECTION, 'NOT_LEADER_OR_FOLLOWER', 'NOT_COORDINATOR'];

/** Numbers of Kafka's kinds of requests are below it (93 at most in Kafka 4.3). */
const API_COUNT = 128;

export class KafkaTraffic {
  /** Refusals by name; bounded by the protocol. */
  readonly errorCounts = new Map<ErrorId, number>(ALWAYS_TOLD.map((id) => [id, 0]));
  /** From a produce request, of clients or of the session log, to its answer or its failure; in milliseconds. */
  readonly produceDurations = new Distribution({
    bounds: [1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000],
    perBaseUnit: MILLISECONDS_PER_SECOND,
  });
  /** When a broker answered last, whatever it said; on the clock of `performance.now()`. */
  answeredAtMs = Number.NEGATIVE_INFINITY;
  /** Requests by the number of their kind. */
  readonly #requestCounts = new Float64Array(API_COUNT);
  /** The channels tell of everybody's connections. */
  readonly #own = new WeakSet<Connection>();

  constructor() {
    subscribe(START_CHANNEL, this.#onStart);
    subscribe(ANSWER_CHANNEL, this.#onAnswer);
    subscribe(ERROR_CHANNEL, this.#onError);
  }

  /** Counts what goes over a pool's connections, whoever uses them. */
  watch(pool: ConnectionPool): void {
    pool.on('connecting', ({ connection }: { connection: Connection }) => this.#watch(connection));
  }

  /** The error code of an answer that the library does not look into; 0 is none. */
  countCode(errorCode: number): void {
    const id = errorIdOf(errorCode);
    if (id !== undefined) this.#count(id);
  }

  /** Of each kind of request that was sent, by Kafka's name for it. */
  *requestCounts(): Generator<[name: string, count: number]> {
    for (const [api, count] of this.#requestCounts.entries()) {
      if (count > 0) yield [(protocolAPIsById as Record<number, string>)[api] ?? String(api), count];
    }
  }

  get requestCount(): number {
    let total = 0;
    for (const count of this.#requestCounts) total += count;
    return total;
  }

  /** Refusals and failed connections, without what belongs to the normal course or is a client's own fault. */
  get failureCount(): number {
    let total = 0;
    for (const [id, count] of this.errorCounts) if (isFailure(id)) total += count;
    return total;
  }

  close(): void {
    unsubscribe(START_CHANNEL, this.#onStart);
    unsubscribe(ANSWER_CHANNEL, this.#onAnswer);
    unsubscribe(ERROR_CHANNEL, this.#onError);
  }

  #watch(connection: Connection): void {
    this.#own.add(connection);
    let isOver = false;
    const onFailed = (): void => {
      if (!isOver) this.#count(NO_CONNECTION);
      isOver = true;
    };
    connection.once('error', onFailed);
    connection.once('close', onFailed);
    // Closed by us, in order.
    connection.once('closing', () => {
      isOver = true;
    });
  }

  readonly #onStart = (message: unknown): void => {
    const { connection, apiKey } = message as { connection: Connection; apiKey: number };
    if (this.#own.has(connection)) this.#requestCounts[apiKey] = (this.#requestCounts[apiKey] ?? 0) + 1;
  };

  readonly #onAnswer = (message: unknown): void => {
    const { connection } = message as { connection: Connection };
    if (this.#own.has(connection)) this.answeredAtMs = performance.now();
  };

  readonly #onError = (message: unknown): void => {
    const { connection, error } = message as { connection: Connection; error: unknown };
    if (!this.#own.has(connection)) return;
    const id = protocolErrorId(error);
    if (id !== undefined) this.#count(id);
  };

  #count(id: ErrorId): void {
    this.errorCounts.set(id, (this.errorCounts.get(id) ?? 0) + 1);
  }
}

function isFailure(id: ErrorId): boolean {
  const { fault = 'kafka' } = kafkaError(id);
  return fault === 'kafka';
}
