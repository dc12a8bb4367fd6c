/** Operations on topics: what there is, and producing to it. */
import { KAFKA_V2, recordsFormat } from '@causeway/protocol/content-types.ts';
import { queryParameter } from '@causeway/protocol/paths.ts';
import { type KafkaHeader, ProducerRecordList, type TopicMetadata } from '@causeway/protocol/topics.ts';
import type { Codec } from '../codec/codec.ts';
import { codecOf } from '../codec/formats.ts';
import { BridgeError } from '../errors.ts';
import type { Metrics } from '../metrics.ts';
import type { ProduceResult, RecordHeader, RecordToProduce } from '../records.ts';
import { decodeBody, isEmptyBody } from './request-body.ts';
import { type ApiServer, answer, answerEmpty } from './server.ts';
import { exactText, wrongType } from './violations.ts';

/** What the routes need to know about topics. */
export interface TopicCatalog {
  /** Names of all topics that are not internal. */
  list(): Promise<string[]>;
  /** Errors: `unknownTopic`. */
  describe(topic: string): Promise<TopicMetadata>;
}

/** What stores records. */
export interface RecordSink {
  send(topic: string, records: readonly RecordToProduce[]): Promise<ProduceResult[]>;
}

export interface TopicDependencies {
  catalog: TopicCatalog;
  sink: RecordSink;
  metrics: Metrics;
}

/** The original answers so when `records` is absent, and clients' tests compare it. */
const RECORDS_ABSENT =
  'Cannot invoke "com.fasterxml.jackson.databind.node.ArrayNode.iterator()" because "jsonArray" is null';

export function addTopicRoutes(server: ApiServer, { catalog, sink, metrics }: TopicDependencies): void {
  server.on('listTopics', async (_request, reply) => answer(reply, JSON.stringify(await catalog.list())));
  server.on('getTopic', async ({ params }, reply) =>
    answer(reply, JSON.stringify(await catalog.describe(params['topic'] ?? ''))),
  );
  server.on('send', async ({ params, target, headers, body }, reply) => {
    const isAsync = asyncParameter(target);
    if (isEmptyBody(body)) throw new BridgeError('bodyMissing');
    const format = recordsFormat(headers['content-type']);
    if (format === undefined) throw new BridgeError('bodyTypeUnsupported');
    const { records } = decodeBody(body, ProducerRecordList) as ProducerRecordList;
    if (records === undefined) throw new BridgeError('invalidValue', { message: RECORDS_ABSENT });
    const codec = codecOf(format);
    const sent = sink.send(
      params['topic'] ?? '',
      records.map((record, index) => toProduce(record, index, codec)),
    );
    const counted = sent.then((results) => {
      const storedCount = results.reduce((count, result) => count + ('offset' in result ? 1 : 0), 0);
      metrics.countProduced(storedCount, results.length - storedCount);
      return results;
    });
    if (isAsync) return answerEmpty(reply, 204);
    return answer(reply, offsetsText(await counted), KAFKA_V2);
  });
}

function asyncParameter(target: string): boolean {
  const text = queryParameter(target, 'async');
  if (text === undefined || text === 'false') return false;
  if (text === 'true') return true;
  throw new BridgeError('schemaViolation', { validationErrors: [wrongType(readParameter(text), 'boolean')] });
}

/** A parameter is read like a JSON literal where it is one, and is a string otherwise. */
export function readParameter(text: string): unknown {
  if (text === 'true') return true;
  if (text === 'false') return false;
  if (text === 'null') return null;
  return /^[-+]?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?$/.test(text) ? Number(text) : text;
}

type RecordBody = NonNullable<ProducerRecordList['records']>[number];

function toProduce(record: RecordBody, index: number, codec: Codec): RecordToProduce {
  const { key, value, partition, timestamp, headers } = record;
  if (partition !== undefined && partition < 0) {
    throw new BridgeError('invalidValue', {
      message: `Invalid partition: ${partition}. Partition number should always be non-negative or null.`,
    });
  }
  if (timestamp !== undefined && Number(exactText(timestamp)) < 0) {
    throw new BridgeError('invalidValue', {
      message: `Invalid timestamp: ${timestamp}. Timestamp should always be non-negative or null.`,
    });
  }
  return {
    key: key === undefined ? null : codec.encode(key, { name: 'key', index }),
    value: value === null ? null : codec.encode(value, { name: 'value', index }),
    headers: headers?.map(toHeader),
    partition,
    timestampMs: timestamp === undefined ? undefined : BigInt(exactText(timestamp)),
  };
}

function toHeader({ key, value }: KafkaHeader): RecordHeader {
  return [Buffer.from(key), Buffer.from(value, 'base64')];
}

function offsetsText(results: readonly ProduceResult[]): string {
  const entries = results.map((result) =>
    'offset' in result
      ? `{"partition":${result.partition},"offset":${result.offset}}`
      : `{"error_code":${result.errorCode},"message":${JSON.stringify(result.message)}}`,
  );
  return `{"offsets":[${entries.join(',')}]}`;
}
