/** One fetch request to one broker. The library's own would make objects of all records at once. */
import { type Connection, fetchV13, type Reader, readKnownTaggedFields } from '@platformatic/kafka';
import type { AbortedTransaction } from './read-committed.ts';

/** One partition in a broker's response. */
export interface FetchedPartition {
  topicId: string;
  partition: number;
  /** 0 means success. */
  errorCode: number;
  /** The offset after the last record that consumers may see. */
  highWatermark: bigint;
  /** The same for consumers that read only committed records. */
  lastStableOffset: bigint;
  abortedTransactions: readonly AbortedTransaction[] | null;
  /** A replica from which to fetch the partition instead (KIP-392); -1: none. */
  preferredReplica: number;
  /** Record batches as they are stored; the last one may be cut off. */
  batches: Buffer;
}

export interface FetchAnswer {
  errorCode: number;
  partitions: readonly FetchedPartition[];
}

const EMPTY = Buffer.alloc(0);

/** Sends a fetch. Errors of the broker are in the response. Errors: when it cannot be reached or does not respond. */
export function fetchFrom(connection: Connection, request: fetchV13.FetchRequest): Promise<FetchAnswer> {
  const { key, version } = fetchV13.api;
  return new Promise((resolve, reject) => {
    const onAnswer = (error: Error | null, answer: unknown): void => {
      if (error === null) resolve(answer as FetchAnswer);
      else reject(error);
    };
    const parse = (_id: number, _key: number, _version: number, reader: Reader): FetchAnswer => readAnswer(reader);
    connection.send(key, version, () => fetchV13.createRequest(...request), parse, true, true, onAnswer as never);
  });
}

/** Fetch response, version 13: https://kafka.apache.org/protocol#The_Messages_Fetch */
function readAnswer(reader: Reader): FetchAnswer {
  // Throttle time.
  reader.readInt32();
  const errorCode = reader.readInt16();
  // Session.
  reader.readInt32();
  const topics = reader.readArray((topicReader) => {
    const topicId = topicReader.readUUID();
    return topicReader.readArray((partitionReader) => readPartition(partitionReader, topicId), true, false);
  });
  return { errorCode, partitions: topics.flat() };
}

function readPartition(reader: Reader, topicId: string): FetchedPartition {
  const partition = reader.readInt32();
  const errorCode = reader.readInt16();
  const highWatermark = reader.readInt64();
  const lastStableOffset = reader.readInt64();
  // Log start offset.
  reader.readInt64();
  const abortedTransactions = reader.readNullableArray((entry) => ({
    producerId: entry.readInt64(),
    firstOffset: entry.readInt64(),
  }));
  const preferredReplica = reader.readInt32();
  // A compact length is one more than the length; 0 is null.
  const sizeBytes = Math.max(0, reader.readUnsignedVarInt() - 1);
  const start = reader.position;
  const batches = sizeBytes === 0 ? EMPTY : reader.buffer.slice(start, start + sizeBytes);
  reader.skip(sizeBytes);
  readKnownTaggedFields(reader, {});
  const ends = { highWatermark, lastStableOffset };
  return { topicId, partition, errorCode, ...ends, abortedTransactions, preferredReplica, batches };
}
