/** Operations that store records: to a topic, and to one partition of it. */
import { KAFKA_V2 } from '@causeway/protocol/content-types.ts';
import { IDEMPOTENCY_KEY_HEADER, REPLAYED_HEADER, readKeyHeader } from '@causeway/protocol/idempotency.ts';
import { ProducerRecordList, ProducerRecordToPartitionList } from '@causeway/protocol/topics.ts';
import type { FastifyReply } from 'fastify';
import type { ClusterGate } from '../cluster-gate.ts';
import { BridgeError } from '../errors.ts';
import { fingerprintOf } from '../idempotency/answers.ts';
import { type ResultRun, resultsOf, SLICE_ENTRIES, storedCount } from '../idempotency/result-runs.ts';
import type { Metrics } from '../metrics.ts';
import type { ProduceResult, RecordToProduce } from '../records.ts';
import type { ReplicatedAcks } from '../replication/replicated-acks.ts';
import { booleanParameter, partitionParameter } from './parameters.ts';
import { readRecords } from './record-body.ts';
import { replicationWait, resultsIn } from './replicated-produce.ts';
import { respondEmpty, respondLong } from './responses.ts';
import type { ApiServer, Request } from './server.ts';

export interface ProduceDependencies {
  metrics: Metrics;
  isEnabled: boolean;
  /** The most records of one request. */
  maxRecords: number;
  /** Longer records cannot be stored. */
  maxRecordBytes: number;
  /** `undefined` while there is one cluster. */
  gate: ClusterGate | undefined;
  /** The same. */
  replicatedAcks: ReplicatedAcks | undefined;
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

async function produce(production: Production, dependencies: ProduceDependencies) {
  const { request, reply, isAsync, records } = production;
  const { metrics, isEnabled, gate, replicatedAcks } = dependencies;
  if (!isEnabled) throw new BridgeError('producerDisabled');
  if (request.headers[IDEMPOTENCY_KEY_HEADER] !== undefined) return await produceOnce(production, dependencies);
  const { sink } = request.kafka;
  const topic = request.url.topic ?? '';
  const wait = replicationWait({ target: request.target, topic, isAsync }, replicatedAcks);
  request.watch?.producing(topic, records);
  const bodyBytes = request.body?.length ?? 0;
  if (isAsync) {
    const { results } = await sink.takeOver(topic, records, bodyBytes);
    void results.then((stored) => countResults(stored, request, metrics));
    return respondEmpty(reply, 204);
  }
  const stored = await sink.send(topic, records, bodyBytes);
  countResults(stored, request, metrics);
  const results = wait === undefined ? stored : await wait.replicated(stored);
  const confirming = gate?.confirm(request.term);
  if (confirming !== undefined) await confirming;
  const text = request.slices.run(offsetsText(results));
  return respondLong(reply, text instanceof Promise ? await text : text, KAFKA_V2);
}

/** Stores the records of a request with an idempotency key, or repeats the answer that it got before. */
async function produceOnce(
  { request, reply, isAsync, records }: Production,
  { metrics, gate, replicatedAcks }: ProduceDependencies,
) {
  const header = readKeyHeader(request.headers[IDEMPOTENCY_KEY_HEADER]);
  if (header.kind !== 'key') {
    throw new BridgeError('badRequest', { message: header.kind === 'invalid' ? header.reason : 'no key' });
  }
  const { keyed } = request.kafka;
  if (keyed === undefined) throw new BridgeError('keyUnsupported');
  const { target, headers, body, sender } = request;
  const topic = request.url.topic ?? '';
  const wait = replicationWait({ target, topic, isAsync }, replicatedAcks);
  request.watch?.producing(topic, records);
  const { answer, results } = await keyed.send({
    key: header.key,
    principal: sender.via === 'gateway' ? sender.principal : undefined,
    fingerprint: fingerprintOf({ target, contentType: headers['content-type'], body }),
    sender: sender.via === 'gateway' ? sender : { via: 'client' },
    isAsync,
    isRelease: sender.via === 'gateway' && sender.releaseReason !== undefined,
    topic,
    records,
    bodyBytes: body?.length ?? 0,
    inSlices: (work) => request.slices.run(work),
  });
  if (results === undefined) reply.header(REPLAYED_HEADER, 'true');
  else countRuns(results, request, metrics);
  // The answer is kept: a repetition gets it when the other cluster has the records.
  if (wait !== undefined && answer.status === 200)
    await wait.confirm(results === undefined ? resultsIn(answer.body) : [...resultsOf(results)], {
      isReplay: results === undefined,
    });
  const confirming = gate?.confirm(request.term);
  if (confirming !== undefined) await confirming;
  return isAsync ? respondEmpty(reply, 204) : respondLong(reply.code(answer.status), answer.body, KAFKA_V2);
}

function countRuns(runs: readonly ResultRun[], { watch }: Request, metrics: Metrics): void {
  const count = storedCount(runs);
  metrics.countProduced(count, runs.reduce((sum, run) => sum + run.count, 0) - count);
  watch?.produced(resultsOf(runs));
}

function countResults(results: readonly ProduceResult[], { watch }: Request, metrics: Metrics): void {
  const storedCount = results.reduce((count, result) => count + ('offset' in result ? 1 : 0), 0);
  metrics.countProduced(storedCount, results.length - storedCount);
  watch?.produced(results);
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
