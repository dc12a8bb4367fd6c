/** Makes the codecs of a poll's response ready, before its records are written without a pause for anything else. */
import { type Codec, type Format, hasSchemas, type SchemaFormat } from '../formats/codec.ts';
import { NULL_FIELD } from '../kafka/fetch/record-cursor.ts';
import type { RecordReader } from '../kafka/fetch/record-reader.ts';

export type CodecOfTopic = (topic: string) => Codec;

/** Runs work in slices, between other work of the process. */
export interface SliceRunner {
  run<T>(work: Generator<void, T>): T | Promise<T>;
}

/** Records whose schema ids are read before other work of the process gets its turn. */
const SLICE_RECORDS = 5000;

/**
 * The codec of the records that the reader has; the reader then begins with the first of them. A format with schemas is prepared once for
 * each topic, with the ids that the topic's records name. Errors: what the format's `prepare` throws.
 */
export function codecForReading(
  format: Format,
  reader: RecordReader,
  slices: SliceRunner,
): Codec | Promise<CodecOfTopic> {
  return hasSchemas(format) ? codecsByTopic(format, reader, slices) : format;
}

async function codecsByTopic(format: SchemaFormat, reader: RecordReader, slices: SliceRunner): Promise<CodecOfTopic> {
  const idsByTopic = await slices.run(schemaIds(format, reader));
  const codecs = new Map<string, Codec>();
  await Promise.all(
    [...idsByTopic].map(async ([topic, ids]) => {
      codecs.set(topic, await format.prepare(topic, ids));
    }),
  );
  return (topic) => {
    const codec = codecs.get(topic);
    if (codec === undefined) throw new TypeError(`no codec was prepared for ${topic}`);
    return codec;
  };
}

function* schemaIds(format: SchemaFormat, reader: RecordReader): Generator<void, Map<string, Set<number>>> {
  const idsByTopic = new Map<string, Set<number>>();
  while (reader.next()) {
    let ids = idsByTopic.get(reader.topic);
    if (ids === undefined) {
      ids = new Set();
      idsByTopic.set(reader.topic, ids);
    }
    if (reader.damage === undefined) {
      const { bytes, keyStart, keyEnd, valueStart, valueEnd } = reader.cursor;
      addId(ids, keyStart === NULL_FIELD ? undefined : format.schemaIdOf(bytes, keyStart, keyEnd));
      addId(ids, valueStart === NULL_FIELD ? undefined : format.schemaIdOf(bytes, valueStart, valueEnd));
    }
    if (reader.count % SLICE_RECORDS === 0) yield;
  }
  reader.restart();
  return idsByTopic;
}

function addId(ids: Set<number>, id: number | undefined): void {
  if (id !== undefined) ids.add(id);
}
