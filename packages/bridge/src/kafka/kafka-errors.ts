/** Counts what Kafka refused, by the protocol's name for it, and connections to brokers that failed. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Connection, ConnectionPool } from '@platformatic/kafka';
import { type ErrorId, errorIdOf, protocolErrorId } from './failure.ts';

/** Where the library tells of every answer that is an error. */
const ERROR_CHANNEL = 'tracing:plt:kafka:connections:api:error';
/** As Kafka's clients call a connection that cannot be made, or that ends while it is in use. */
const NO_CONNECTION: ErrorId = 'NETWORK_EXCEPTION';

/** There from the start, since a rate does not see a count that begins with 1. */
const ALWAYS_TOLD: readonly ErrorId[] = [NO_CONNECTION, 'NOT_LEADER_OR_FOLLOWER', 'NOT_COORDINATOR'];

export class KafkaErrors {
  /** By name; bounded by the protocol. */
  readonly counts = new Map<ErrorId, number>(ALWAYS_TOLD.map((id) => [id, 0]));
  /** The channel tells of everybody's connections. */
  readonly #own = new WeakSet<Connection>();

  constructor() {
    subscribe(ERROR_CHANNEL, this.#onError);
  }

  /** Counts the errors of a pool's connections, whoever uses them. */
  watch(pool: ConnectionPool): void {
    pool.on('connecting', ({ connection }: { connection: Connection }) => this.#watch(connection));
  }

  /** The error code of an answer that the library does not look into; 0 is none. */
  countCode(errorCode: number): void {
    const id = errorIdOf(errorCode);
    if (id !== undefined) this.#count(id);
  }

  close(): void {
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

  readonly #onError = (message: unknown): void => {
    const { connection, error } = message as { connection: Connection; error: unknown };
    if (!this.#own.has(connection)) return;
    const id = protocolErrorId(error);
    if (id !== undefined) this.#count(id);
  };

  #count(id: ErrorId): void {
    this.counts.set(id, (this.counts.get(id) ?? 0) + 1);
  }
}
