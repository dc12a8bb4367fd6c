/** The coordinator of a transactional id, and the requests to it, which wait while the transaction before ends. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Connection } from '@platformatic/kafka';
import type { TopicPartition } from '../../records.ts';
import type { Cluster } from '../client/cluster.ts';
import { Coordinator } from '../client/coordinator.ts';
import { protocolErrorId } from '../client/failure.ts';
import { type ErrorId, isForbidden, kafkaError } from '../client/kafka-errors.ts';
import { backoffMs, type Limits, remainingMs, within } from '../client/limits.ts';
import {
  addPartitions,
  endTransaction,
  initProducer,
  type ProducerIdentity,
  type TransactionVersion,
} from './transaction-requests.ts';
import { untilSettled } from './until-settled.ts';

/** While the markers of the last transaction are written, Kafka refuses the next one. */
export const CONCURRENT_PAUSES = { minMs: 1, maxMs: 50 } as const;
/** After this long, a batch is sent nevertheless. */
const SETTLING_LIMIT_MS = 1000;

export interface EndOutcome {
  identity: ProducerIdentity;
  /** An earlier request may still be on its way. */
  isRepeated: boolean;
}

export class TransactionCoordinator {
  readonly #transactionalId: string;
  readonly #timeoutMs: number;
  readonly #coordinator: Coordinator;

  constructor(cluster: Cluster, { transactionalId, timeoutMs }: { transactionalId: string; timeoutMs: number }) {
    this.#transactionalId = transactionalId;
    this.#timeoutMs = timeoutMs;
    this.#coordinator = new Coordinator(cluster, { kind: 'transaction', key: transactionalId });
  }

  /** Takes the id over, or begins the next epoch of this producer, if it has the id still. Errors: those of the library. */
  async init(identity: ProducerIdentity | undefined, limits: Limits): Promise<ProducerIdentity> {
    const initialization = { transactionalId: this.#transactionalId, timeoutMs: this.#timeoutMs, identity };
    const begin = (connection: Connection): Promise<ProducerIdentity> => initProducer(connection, initialization);
    return await this.#whileConcurrent(() => this.#coordinator.sendAndStore(begin, limits), limits);
  }

  /** Errors: as {@link addPartitions}. */
  async add(
    identity: ProducerIdentity,
    partitions: readonly TopicPartition[],
    limits: Limits,
  ): Promise<Map<string, ErrorId>> {
    const transaction = Object.assign({ transactionalId: this.#transactionalId }, identity);
    const add = (connection: Connection) => addPartitions(connection, transaction, partitions);
    return await this.#coordinator.sendAndStore(add, limits);
  }

  /**
   * Ends the transaction. `onDoubt` is called with whether the coordinator may have followed a request, or may follow one later.
   * Errors: those of the library.
   */
  async end(
    {
      version,
      identity,
      isCommitted,
    }: { version: TransactionVersion; identity: ProducerIdentity; isCommitted: boolean },
    limits: Limits,
    onDoubt: (isInDoubt: boolean) => void,
  ): Promise<EndOutcome> {
    const ending = Object.assign({ transactionalId: this.#transactionalId, isCommitted }, identity);
    let openCount = 0;
    const count = (change: 1 | -1): void => {
      openCount += change;
      onDoubt(openCount > 0);
    };
    const end = async (connection: Connection): Promise<ProducerIdentity> => {
      count(1);
      try {
        return await endTransaction(connection, version, ending);
      } catch (error) {
        if (isDecided(error)) count(-1);
        throw error;
      }
    };
    const next = await this.#whileConcurrent(() => this.#coordinator.sendAndStore(end, limits), limits);
    return { identity: next, isRepeated: openCount > 1 };
  }

  /** Never rejects. */
  async untilSettled(): Promise<void> {
    await untilSettled(this.#coordinator, this.#transactionalId, within(SETTLING_LIMIT_MS)).catch(() => {});
  }

  async #whileConcurrent<T>(send: () => Promise<T>, limits: Limits): Promise<T> {
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await send();
      } catch (error) {
        const pauseMs = backoffMs(attempt, CONCURRENT_PAUSES);
        if (protocolErrorId(error) !== 'CONCURRENT_TRANSACTIONS' || remainingMs(limits) <= pauseMs) throw error;
        await delay(pauseMs);
      }
    }
  }
}

/** Whether the coordinator has not ended the transaction, and will not, because of the request that failed so. */
function isDecided(error: unknown): boolean {
  const errorId = protocolErrorId(error);
  return errorId !== undefined && (kafkaError(errorId).endsTransaction === true || isForbidden(errorId));
}
