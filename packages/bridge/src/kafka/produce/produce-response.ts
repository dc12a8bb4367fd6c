/** Reads the broker's response to a produce request. */
import type { Reader } from '@platformatic/kafka';

/** The result of one partition's batch. */
export interface PartitionAnswer {
  index: number;
  errorCode: number;
  baseOffset: bigint;
  recordErrors: RecordError[];
  errorMessage: string | null;
}

/** A record that the broker refuses, by its place in the batch. */
export interface RecordError {
  batchIndex: number;
  message: string | null;
}

export interface TopicAnswer {
  name: string;
  partitions: PartitionAnswer[];
}

/**
 * Produce response, versions 9 to 12: https://kafka.apache.org/protocol#The_Messages_Produce. The library's own reader makes an
 * error, with a stack, of each record that the broker refuses: 10,000 of them hold the event loop for 100 ms.
 */
export function readProduceResponse(_correlationId: number, _apiKey: number, _version: number, reader: Reader) {
  const topics = reader.readArray(topicAnswer);
  // Throttle time.
  reader.skip(4);
  reader.readTaggedFields();
  return topics;
}

function topicAnswer(reader: Reader): TopicAnswer {
  return { name: reader.readString(), partitions: reader.readArray(partitionAnswer) };
}

function partitionAnswer(reader: Reader): PartitionAnswer {
  const [index, errorCode, baseOffset] = [reader.readInt32(), reader.readInt16(), reader.readInt64()];
  // Time of appending, and where the log starts.
  reader.skip(16);
  const recordErrors = reader.readArray(recordError);
  return { index, errorCode, baseOffset, recordErrors, errorMessage: reader.readNullableString() };
}

function recordError(reader: Reader): RecordError {
  return { batchIndex: reader.readInt32(), message: reader.readNullableString() };
}
