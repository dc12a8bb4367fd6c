/** Judges a history of keyed requests by what the topic has: each key stored once, each answer true, all answers the same. Pure. */
import type { Place } from '../traffic/read-back.ts';
import type { KeyedRequest } from './history.ts';
import { type KeyOperation, type KeyResult, orderFault } from './key-order.ts';

/** The places of each record of a run, by its number, as a reader with `read_committed` sees them. */
export type StoredPlaces = ReadonlyMap<number, readonly Place[]>;

/** What is wrong, a sentence each, beginning with the key. */
export function faultsOfHistory(requests: readonly KeyedRequest[], stored: StoredPlaces): string[] {
  const byKey = Map.groupBy(requests, ({ key }) => key);
  return [...byKey].flatMap(([key, ofKey]) => faultsOfKey(ofKey, stored).map((fault) => `key ${key}: ${fault}`));
}

export interface KeyedSummary {
  keys: number;
  requests: number;
  /** Requests whose answer is marked as that of an earlier one. */
  replayed: number;
  /** Of these, the first requests of their keys: the system repeated them by itself, after they were committed. */
  replayedAtOnce: number;
  faults: string[];
}

/** The history in numbers, and what is wrong with it. */
export function summarizeHistory(requests: readonly KeyedRequest[], stored: StoredPlaces): KeyedSummary {
  const byKey = Map.groupBy(requests, ({ key }) => key);
  const isReplayed = (request: KeyedRequest | undefined): boolean => request?.answer?.isReplayed === true;
  return {
    keys: byKey.size,
    requests: requests.length,
    replayed: requests.filter(isReplayed).length,
    replayedAtOnce: [...byKey.values()].filter(([first]) => isReplayed(first)).length,
    faults: faultsOfHistory(requests, stored),
  };
}

function faultsOfKey(requests: readonly KeyedRequest[], stored: StoredPlaces): string[] {
  const contents = [...Map.groupBy(requests, contentOf).values()];
  const standing = contents.filter(([request]) => request?.records.some((record) => stored.has(record)));
  const executed = requests.find((request) => resultOf(request).kind === 'answer');
  const [stands] = standing.flatMap(([request]) => (request === undefined ? [] : [contentOf(request)]));
  const order = orderFault(requests.map(operationOf), stands);
  return [
    ...(standing.length > 1 ? ['records of two different requests stand'] : []),
    ...contents.flatMap((same) => faultsOfContent(same, stored)),
    // A request that was answered and does not stand is a fault of its records.
    ...(executed !== undefined && stands !== undefined && stands !== contentOf(executed)
      ? ['another request than the answered one stands']
      : []),
    ...(order === undefined ? [] : [order]),
  ];
}

/** The faults in how the records of one request, sent once or repeatedly, stand in the topic. */
function faultsOfContent(requests: readonly KeyedRequest[], stored: StoredPlaces): string[] {
  const [first] = requests;
  if (first === undefined) return [];
  const answered = requests.find((request) => resultOf(request).kind === 'answer')?.answer;
  const { records } = first;
  if (answered !== undefined) return faultsOfAnswer(records, placesIn(answered.body), stored);
  const twice = records.filter((record) => (stored.get(record)?.length ?? 0) > 1);
  const count = records.filter((record) => stored.has(record)).length;
  return [
    ...twice.map((record) => `record ${record} stands more than once`),
    ...(count > 0 && count < records.length ? [`${count} of ${records.length} records of one request stand`] : []),
  ];
}

function faultsOfAnswer(
  records: readonly number[],
  places: readonly (Place | undefined)[] | undefined,
  stored: StoredPlaces,
): string[] {
  if (places?.length !== records.length) return ['its answer does not say where each record is'];
  return records.flatMap((record, index) => {
    const promised = places[index];
    const found = stored.get(record) ?? [];
    if (promised === undefined) return found.length === 0 ? [] : [`record ${record} stands, and its answer refuses it`];
    if (found.length === 0) return [`record ${record} is acknowledged and does not stand`];
    if (found.length > 1) return [`record ${record} stands more than once`];
    const [place] = found;
    const isThere = place?.partition === promised.partition && place.offset === promised.offset;
    return isThere ? [] : [`record ${record} does not stand where its answer says`];
  });
}

/** The place of each record in the answer; undefined for one that Kafka refused. */
function placesIn(body: string): (Place | undefined)[] | undefined {
  const { offsets } = (parse(body) ?? {}) as { offsets?: unknown };
  if (!Array.isArray(offsets)) return undefined;
  return (offsets as { partition?: unknown; offset?: unknown }[]).map(({ partition, offset }) =>
    typeof partition === 'number' && typeof offset === 'number' ? { partition, offset } : undefined,
  );
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function contentOf({ records }: KeyedRequest): string {
  return records.join(' ');
}

function operationOf(request: KeyedRequest): KeyOperation {
  const { invokedAtMs, answer } = request;
  return {
    request: contentOf(request),
    invokedAtMs,
    completedAtMs: answer?.atMs ?? Number.POSITIVE_INFINITY,
    result: resultOf(request),
  };
}

const UNDER_WAY = 409;
const OTHER_REQUEST = 422;
const SERVER_ERROR = 500;

function resultOf({ answer }: KeyedRequest): KeyResult {
  if (answer === undefined || answer.status >= SERVER_ERROR) return { kind: 'unknown' };
  if (answer.status === UNDER_WAY) return { kind: 'underWay' };
  if (answer.status === OTHER_REQUEST) return { kind: 'otherRequest' };
  return { kind: 'answer', text: `${answer.status} ${answer.body}`, isReplayed: answer.isReplayed };
}
