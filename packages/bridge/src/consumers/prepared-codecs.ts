/** Makes the codecs of a poll's response ready, before its records are written without a pause for anything else. */
import { BridgeError } from '../errors.ts';
import { type Decoder, type Format, hasSchemas, type SchemaFormat } from '../formats/codec.ts';
import { NO_SCHEMA_IDS, PREPARE_TIMEOUT_MS, type Preparation, prepareCodec } from '../formats/preparation.ts';
import { type Limits, remainingMs } from '../kafka/client/limits.ts';
import { NULL_FIELD } from '../kafka/fetch/record-cursor.ts';
import type { RecordReader } from '../kafka/fetch/record-reader.ts';

export type DecoderOfTopic = (topic: string) => Decoder;

/** Runs work in slices, between other work of the process. */
export interface SliceRunner {
  run<T>(work: Generator<void, T>): T | Promise<T>;
}

/** Records whose schema ids are read before other work of the process gets its turn. */
const SLICE_RECORDS = 5000;
/** Also a poll that is at its end gives schemas this long: otherwise one that does not wait would never get records. */
const MIN_PREPARE_MS = 1000;
/** Schemas that are prepared alone at a time. */
const MAX_ALONE = 16;

/**
 * The decoder of the records that the reader has; the reader then begins with the first of them. A format with schemas is prepared once for
 * each topic, with the ids that the topic's records name; what fails there fails when a record is decoded that needs it. `limits`: of the
 * poll. Errors: the reason of their signal.
 */
export function codecForReading(
  format: Format,
  reader: RecordReader,
  context: { slices: SliceRunner; limits: Limits },
): Decoder | Promise<DecoderOfTopic> {
  return hasSchemas(format) ? decodersByTopic(format, reader, context) : format;
}

async function decodersByTopic(
  format: SchemaFormat,
  reader: RecordReader,
  { slices, limits }: { slices: SliceRunner; limits: Limits },
): Promise<DecoderOfTopic> {
  const idsByTopic = await slices.run(schemaIds(format, reader));
  const { signal } = limits;
  const deadlineAtMs = performance.now() + Math.min(PREPARE_TIMEOUT_MS, Math.max(MIN_PREPARE_MS, remainingMs(limits)));
  const decoders = new Map<string, Decoder>();
  await Promise.all(
    [...idsByTopic].map(async ([topic, ids]) => {
      decoders.set(topic, await decoderOf(format, { topic, schemaIds: ids, deadlineAtMs, signal }));
    }),
  );
  return (topic) => {
    const decoder = decoders.get(topic);
    if (decoder === undefined) throw new TypeError(`no codec was prepared for ${topic}`);
    return decoder;
  };
}

/** A schema that fails leaves the records of the others readable. */
async function decoderOf(format: SchemaFormat, preparation: Preparation): Promise<Decoder> {
  const { decoder, hasFailed } = await decoderOrFailure(format, preparation);
  const { schemaIds: ids, deadlineAtMs } = preparation;
  if (!hasFailed || ids.size === 0 || remainingMs({ deadlineAtMs }) === 0) return decoder;
  const alone = async (schemaIds: ReadonlySet<number>): Promise<Decoder> => {
    const { topic, signal } = preparation;
    return (await decoderOrFailure(format, { topic, schemaIds, deadlineAtMs, signal })).decoder;
  };
  const byId = new Map<number | undefined, Decoder>([[undefined, await alone(NO_SCHEMA_IDS)]]);
  if (ids.size === 1) for (const id of ids) byId.set(id, decoder);
  else {
    const waiting = ids.values();
    const work = async (): Promise<void> => {
      for (const id of waiting) byId.set(id, await alone(new Set([id])));
    };
    await Promise.all(Array.from({ length: Math.min(MAX_ALONE, ids.size) }, work));
  }
  return decoderBySchema(format, byId);
}

/** A decoder that throws where the preparation fails. Errors: the signal's reason. */
async function decoderOrFailure(
  format: SchemaFormat,
  preparation: Preparation,
): Promise<{ decoder: Decoder; hasFailed: boolean }> {
  try {
    return { decoder: await prepareCodec(format, preparation), hasFailed: false };
  } catch (error) {
    if (preparation.signal?.aborted === true || !(error instanceof BridgeError)) throw error;
    const decode = (): never => {
      throw error;
    };
    return { decoder: { decode }, hasFailed: true };
  }
}

function decoderBySchema(format: SchemaFormat, byId: ReadonlyMap<number | undefined, Decoder>): Decoder {
  const decoderFor = (bytes: Buffer, start: number, end: number): Decoder =>
    byId.get(format.schemaIdOf(bytes, start, end)) as Decoder;
  return {
    isAnswer: (bytes, start, end) => decoderFor(bytes, start, end).isAnswer?.(bytes, start, end) === true,
    decode: (bytes) => decoderFor(bytes, 0, bytes.length).decode(bytes),
    *decodeInSlices(bytes) {
      const decoder = decoderFor(bytes, 0, bytes.length);
      return decoder.decodeInSlices === undefined ? decoder.decode(bytes) : yield* decoder.decodeInSlices(bytes);
    },
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
