/** Operations that describe topics and partitions. */
import { accessOf, permittedOf } from '../consumers/topic-access.ts';
import { BridgeError } from '../errors.ts';
import { partitionParameter } from './parameters.ts';
import { respond, respondLong } from './responses.ts';
import type { ApiServer } from './server.ts';

export function addTopicRoutes(server: ApiServer): void {
  server.on('listTopics', async ({ sender, kafka }, reply) =>
    respondLong(reply, JSON.stringify(permittedOf(accessOf(sender), await kafka.catalog.list()))),
  );
  server.on('getTopic', async ({ url, kafka }, reply) =>
    respondLong(reply, JSON.stringify(await kafka.catalog.describe(url.topic ?? ''))),
  );
  server.on('listPartitions', async ({ url, kafka }, reply) =>
    respondLong(reply, JSON.stringify(await kafka.catalog.partitions(url.topic ?? ''))),
  );
  server.on('getPartition', async ({ url, kafka }, reply) => {
    const partition = partitionParameter(url);
    const partitions = await kafka.catalog.partitions(url.topic ?? '');
    const found = partitions.find((candidate) => candidate.partition === partition);
    if (found === undefined) throw new BridgeError('unknownPartition');
    return respond(reply, JSON.stringify(found));
  });
  server.on('getOffsets', async ({ url, kafka }, reply) => {
    const partition = partitionParameter(url);
    const topic = url.topic ?? '';
    const offsets = await kafka.catalog.offsets(topic, partition);
    if (offsets === undefined) {
      throw new BridgeError('unknownPartition', {
        message: `Topic '${topic}' does not have partition with id ${partition}`,
      });
    }
    return respond(reply, `{"beginning_offset":${offsets.beginning},"end_offset":${offsets.end}}`);
  });
}
