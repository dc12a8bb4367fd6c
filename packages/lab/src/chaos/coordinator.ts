/** Finds the broker that coordinates the transactions of a transactional id. */
import { LabError } from '../errors.ts';
import { independentClient, type KafkaAccess } from '../stack/kafka-client.ts';
import type { RegionName } from '../stack/regions.ts';

const TRANSACTION_LOG = '__transaction_state';

/** The id by which the region's bridge stores keyed requests: that of its first lane. */
export function firstLaneOf(region: RegionName): string {
  return `causeway-answers-${region}/bridge-0`;
}

/** The id of the broker. Errors: `startFailed` while nothing was stored in a transaction. */
export async function transactionCoordinator(access: KafkaAccess, transactionalId: string): Promise<number> {
  const admin = independentClient(access).admin();
  await admin.connect();
  try {
    const { topics } = await admin.fetchTopicMetadata({ topics: [TRANSACTION_LOG] });
    const partitions = topics.flatMap(({ partitions: found }) => found);
    const number = coordinatingPartition(transactionalId, partitions.length);
    const partition = partitions.find(({ partitionId }) => partitionId === number);
    if (partition === undefined) throw new LabError('startFailed', 'Kafka has no transactions yet.');
    return partition.leader;
  } finally {
    await admin.disconnect();
  }
}

/** Whose leader is the coordinator, as in Kafka's `TransactionStateManager.partitionFor`. */
export function coordinatingPartition(transactionalId: string, partitionCount: number): number {
  return Math.abs(javaHash(transactionalId)) % partitionCount;
}

/** `String.hashCode` of Java. */
function javaHash(text: string): number {
  let hash = 0;
  for (let index = 0; index < text.length; index += 1) hash = (Math.imul(hash, 31) + text.charCodeAt(index)) | 0;
  return hash;
}
