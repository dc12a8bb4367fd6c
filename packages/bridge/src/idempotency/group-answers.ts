/** The answers of a group of requests: made from their results, and stored in the transaction that is open. */
import type { Limits } from '../kafka/client/limits.ts';
import { TransactionEnded } from '../kafka/transactions/transaction-ended.ts';
import type { TransactionalProducer } from '../kafka/transactions/transactional-producer.ts';
import { serializedBytes } from '../producer/record-size.ts';
import type { RecordToProduce } from '../records.ts';
import { type Answer, encodeAnswer, encodeRuns } from './answers.ts';
import type { KeyedRequest } from './keyed-request.ts';
import { recordOf } from './leaving-slots.ts';
import { inOrder, resultsText } from './result-runs.ts';
import { ANSWER_TOPIC } from './topics.ts';

/** Answers of one batch, at most: a topic takes it, and a repetition reads it all. */
const BATCH_BYTES = 262_144;

export interface StoreAnswersOptions {
  /** Of the lane. */
  partition: number;
  limits: Limits;
}

/** Stores the answers for the results of the requests; returns the offset of each. Errors: `TransactionEnded`. */
export async function storeAnswers(
  producer: TransactionalProducer,
  group: readonly KeyedRequest[],
  { partition, limits }: StoreAnswersOptions,
): Promise<number[]> {
  const offsets: number[] = [];
  let records: RecordToProduce[] = [];
  let bytes = 0;
  const store = async (): Promise<void> => {
    const [outcome] = await producer.send([{ topic: ANSWER_TOPIC, partition, records }], limits);
    if (outcome?.kind !== 'stored')
      throw new TransactionEnded(`the answers were refused: ${outcome?.message}`, { errorId: outcome?.errorId });
    for (const place of records.keys()) offsets.push(Number(outcome.baseOffset) + place);
    [records, bytes] = [[], 0];
  };
  for (const record of await Promise.all(group.map(answerRecord))) {
    const recordBytes = serializedBytes(record);
    if (records.length > 0 && bytes + recordBytes > BATCH_BYTES) await store();
    records.push(record);
    bytes += recordBytes;
  }
  if (records.length > 0) await store();
  return offsets;
}

/** The answer of a request in the log. Long ones are compressed in other threads. */
function answerRecord(request: KeyedRequest): RecordToProduce | Promise<RecordToProduce> {
  const { identity, fingerprint } = request;
  request.results = inOrder(request.results);
  // Of an attempt before.
  request.answer = undefined;
  const runs = encodeRuns(fingerprint, request.results);
  if (runs !== undefined) return recordOf(identity, runs);
  return answerOf(request)
    .then((answer) => encodeAnswer(Object.assign({ fingerprint }, answer)))
    .then((value) => recordOf(identity, value));
}

/** What the client of a request gets for its results. */
export async function answerOf(request: KeyedRequest): Promise<Answer> {
  if (request.answer === undefined) {
    const text = request.inSlices(resultsText(request.results));
    request.answer = { status: 200, body: text instanceof Promise ? await text : text };
  }
  return request.answer;
}
