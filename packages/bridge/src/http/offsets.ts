/** Operations that commit, seek and show the positions of a consumer. */
import { OffsetCommitSeekList, Partitions } from '@causeway/protocol/consumers.ts';
import type { ConsumerRegistry } from '../consumers/registry.ts';
import { BridgeError } from '../errors.ts';
import type { PartitionOffset } from '../records.ts';
import {
  ABSENT_TOPIC,
  checkCount,
  checkTopicLength,
  checkTopicsOf,
  consumerBody,
  inSession,
  partitionsOf,
} from './consumer-request.ts';
import { respondEmpty, respondLong } from './responses.ts';
import type { ApiServer, Request } from './server.ts';
import { exactInteger } from './violations.ts';

const OFFSETS_ABSENT =
  'The request body has no "offsets": it must be a list of entries with topic, partition and offset';

const ENDS = { seekToBeginning: 'earliest', seekToEnd: 'latest' } as const;

export function addOffsetRoutes(server: ApiServer, registry: ConsumerRegistry): void {
  server.on('commit', async (request, reply) => {
    const body = (await consumerBody(request, OffsetCommitSeekList, { isOptional: true })) as
      | OffsetCommitSeekList
      | undefined;
    checkOffsets(request, body?.offsets ?? [], registry);
    await inSession(registry, request, async (session) => {
      const offsets = body?.offsets?.map(toOffset);
      if (offsets?.some(({ offset }) => offset < 0n) === true) {
        throw new BridgeError('invalidValue', { message: 'Invalid negative offset' });
      }
      await session.commit(offsets);
    });
    return respondEmpty(reply, 204);
  });
  server.on('seek', async (request, reply) => {
    const { offsets } = (await consumerBody(request, OffsetCommitSeekList)) as OffsetCommitSeekList;
    checkOffsets(request, offsets ?? [], registry);
    await inSession(registry, request, async (session) => {
      if (offsets === undefined) throw new BridgeError('invalidValue', { message: OFFSETS_ABSENT });
      await session.seek(offsets.map(toOffset));
    });
    return respondEmpty(reply, 204);
  });
  for (const operation of ['seekToBeginning', 'seekToEnd'] as const) {
    server.on(operation, async (request, reply) => {
      const body = (await consumerBody(request, Partitions)) as Partitions;
      checkCount(body.partitions ?? [], 'partitions', registry.maxPartitions);
      checkTopicsOf(request, body.partitions ?? []);
      await inSession(registry, request, async (session) => {
        const partitions = partitionsOf(body).map(({ topic = ABSENT_TOPIC, partition }) => ({
          topic,
          partition,
        }));
        await session.seekTo(ENDS[operation], partitions);
      });
      return respondEmpty(reply, 204);
    });
  }
}

/** An addition to the peer API: the positions of a consumer. */
export function addPositionReports(server: ApiServer, registry: ConsumerRegistry): void {
  server.on('listCommitted', async (request, reply) => {
    const committed = await inSession(registry, request, (session) => session.committed());
    return respondLong(reply, offsetsText(committed));
  });
  server.on('listPositions', async (request, reply) => {
    const positions = await inSession(registry, request, (session) => session.positions());
    return respondLong(reply, offsetsText(positions));
  });
}

function offsetsText(offsets: readonly PartitionOffset[]): string {
  const entries = offsets.map(
    ({ topic, partition, offset }) => `{"partition":${partition},"offset":${offset},"topic":${JSON.stringify(topic)}}`,
  );
  return `{"offsets":[${entries.join(',')}]}`;
}

type OffsetBody = NonNullable<OffsetCommitSeekList['offsets']>[number];

/** Errors: `tooManyEntries`, `invalidValue`, `forbidden`. */
function checkOffsets(request: Request, offsets: readonly OffsetBody[], { maxPartitions }: ConsumerRegistry): void {
  checkCount(offsets, 'offsets', maxPartitions);
  for (const { topic } of offsets) checkTopicLength(topic);
  checkTopicsOf(request, offsets);
}

function toOffset({ topic, partition, offset }: OffsetBody): PartitionOffset {
  return { topic, partition, offset: exactInteger(offset) };
}
