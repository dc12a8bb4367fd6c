/** The check of a history finds each planted fault, and accepts what a correct system does. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Place } from '../traffic/read-back.ts';
import type { KeyedRequest } from './history.ts';
import { faultsOfHistory, summarizeHistory } from './history-check.ts';

interface Run {
  requests: KeyedRequest[];
  stored: Map<number, Place[]>;
}

function answerOf(places: readonly (Place | undefined)[]): string {
  return JSON.stringify({ offsets: places.map((place) => place ?? { error_code: 40302, message: 'too large' }) });
}

const at = (offset: number): Place => ({ partition: 0, offset });

/** A key with an answer and two repetitions, one with a refused record, one that was never answered, one that never arrived. */
function goodRun(): Run {
  const answers = { one: answerOf([at(1), at(2)]), two: answerOf([at(3), undefined]) };
  const request = (
    key: string,
    records: number[],
    [from, to]: [number, number],
    answer: [status: number, body: string, isReplayed?: boolean] | undefined,
  ): KeyedRequest => {
    const [status = 0, body = '', isReplayed = false] = answer ?? [];
    return {
      key,
      client: 'c',
      records,
      invokedAtMs: from,
      answer: answer === undefined ? undefined : { atMs: to, status, body, isReplayed },
    };
  };
  return {
    requests: [
      request('one', [1, 2], [0, 1], undefined),
      request('one', [1, 2], [2, 3], [200, answers.one]),
      request('one', [1, 2], [4, 5], [200, answers.one, true]),
      request('one', [7], [6, 7], [422, 'another request']),
      request('two', [3, 4], [0, 5], [200, answers.two]),
      request('three', [5, 6], [0, 5], [503, 'not now']),
      request('four', [8], [0, 5], undefined),
    ],
    stored: new Map([1, 2, 3, 5, 6].map((record) => [record, [at(record)]])),
  };
}

test('a good history has no fault', () => {
  const { requests, stored } = goodRun();
  expect(faultsOfHistory(requests, stored)).toEqual([]);
});

test('a history in numbers', () => {
  const { requests, stored } = goodRun();
  expect(summarizeHistory(requests, stored)).toEqual({
    keys: 4,
    requests: 7,
    replayed: 1,
    replayedAtOnce: 0,
    faults: [],
  });
  const [, second] = requests;
  if (second?.answer !== undefined) second.answer.isReplayed = true;
  expect(summarizeHistory(requests.slice(1), stored)).toMatchObject({ replayed: 2, replayedAtOnce: 1 });
});

function answered(run: Run, index: number): NonNullable<KeyedRequest['answer']> {
  const answer = run.requests[index]?.answer;
  if (answer === undefined) throw new TypeError('this request has no answer');
  return answer;
}

test.each<[string, (run: Run) => void, string]>([
  [
    'an answer changed',
    (run) => {
      answered(run, 2).body = answerOf([at(1), at(9)]);
    },
    'key one: its answers differ',
  ],
  ['a record twice', ({ stored }) => stored.set(2, [at(2), at(9)]), 'key one: record 2 stands more than once'],
  [
    'an acknowledged record missing',
    ({ stored }) => stored.delete(1),
    'key one: record 1 is acknowledged and does not stand',
  ],
  [
    'all of them missing',
    ({ stored }) => [1, 2].map((record) => stored.delete(record)),
    'key one: record 2 is acknowledged and does not stand',
  ],
  [
    'an aborted record visible',
    ({ stored }) => stored.set(1, [at(9)]),
    'key one: record 1 does not stand where its answer says',
  ],
  [
    'an aborted attempt visible, never answered',
    ({ stored }) => stored.delete(6),
    'key three: 1 of 2 records of one request stand',
  ],
  [
    'a record that was never answered twice',
    ({ stored }) => stored.set(5, [at(5), at(9)]),
    'key three: record 5 stands more than once',
  ],
  [
    'an answer without a record',
    ({ requests }) => {
      const [request] = requests.slice(6);
      if (request !== undefined) request.answer = { atMs: 6, status: 200, body: answerOf([at(8)]), isReplayed: false };
    },
    'key four: record 8 is acknowledged and does not stand',
  ],
  [
    'an answer without offsets',
    (run) => {
      answered(run, 4).body = '{}';
    },
    'key two: its answer does not say where each record is',
  ],
  [
    'a refused record stands',
    ({ stored }) => stored.set(4, [at(4)]),
    'key two: record 4 stands, and its answer refuses it',
  ],
  [
    'a refused request stands',
    ({ stored }) => stored.set(7, [at(7)]),
    'key one: records of two different requests stand',
  ],
  [
    'a request executed again',
    (run) => {
      answered(run, 2).isReplayed = false;
    },
    'key one: it was executed twice: two answers are not marked as repeated',
  ],
  [
    'two requests executed with one key',
    (run) => {
      run.requests[3] = {
        ...(run.requests[3] as KeyedRequest),
        answer: { ...answered(run, 2), body: answerOf([at(7)]) },
      };
      run.stored.set(7, [at(7)]);
    },
    'key one: records of two different requests stand',
  ],
  [
    'a refusal after the answer',
    (run) => {
      answered(run, 2).status = 409;
    },
    'key one: it was refused with 409 after the key had its answer',
  ],
])('%s is found', (_, plant, fault) => {
  const run = goodRun();
  plant(run);
  expect(faultsOfHistory(run.requests, run.stored)).toContain(fault);
});

/** What a client does at one time with one of its keys, and what befalls the request. */
interface Sent {
  key: number;
  content: number;
  fromMs: number;
  /** From the request to its execution, and from there to the answer. */
  delaysMs: readonly [number, number];
  fate: 'answered' | 'answer lost' | 'request lost' | 'not now' | 'not now, but executed';
}

const anySent: fc.Arbitrary<Sent> = fc.record({
  key: fc.nat(3),
  content: fc.constantFrom(0, 0, 0, 1),
  fromMs: fc.nat(100),
  delaysMs: fc.tuple(fc.nat(40), fc.nat(20)),
  fate: fc.constantFrom<Sent['fate'][]>(
    'answered',
    'answered',
    'answer lost',
    'request lost',
    'not now',
    'not now, but executed',
  ),
});

/** A correct system: requests are executed one after another, each key once. */
function play(sents: readonly Sent[]): Run {
  const stored: Run['stored'] = new Map();
  const registers = new Map<number, { content: number; body: string }>();
  let offset = 0;
  const executedAt = ({ fromMs, delaysMs }: Sent): number => fromMs + delaysMs[0];
  const requests = sents
    .toSorted((one, other) => executedAt(one) - executedAt(other))
    .map((sent): KeyedRequest => {
      const { key, content, fromMs, delaysMs, fate } = sent;
      // Two records each; the numbers say key and content.
      const records = [1, 2].map((part) => 100 * key + 10 * content + part);
      const before = registers.get(key);
      const isExecuted = before === undefined && fate !== 'request lost' && fate !== 'not now';
      if (isExecuted) {
        const places = records.map((record) => {
          offset += 1;
          const place = { partition: record % 3, offset };
          stored.set(record, [place]);
          return place;
        });
        registers.set(key, { content, body: answerOf(places) });
      }
      const atMs = executedAt(sent) + delaysMs[1];
      const register = registers.get(key);
      const request = { key: `k${key}`, client: 'c', records, invokedAtMs: fromMs };
      if (fate === 'answer lost' || fate === 'request lost') return { ...request, answer: undefined };
      if (fate !== 'answered') return { ...request, answer: { atMs, status: 503, body: '', isReplayed: false } };
      if (register?.content !== content)
        return { ...request, answer: { atMs, status: 422, body: '', isReplayed: false } };
      return { ...request, answer: { atMs, status: 200, body: register.body, isReplayed: !isExecuted } };
    });
  return { requests, stored };
}

test('whatever a correct system does is accepted', () => {
  fc.assert(
    fc.property(fc.array(anySent, { maxLength: 20 }), (sents) => {
      const { requests, stored } = play(sents);
      expect(faultsOfHistory(requests, stored)).toEqual([]);
    }),
    { seed: 18, numRuns: 300 },
  );
});

/** Each breaks what an answered request promises, in some random history. */
const BREAKS: readonly ((run: Run, request: KeyedRequest & { answer: { body: string } }) => void)[] = [
  ({ stored }, { records: [record = 0] }) => stored.delete(record),
  ({ stored }, { records: [record = 0] }) => stored.set(record, [...(stored.get(record) ?? []), at(10_000)]),
  ({ stored }, { records: [record = 0] }) => stored.set(record, [at(10_000)]),
  (_, { answer }) => {
    answer.body = answerOf([at(10_000), at(10_001)]);
  },
  (run, request) => {
    run.requests.push({
      ...request,
      invokedAtMs: 1_000,
      answer: { ...request.answer, atMs: 1_001, isReplayed: false, status: 409 },
    });
  },
  (run, request) => {
    run.requests.push({
      ...request,
      invokedAtMs: 1_000,
      answer: { ...request.answer, atMs: 1_001, isReplayed: false, status: 422 },
    });
  },
];

test('each fault is found in any history', () => {
  let planted = 0;
  fc.assert(
    fc.property(fc.array(anySent, { maxLength: 20 }), fc.nat(BREAKS.length - 1), fc.nat(), (sents, which, chosen) => {
      const run = play(sents);
      const candidates = run.requests.filter(({ answer }) => answer?.status === 200);
      const request = candidates[chosen % candidates.length];
      fc.pre(request?.answer !== undefined);
      BREAKS[which]?.(run, request as KeyedRequest & { answer: { body: string } });
      planted += 1;
      expect(faultsOfHistory(run.requests, run.stored)).not.toEqual([]);
    }),
    { seed: 18, numRuns: 300 },
  );
  expect(planted).toBeGreaterThan(150);
});
