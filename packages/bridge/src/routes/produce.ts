/** Operations that store records: to a topic, and to one partition of it. */
import { KAFKA_V2, recordsFormat } from '@causeway/protocol/content-types.ts';
import {
  type KafkaHeader,
  type ProducerRecord,
  ProducerRecordList,
  ProducerRecordToPartitionList,
} from '@causeway/protocol/topics.ts';
import type { FastifyReply } from 'fastify';
import type { Codec } from '../codec/codec.ts';
import { codecOf } from '../codec/formats.ts';
import { BridgeError } from '../errors.ts';
import type { Metrics } from '../metrics.ts';
import type { ProduceResult, RecordHeader, RecordToProduce } from '../records.ts';
import { booleanParameter, partitionParameter } from './parameters.ts';
import { decodeBody, isEmptyBody } from './request-body.ts';
import { type ApiServer, answer, answerEmpty, type Request } from './server.ts';
import { exactInteger } from './violations.ts';

/** What stores records. */
export interface RecordSink {
  send(topic: string, records: readonly RecordToProduce[]): Promise<ProduceResult[]>;
}

export interface ProduceDependencies {
  sink: RecordSink;
  metrics: Metrics;
  isEnabled: boolean;
  /** Of one request. */
  maxRecords: number;
}

/** The original answers so when `records` is absent, and clients' tests compare it. */
const RECORDS_ABSENT =
  'Cannot invoke "com.fasterxml.jackson.databind.node.ArrayNode.iterator()" because "jsonArray" is null';

export function addProduceRoutes(server: ApiServer, dependencies: ProduceDependencies): void {
  server.on('send', async (request, reply) => {
    const isAsync = booleanParameter(request.target, 'async');
    const records = recordsOf(request, ProducerRecordList, undefined);
    return await produce({ request, reply, isAsync, records }, dependencies);
  });
  server.on('sendToPartition', async (request, reply) => {
    const isAsync = booleanParameter(request.target, 'async');
    const partition = () => partitionParameter(request.params);
    const records = recordsOf(request, ProducerRecordToPartitionList, partition);
    return await produce({ request, reply, isAsync, records }, dependencies);
  });
}

interface Production {
  request: Request;
  reply: FastifyReply;
  isAsync: boolean;
  records: RecordToProduce[];
}

async function produce({ request, reply, isAsync, records }: Production, dependencies: ProduceDependencies) {
  const { sink, metrics, isEnabled, maxRecords } = dependencies;
  if (!isEnabled) throw new BridgeError('producerDisabled');
  if (records.length > maxRecords) {
    throw new BridgeError('tooManyRecords', {
      message: `The request has ${records.length} records, more than the limit of ${maxRecords}`,
    });
  }
  const counted = sink.send(request.params['topic'] ?? '', records).then((results) => {
    const storedCount = results.reduce((count, result) => count + ('offset' in result ? 1 : 0), 0);
    metrics.countProduced(storedCount, results.length - storedCount);
    return results;
  });
  if (isAsync) return answerEmpty(reply, 204);
  return answer(reply, offsetsText(await counted), KAFKA_V2);
}

/** The records of a body; `partition` reads the one of the path, if the path has one. */
function recordsOf(
  { headers, body }: Request,
  schema: object,
  partition: (() => number) | undefined,
): RecordToProduce[] {
  if (isEmptyBody(body)) throw new BridgeError('bodyMissing');
  const format = recordsFormat(headers['content-type']);
  if (format === undefined) throw new BridgeError('bodyTypeUnsupported');
  const { records } = decodeBody(body, schema) as ProducerRecordList;
  const pathPartition = partition?.();
  if (records === undefined) throw new BridgeError('invalidValue', { message: RECORDS_ABSENT });
  const codec = codecOf(format);
  return records.map((record, index) => toProduce(record, index, { codec, pathPartition }));
}

interface Target {
  codec: Codec;
  /** All records of the request go there. */
  pathPartition: number | undefined;
}

function toProduce(record: ProducerRecord, index: number, { codec, pathPartition }: Target): RecordToProduce {
  const { key, value, timestamp, headers } = record;
  const partition = pathPartition ?? record.partition;
  if (partition !== undefined && partition < 0) {
    throw new BridgeError('invalidValue', {
      message: `Invalid partition: ${partition}. Partition number should always be non-negative or null.`,
    });
  }
  const timestampMs = timestamp === undefined ? undefined : exactInteger(timestamp);
  if (timestampMs !== undefined && timestampMs < 0n) {
    throw new BridgeError('invalidValue', {
      message: `Invalid timestamp: ${timestampMs}. Timestamp should always be non-negative or null.`,
    });
  }
  return {
    key: key === undefined ? null : codec.encode(key, { name: 'key', index }),
    value: value === null ? null : codec.encode(value, { name: 'value', index }),
    headers: headers?.map(toHeader),
    partition,
    timestampMs,
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
