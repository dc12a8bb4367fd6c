/**
 * Where MirrorMaker continues in its source: the positions that its Connect worker keeps in the target, in `mm2-offsets.<source>.internal`.
 * Written before a start, they make it begin there, as Connect's own API for a stopped connector does (KIP-875).
 */

import { createTopics } from './kafka.ts';
import { independentClient } from './kafka-client.ts';
import type { Direction } from './mirror-maker.ts';
import type { PartitionOffset } from './own-offsets.ts';

/** Every class name of Connect is its connector's name, too. */
const CONNECTOR = 'MirrorSourceConnector';

/**
 * The offsets of the first records to be mirrored, for a MirrorMaker that does not run. Other partitions keep their positions; a new one
 * begins at its first record.
 */
export async function writeSourcePositions(
  { source, target }: Direction,
  positions: readonly PartitionOffset[],
): Promise<void> {
  const topic = positionsTopic(source.name);
  const kafka = independentClient(target.bootstrap);
  const admin = kafka.admin();
  await admin.connect();
  try {
    if (!(await admin.listTopics()).includes(topic)) await createTopics(admin, [compactTopic(topic)]);
  } finally {
    await admin.disconnect();
  }
  const producer = kafka.producer();
  await producer.connect();
  try {
    await producer.send({ topic, messages: positions.map((position) => message(source.name, position)) });
  } finally {
    await producer.disconnect();
  }
}

export function positionsTopic(source: string): string {
  return `mm2-offsets.${source}.internal`;
}

/** As Connect makes it, which refuses one that is not compacted. */
function compactTopic(topic: string) {
  return {
    topic,
    numPartitions: 1,
    replicationFactor: -1,
    configEntries: [{ name: 'cleanup.policy', value: 'compact' }],
  };
}

/** Connect looks the key up by its bytes: the members' order counts. It keeps the offset of the last record that it has mirrored. */
function message(
  cluster: string,
  { topic, partition, offset }: PartitionOffset,
): { key: string; value: string | null } {
  return {
    key: JSON.stringify([CONNECTOR, { cluster, partition, topic }]),
    value: offset === 0 ? null : JSON.stringify({ offset: offset - 1 }),
  };
}
