/** Reading records, and committing, moving and listing positions. */
import { expect } from 'vitest';
import { B, consumer, J, type Scenario, type Step, schemaError, T, TYPE, V } from '../scenario.ts';

const UNACCEPTABLE = {
  status: 406,
  message: 'Consumer format does not match the embedded format requested by the Accept header.',
};
const UNASSIGNED = (partition: string) => ({
  status: 404,
  message: `No current assignment for partition ${partition}`,
});

/** Ten letters in the topic's only partition, assigned to the consumer `c`. */
const reader = (options: object = {}, letters = 'abcdefghij'): Step[] => [
  {
    ask: 'POST /topics/<t>',
    body: { records: [...letters].map((value) => ({ value })) },
    status: 200,
    answer: expect.anything(),
  },
  consumer(options),
  { ask: 'POST <c>/assignments', body: { partitions: [{ topic: '<t>', partition: 0 }] }, status: 204 },
];
const record = (value: unknown, offset: number, more: object = {}) => ({
  topic: '<t>',
  key: null,
  value,
  partition: 0,
  offset,
  timestamp: expect.any(Number),
  ...more,
});
const take = (letters: string, first: number) => ({
  take: letters.length,
  from: '<c>',
  records: [...letters].map((letter, index) => record(letter, first + index)),
});
const poll = (query: string, more: Partial<Step> = {}): Step => ({
  ask: `GET <c>/records${query}`,
  headers: { accept: J },
  status: 200,
  ...more,
});
const nothing = { text: '[]', answerType: J };
const seek = (offset: number): Step => ({
  ask: 'POST <c>/positions',
  body: { offsets: [{ topic: '<t>', partition: 0, offset }] },
  status: 204,
});
const at = (offset: number) => ({ offsets: [{ partition: 0, offset, topic: '<t>' }] });

export const READING: readonly Scenario[] = [
  {
    title: 'the exact text of records',
    topics: { t: 1 },
    steps: [
      {
        ask: 'POST /topics/<t>',
        body: {
          records: [
            { key: 'k', value: { b: 1, a: 2 }, timestamp: 1_500_000_000_000 },
            { value: null, timestamp: 1_500_000_000_001, headers: [{ key: 'h', value: 'eA==' }] },
          ],
        },
        status: 200,
        answer: expect.anything(),
      },
      consumer(),
      { ask: 'POST <c>/assignments', body: { partitions: [{ topic: '<t>', partition: 0 }] }, status: 204 },
      poll('?timeout=5000', {
        text: '[{"topic":"<t>","key":"k","value":{"b":1,"a":2},"partition":0,"offset":0,"timestamp":1500000000000},{"topic":"<t>","key":null,"value":null,"partition":0,"offset":1,"timestamp":1500000000001,"headers":[{"key":"h","value":"eA=="}]}]',
        answerType: J,
      }),
    ],
  },
  {
    title: 'a response has the consumer’s format, if the client accepts it',
    topics: { t: 1 },
    steps: [
      ...reader(),
      poll('', { ask: 'GET <c>/records?timeout=0', ...nothing, headers: { accept: J } }),
      // With or without records, the type is the consumer's.
      ...[undefined, '*/*', 'application/*', `text/html, ${J};q=0.5`, 'Application/Vnd.Kafka.JSON.v2+json', ''].flatMap(
        (accept) => [seek(10), poll('?timeout=0', { headers: accept === undefined ? {} : { accept }, ...nothing })],
      ),
      ...[V, B, T, 'application/json', `${J};q=0`, 'text/*', 'nonsense'].map((accept) =>
        poll('?timeout=0', { headers: { accept }, ...UNACCEPTABLE }),
      ),
      seek(0),
      take('abcdefghij', 0),
    ],
  },
  {
    title: 'without a subscription or assignment a poll is refused, whatever the client accepts',
    steps: [
      consumer(),
      poll('', {
        headers: { accept: 'nonsense' },
        status: 500,
        message: 'Consumer is not subscribed to any topics or assigned any partitions',
      }),
    ],
  },
  {
    title: 'invalid queries',
    topics: { t: 1 },
    steps: [
      ...reader(),
      ...['timeout', 'max_bytes'].flatMap((name) =>
        (
          [
            ['x', 'string'],
            ['', 'string'],
            ['true', 'boolean'],
            ['null', 'null'],
            ['1.5', 'number'],
            ['01', 'string'],
          ] as const
        ).map(([text, type]) => poll(`?${name}=${text}`, schemaError(TYPE(type, 'integer')))),
      ),
      poll('?timeout=-1', {
        status: 500,
        message: 'java.lang.IllegalArgumentException: Invalid negative timeout -1',
      }),
      poll('?timeout=99999999999999999999', schemaError('99999999999999999999 is greater than 3600000')),
      poll('?timeout=3600001', schemaError('3600001 is greater than 3600000')),
      poll('?max_bytes=2147483648', schemaError('2147483648 is greater than 2147483647')),
      poll('?on_error=ignore', schemaError('on_error must be one of: fail, report')),
      // An invalid value affects its own request only.
      take('abcdefghij', 0),
      poll('?TIMEOUT=1&timeout=100000&unknown=x', nothing),
      poll('?timeout=%2B1', nothing),
      poll('?timeout=1.0', nothing),
    ],
  },
  {
    title: 'a response stays within max_bytes, and no record is lost',
    topics: { t: 1 },
    steps: [
      ...reader(),
      // The first fetch may take a while.
      take('abcdefghij', 0),
      seek(0),
      ...[1, 10].map((maxBytes) =>
        poll(`?timeout=3000&max_bytes=${maxBytes}`, {
          status: 422,
          message: 'Response exceeds the maximum number of bytes the consumer can receive',
        }),
      ),
      poll('?timeout=3000&max_bytes=150', { answer: [record('a', 0)], answerType: J }),
      take('bcdefghij', 1),
      poll('?timeout=0&max_bytes=2', nothing),
    ],
  },
  {
    title: 'a value that is not JSON fails the response, or is reported in place of the record',
    topics: { t: 1 },
    steps: [
      {
        ask: 'POST /topics/<t>',
        type: T,
        body: { records: [{ value: '1' }, { value: 'no json' }, { value: '{"a":1} rest' }, { value: '' }] },
        status: 200,
        answer: expect.anything(),
      },
      consumer(),
      { ask: 'POST <c>/assignments', body: { partitions: [{ topic: '<t>', partition: 0 }] }, status: 204 },
      ...[1, 2].map(() =>
        poll('?timeout=5000', {
          status: 406,
          answer: { error_code: 406, message: expect.stringMatching(/^Failed to decode:/) },
        }),
      ),
      poll('?timeout=5000&on_error=report', {
        answer: [
          record(1, 0),
          {
            topic: '<t>',
            partition: 0,
            offset: 1,
            error_code: 406,
            message: expect.stringMatching(/^Failed to decode:/),
          },
          record({ a: 1 }, 2),
          record(null, 3),
        ],
        answerType: J,
      }),
    ],
  },
  {
    title: 'with the reset policy none there is no initial position',
    topics: { t: 1 },
    steps: [
      ...reader({ 'auto.offset.reset': 'none' }),
      poll('?timeout=3000', {
        status: 500,
        message:
          'org.apache.kafka.clients.consumer.NoOffsetForPartitionException: Undefined offset with no reset policy for partitions: [<t>-0]',
      }),
      seek(99),
      poll('?timeout=3000', {
        status: 500,
        answer: {
          error_code: 500,
          message: expect.stringMatching(
            /^org\.apache\.kafka\.clients\.consumer\.OffsetOutOfRangeException: Fetch position /,
          ),
        },
      }),
      seek(8),
      take('ij', 8),
    ],
  },
];

export const POSITIONS: readonly Scenario[] = [
  {
    title: 'positions are moved, listed and committed',
    topics: { t: 1 },
    steps: [
      ...reader({ 'enable.auto.commit': false }),
      { ask: 'GET <c>/offsets', status: 200, text: '{"offsets":[]}' },
      { ask: 'GET <c>/positions', status: 200, answer: at(0) },
      seek(7),
      { ask: 'GET <c>/positions', status: 200, answer: at(7) },
      take('hij', 7),
      { ask: 'POST <c>/offsets', status: 204 },
      { ask: 'GET <c>/offsets', status: 200, answer: at(10) },
      { ask: 'POST <c>/offsets', body: at(3), status: 204 },
      { ask: 'GET <c>/offsets', status: 200, answer: at(3) },
      // Stored in an internal topic, whose offsets are available.
      {
        ask: 'GET /topics/__consumer_offsets/partitions/0/offsets',
        status: 200,
        answer: { beginning_offset: expect.any(Number), end_offset: expect.any(Number) },
      },
      { ask: 'POST <c>/positions/beginning', body: { partitions: [{ topic: '<t>', partition: 0 }] }, status: 204 },
      take('abcdefghij', 0),
      { ask: 'POST <c>/offsets', body: '{}', status: 204 },
      { ask: 'GET <c>/offsets', status: 200, answer: at(10) },
      seek(1),
      { ask: 'POST <c>/positions/end', body: { partitions: [] }, status: 204 },
      { ask: 'GET <c>/positions', status: 200, answer: at(10) },
      { ask: 'POST <c>/positions/beginning', body: { partitions: [] }, status: 204 },
      { ask: 'GET <c>/positions', status: 200, answer: at(0) },
      // Past the end, the reset policy decides the next position.
      seek(99),
      take('abcdefghij', 0),
    ],
  },
  {
    title: 'the next poll commits what was delivered, and another consumer of the group continues there',
    topics: { t: 1 },
    steps: [
      ...reader(),
      take('abcdefghij', 0),
      poll('?timeout=0', nothing),
      { ask: 'GET <c>/offsets', status: 200, answer: at(10) },
      { ask: 'DELETE <c>', status: 204 },
      ...reader({}, 'k'),
      take('k', 10),
    ],
  },
  {
    title: 'commits without effect, and commits for partitions that the consumer does not read',
    topics: { t: 1 },
    steps: [
      consumer(),
      { ask: 'POST <c>/offsets', status: 204 },
      { ask: 'POST <c>/offsets', type: 'text/nonsense', status: 204 },
      { ask: 'POST <c>/offsets', body: {}, status: 204 },
      { ask: 'POST <c>/offsets', body: { offsets: [] }, status: 204 },
      { ask: 'POST <c>/offsets', body: at(5), status: 204 },
      { ask: 'GET <c>/offsets', status: 200, text: '{"offsets":[]}' },
      { ask: 'POST <c>/assignments', body: { partitions: [{ topic: '<t>', partition: 0 }] }, status: 204 },
      { ask: 'GET <c>/offsets', status: 200, answer: at(5) },
    ],
  },
  {
    title: 'invalid commits',
    topics: { t: 1 },
    steps: [
      consumer({ 'consumer.request.timeout.ms': 1000 }),
      {
        ask: 'POST <c>/offsets',
        body: {
          offsets: [
            { topic: '<nowhere>', partition: 0, offset: 1 },
            { topic: '<t>', partition: 9, offset: 2 },
          ],
        },
        status: 500,
        message:
          "org.apache.kafka.common.errors.TimeoutException: Timeout of 1000ms expired before successfully committing offsets {<nowhere>-0=OffsetAndMetadata{offset=1, leaderEpoch=null, metadata=''}, <t>-9=OffsetAndMetadata{offset=2, leaderEpoch=null, metadata=''}}",
      },
      // The peer API responds 500 in plain text here.
      { ask: 'POST <c>/offsets', body: at(-1), status: 422, message: 'Invalid negative offset' },
      {
        ask: 'POST <c>/offsets',
        body: { offsets: [{ topic: '<t>', partition: 0, offset: 1, metadata: 'm' }] },
        ...schemaError(
          ...['Property "offsets" does not match schema', 'Items did not match schema', 'A subschema had errors'],
          'Property "metadata" does not match additional properties schema',
          'Property "offsets" does not match additional properties schema',
        ),
      },
    ],
  },
  {
    title: 'invalid seeks',
    topics: { t: 1 },
    steps: [
      ...reader(),
      {
        ask: 'POST <c>/positions',
        body: { offsets: [{ topic: '<t>', partition: 9, offset: 1 }] },
        ...UNASSIGNED('<t>-9'),
      },
      ...['beginning', 'end'].flatMap((end) => [
        {
          ask: `POST <c>/positions/${end}`,
          body: { partitions: [{ topic: '<t>', partition: 9 }] },
          ...UNASSIGNED('<t>-9'),
        },
        { ask: `POST <c>/positions/${end}`, body: { partitions: [{ partition: 0 }] }, ...UNASSIGNED('null-0') },
        {
          ask: `POST <c>/positions/${end}`,
          body: { partitions: [{ topic: '<t>' }] },
          status: 422,
          message: 'Each entry of partitions must have a partition.',
        },
        {
          ask: `POST <c>/positions/${end}`,
          body: {},
          status: 422,
          message: 'A list of partitions must be specified.',
        },
      ]),
      {
        ask: 'POST <c>/positions',
        body: { offsets: [{ topic: '<t>', partition: 0, offset: -1 }] },
        status: 500,
        message: 'seek offset must not be a negative number',
      },
      {
        ask: 'POST <c>/positions',
        body: {},
        status: 422,
        message: 'The request body has no "offsets": it must be a list of entries with topic, partition and offset',
      },
      { ask: 'POST <c>/positions', body: { offsets: [] }, status: 204 },
      // Seeks are applied in order until one fails.
      {
        ask: 'POST <c>/positions',
        body: {
          offsets: [
            { topic: '<t>', partition: 0, offset: 8 },
            { topic: '<t>', partition: 9, offset: 0 },
            { topic: '<t>', partition: 0, offset: 2 },
          ],
        },
        ...UNASSIGNED('<t>-9'),
      },
      take('ij', 8),
    ],
  },
  {
    title: 'a subscription has positions once the group has assigned partitions',
    topics: { t: 1 },
    steps: [
      consumer(),
      { ask: 'POST <c>/subscription', body: { topics: ['<t>'] }, status: 204 },
      { ...seek(0), ...UNASSIGNED('<t>-0') },
      { ask: 'GET <c>/positions', status: 200, text: '{"offsets":[]}' },
    ],
  },
];
