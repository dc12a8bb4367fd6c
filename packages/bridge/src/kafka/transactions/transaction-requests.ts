/** Requests about transactions to their coordinator: https://kafka.apache.org/protocol#protocol_api_keys */
import {
  addPartitionsToTxnV3,
  apiVersionsV3,
  type Connection,
  endTxnV4,
  initProducerIdV4,
  type Reader,
  ResponseError,
  Writer,
} from '@platformatic/kafka';
import { partitionKey, type TopicPartition } from '../../records.ts';
import { responseIn } from '../client/failure.ts';
import { type ErrorId, errorIdOf, kafkaError } from '../client/kafka-errors.ts';

/** A producer with a transactional id. Kafka increments the epoch with each producer that takes the id over. */
export interface ProducerIdentity {
  producerId: bigint;
  epoch: number;
}

/** The kinds of transactions: 2 since Kafka 4.0, where the cluster has the feature `transaction.version` (KIP-890). */
export type TransactionVersion = 1 | 2;

const TRANSACTION_FEATURE = 'transaction.version';
const CLIENT_SOFTWARE = ['causeway', '1'] as const;

/** The kind of transactions that the cluster of a broker has. */
export async function transactionVersion(connection: Connection): Promise<TransactionVersion> {
  const { finalizedFeatures } = await apiVersionsV3.api.async(connection, ...CLIENT_SOFTWARE);
  const level = finalizedFeatures?.find(({ name }) => name === TRANSACTION_FEATURE)?.maxVersionLevel ?? 0;
  return level >= 2 ? 2 : 1;
}

export interface Initialization {
  transactionalId: string;
  timeoutMs: number;
  /** Begins this producer's next epoch, if no other one has taken the id over (KIP-360). Default: takes the id over. */
  identity?: ProducerIdentity | undefined;
}

/** What the library's defaults, 0 and 0, would not mean: any producer. */
const ANY_PRODUCER: ProducerIdentity = { producerId: -1n, epoch: -1 };

/** Takes the id over from the producer that has it, and aborts that one's transaction. */
export async function initProducer(
  connection: Connection,
  { transactionalId, timeoutMs, identity = ANY_PRODUCER }: Initialization,
): Promise<ProducerIdentity> {
  const { producerId, producerEpoch } = await initProducerIdV4.api.async(
    connection,
    transactionalId,
    timeoutMs,
    identity.producerId,
    identity.epoch,
  );
  return { producerId, epoch: producerEpoch };
}

/**
 * For transactions of version 1, before records for the partitions are sent. Returns why partitions were not added; then none is.
 * Errors: those of the library, also for a coordinator that has moved, which refuses each partition for that.
 */
export async function addPartitions(
  connection: Connection,
  { transactionalId, producerId, epoch }: ProducerIdentity & { transactionalId: string },
  partitions: readonly TopicPartition[],
): Promise<Map<string, ErrorId>> {
  const topics = [...Map.groupBy(partitions, ({ topic }) => topic)].map(([name, entries]) => ({
    name,
    partitions: entries.map(({ partition }) => partition),
  }));
  const transaction = { transactionalId, producerId, producerEpoch: epoch, verifyOnly: false, topics };
  try {
    await addPartitionsToTxnV3.api.async(connection, [transaction]);
    return new Map();
  } catch (error) {
    const partial = responseIn<addPartitionsToTxnV3.AddPartitionsToTxnResponse>(error);
    if (partial === undefined) throw error;
    const errors = errorsIn(partial);
    if ([...errors.values()].some(isOfCoordinator)) throw error;
    return errors;
  }
}

/** Whether the whole request helps later, or elsewhere; the transaction before may end a moment later. */
function isOfCoordinator(errorId: ErrorId): boolean {
  const { remedy } = kafkaError(errorId);
  return remedy === 'coordinator' || errorId === 'COORDINATOR_LOAD_IN_PROGRESS';
}

function errorsIn({ resultsByTransaction }: addPartitionsToTxnV3.AddPartitionsToTxnResponse): Map<string, ErrorId> {
  const errors = new Map<string, ErrorId>();
  for (const { name, resultsByPartition } of resultsByTransaction[0]?.topicResults ?? []) {
    for (const { partitionIndex, partitionErrorCode } of resultsByPartition) {
      const errorId = errorIdOf(partitionErrorCode);
      if (errorId !== undefined) errors.set(partitionKey(name, partitionIndex), errorId);
    }
  }
  return errors;
}

export interface Ending extends ProducerIdentity {
  transactionalId: string;
  isCommitted: boolean;
}

/** Ends the transaction; returns the identity for the next one. */
export async function endTransaction(
  connection: Connection,
  version: TransactionVersion,
  ending: Ending,
): Promise<ProducerIdentity> {
  const { transactionalId, producerId, epoch, isCommitted } = ending;
  if (version === 2) return await endTxnV5(connection, ending);
  await endTxnV4.api.async(connection, transactionalId, producerId, epoch, isCommitted);
  return { producerId, epoch };
}

const END_TXN_VERSION = 5;

/** EndTxn, version 5, which begins the next epoch. The library has it up to version 4. */
function endTxnV5(
  connection: Connection,
  { transactionalId, producerId, epoch, isCommitted }: Ending,
): Promise<ProducerIdentity> {
  const { key } = endTxnV4.api;
  const write = (): Writer =>
    Writer.create()
      .appendString(transactionalId)
      .appendInt64(producerId)
      .appendInt16(epoch)
      .appendBoolean(isCommitted)
      .appendTaggedFields();
  return new Promise((resolve, reject) => {
    const onAnswer = (error: Error | null, answer: unknown): void => {
      if (error === null) resolve(answer as ProducerIdentity);
      else reject(error);
    };
    connection.send(key, END_TXN_VERSION, write, readEndTxnV5 as never, true, true, onAnswer as never);
  });
}

function readEndTxnV5(_correlationId: number, apiKey: number, version: number, reader: Reader): ProducerIdentity {
  // Throttle time.
  reader.skip(4);
  const errorCode = reader.readInt16();
  const identity = { producerId: reader.readInt64(), epoch: reader.readInt16() };
  reader.readTaggedFields();
  if (errorCode !== 0) throw new ResponseError(apiKey, version, { '/': [errorCode, null] }, identity);
  return identity;
}
