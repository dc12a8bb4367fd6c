/** Counts requests to Kafka and errors from it, by the protocol's names, and failed connections to brokers. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { Distribution, MILLISECONDS_PER_SECOND } from '@causeway/metrics/distribution.ts';
import { type Connection, type ConnectionPool, protocolAPIsById } from '@platformatic/kafka';
import { authenticationFailureIn, protocolErrorId } from './failure.ts';
import { type ErrorId, errorIdOf, kafkaError } from './kafka-errors.ts';

/** The channels on which the library reports each request, each response, and each response with an error. */
const START_CHANNEL = 'tracing:plt:kafka:connections:api:start';
const ANSWER_CHANNEL = 'tracing:plt:kafka:connections:api:asyncStart';
const ERROR_CHANNEL = 'tracing:plt:kafka:connections:api:error';
/** Kafka's name for a connection that cannot be made, or that breaks while it is in use. */
const NO_CONNECTION: ErrorId = 'NETWORK_EXCEPTION';

/** Shown with 0 from the start: a rate does not see a counter that appears with 1. */
const ALWAYS_SHOWN: readonly ErrorId[] = [NO_CONNECTION, 'NOT_LEADER_OR_FOLLOWER', 'NOT_COORDINATOR'];

/** More than the highest API key (93 in Kafka 4.3). */
const API_COUNT = 128;

export class KafkaTraffic {
  /** Errors by name; bounded by the protocol. */
  readonly errorCounts = new Map<ErrorId, number>(ALWAYS_SHOWN.map((id) => [id, 0]));
  /** From a produce request, of clients or of the session log, to its response or failure; in milliseconds. */
  readonly produceDurations = new Distribution({
    bounds: [1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000],
    perBaseUnit: MILLISECONDS_PER_SECOND,
  });
  /** When a broker last responded, also with an error; on the clock of `performance.now()`. */
  answeredAtMs = Number.NEGATIVE_INFINITY;
  /** Requests by API key. */
  readonly #requestCounts = new Float64Array(API_COUNT);
  /** The channels report the connections of all clusters in the process. */
  readonly #own = new WeakSet<Connection>();
  /** Those that authenticate as a client. */
  readonly #ofClients = new WeakSet<Connection>();

  constructor() {
    subscribe(START_CHANNEL, this.#onStart);
    subscribe(ANSWER_CHANNEL, this.#onAnswer);
    subscribe(ERROR_CHANNEL, this.#onError);
  }

  /** Counts the requests on a pool's connections. `isOfClient`: credentials that Kafka refuses are no error of Kafka. Default: false. */
  watch(pool: ConnectionPool, { isOfClient = false } = {}): void {
    pool.on('connecting', ({ connection }: { connection: Connection }) => {
      if (isOfClient) this.#ofClients.add(connection);
      this.#watch(connection, isOfClient);
    });
  }

  /** Counts the error code of a response that the library does not check; 0 means success. */
  countCode(errorCode: number): void {
    const id = errorIdOf(errorCode);
    if (id !== undefined) this.#count(id);
  }

  /** The number of requests of each kind that was sent, by Kafka's name. */
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

  /** Errors and failed connections that are Kafka's fault. */
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

  #watch(connection: Connection, isOfClient: boolean): void {
    this.#own.add(connection);
    let isOver = false;
    const onFailed = (error?: unknown): void => {
      const isRefused = isOfClient && authenticationFailureIn(error) === 'refused';
      if (!isOver && !isRefused) this.#count(NO_CONNECTION);
      isOver = true;
    };
    connection.once('error', onFailed);
    connection.once('close', onFailed);
    // The bridge closes it.
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
    if (id === 'SASL_AUTHENTICATION_FAILED' && this.#ofClients.has(connection)) return;
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
