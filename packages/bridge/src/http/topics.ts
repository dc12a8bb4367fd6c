/** Operations that describe topics and partitions. */
import type { PartitionMetadata, TopicMetadata } from '@causeway/protocol/topics.ts';
import { accessOf, permittedOf } from '../consumers/topic-access.ts';
import { BridgeError } from '../errors.ts';
import type { OffsetRange } from '../records.ts';
import { partitionParameter } from './parameters.ts';
import { respond, respondLong } from './responses.ts';
import type { ApiServer } from './server.ts';

/** Describes topics. Errors: `unknownTopic`, `kafkaRefused`, `kafkaUnavailable`. */
export interface TopicCatalog {
  /** Names of all topics that are not internal. */
  list(): Promise<string[]>;
  describe(topic: string): Promise<TopicMetadata>;
  /** By number. */
  partitions(topic: string): Promise<PartitionMetadata[]>;
  /** `undefined` when the topic has no such partition. Errors: also `invalidValue` for an illegal name. */
  offsets(topic: string, partition: number): Promise<OffsetRange | undefined>;
}

export function addTopicRoutes(server: ApiServer, catalog: TopicCatalog): void {
  server.on('listTopics', async ({ sender }, reply) =>
    respondLong(reply, JSON.stringify(permittedOf(accessOf(sender), await catalog.list()))),
  );
  server.on('getTopic', async ({ url }, reply) =>
    respondLong(reply, JSON.stringify(await catalog.describe(url.topic ?? ''))),
  );
  server.on('listPartitions', async ({ url }, reply) =>
    respondLong(reply, JSON.stringify(await catalog.partitions(url.topic ?? ''))),
  );
  server.on('getPartition', async ({ url }, reply) => {
    const partition = partitionParameter(url);
    const partitions = await catalog.partitions(url.topic ?? '');
    const found = partitions.find((candidate) => candidate.partition === partition);
    if (found === undefined) throw new BridgeError('unknownPartition');
    return respond(reply, JSON.stringify(found));
  });
  server.on('getOffsets', async ({ url }, reply) => {
    const partition = partitionParameter(url);
    const topic = url.topic ?? '';
    const offsets = await catalog.offsets(topic, partition);
    if (offsets === undefined) {
      throw new BridgeError('unknownPartition', {
        message: `Topic '${topic}' does not have partition with id ${partition}`,
      });
    }
    return respond(reply, `{"beginning_offset":${offsets.beginning},"end_offset":${offsets.end}}`);
  });
}
