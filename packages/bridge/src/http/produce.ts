/** Operations that store records: to a topic, and to one partition of it. */
import { KAFKA_V2 } from '@causeway/protocol/content-types.ts';
import { ProducerRecordList, ProducerRecordToPartitionList } from '@causeway/protocol/topics.ts';
import type { FastifyReply } from 'fastify';
import { BridgeError } from '../errors.ts';
import type { Metrics } from '../metrics.ts';
import type { ProduceResult, RecordToProduce } from '../records.ts';
import { booleanParameter, partitionParameter } from './parameters.ts';
import { readRecords } from './record-body.ts';
import { respondEmpty, respondLong } from './responses.ts';
import type { ApiServer, Request } from './server.ts';

/** Entries of a response that are written before other work gets its turn. */
const SLICE_ENTRIES = 5000;

export interface ProduceDependencies {
  metrics: Metrics;
  isEnabled: boolean;
  /** The most records of one request. */
  maxRecords: number;
  /** Longer records cannot be stored. */
  maxRecordBytes: number;
}

export function addProduceRoutes(server: ApiServer, dependencies: ProduceDependencies): void {
  const { maxRecords, maxRecordBytes } = dependencies;
  const limits = { maxRecords, maxRecordBytes };
  server.on('send', async (request, reply) => {
    const isAsync = booleanParameter(request.target, 'async');
    const target = { schema: ProducerRecordList, partition: undefined, ...limits };
    const read = readRecords(request, request.url.topic ?? '', target);
    const records = read instanceof Promise ? await read : read;
    return await produce({ request, reply, isAsync, records }, dependencies);
  });
  server.on('sendToPartition', async (request, reply) => {
    const isAsync = booleanParameter(request.target, 'async');
    const partition = () => partitionParameter(request.url);
    const target = { schema: ProducerRecordToPartitionList, partition, ...limits };
    const read = readRecords(request, request.url.topic ?? '', target);
    const records = read instanceof Promise ? await read : read;
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
  const { metrics, isEnabled } = dependencies;
  if (!isEnabled) throw new BridgeError('producerDisabled');
  const { sink } = request.kafka;
  const topic = request.url.topic ?? '';
  request.watch?.producing(topic, records);
  const bodyBytes = request.body?.length ?? 0;
  const counted = (results: readonly ProduceResult[]): void => {
    const storedCount = results.reduce((count, result) => count + ('offset' in result ? 1 : 0), 0);
    metrics.countProduced(storedCount, results.length - storedCount);
    request.watch?.produced(results);
  };
  if (isAsync) {
    const { results } = await sink.takeOver(topic, records, bodyBytes);
    void results.then(counted);
    return respondEmpty(reply, 204);
  }
  const results = await sink.send(topic, records, bodyBytes);
  counted(results);
  const text = request.slices.run(offsetsText(results));
  return respondLong(reply, text instanceof Promise ? await text : text, KAFKA_V2);
}

/** The response, in slices: as UTF-8 when there is more than one. */
function* offsetsText(results: readonly ProduceResult[]): Generator<void, string | Buffer> {
  if (results.length <= SLICE_ENTRIES) return `{"offsets":[${entriesText(results)}]}`;
  const parts: Buffer[] = [];
  for (let first = 0; first < results.length; first += SLICE_ENTRIES) {
    yield;
    const text = entriesText(results.slice(first, first + SLICE_ENTRIES));
    parts.push(Buffer.from(first === 0 ? `{"offsets":[${text}` : `,${text}`));
  }
  yield;
  return Buffer.concat([...parts, Buffer.from(']}')]);
}

function entriesText(results: readonly ProduceResult[]): string {
  const entries = results.map((result) =>
    'offset' in result
      ? `{"partition":${result.partition},"offset":${result.offset}}`
      : `{"error_code":${result.errorCode},"message":${JSON.stringify(result.message)}}`,
  );
  return entries.join(',');
}
