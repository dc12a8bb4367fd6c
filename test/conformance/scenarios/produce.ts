/** Storing records: to a topic and to a partition, in each format. */
import { expect } from 'vitest';
import {
  ADDITIONAL,
  B,
  BAD,
  consumer,
  J,
  MISSING,
  type Scenario,
  type Step,
  schemaError,
  T,
  TYPE,
  V,
} from '../scenario.ts';

const REFERRED = 'A subschema had errors';
const ITEMS = 'Items did not match schema';
const NO_TYPE = 'Validation error on: The format of the request body is not supported';
const NO_BODY = 'Validation error on: The related request does not contain the required body.';
const NO_JSON = "Validation error on: The request body can't be decoded";
const NO_NUMBER = 'Specified partition is not a valid number';
/** In the configuration of the stack's bridges. */
export const MAX_BLOCK_MS = 3000;

const send = (records: unknown, more: Partial<Step> = {}): Step => ({
  ask: 'POST /topics/<t>',
  body: { records },
  status: 200,
  ...more,
});
const KEY_REUSED = 'The Idempotency-Key was used for another request.';
const KEY_FORM =
  'idempotency-key must be one string of 1 to 255 visible ASCII characters, with or without double quotes';
const FIRST = { 'idempotency-replayed': undefined };
const REPLAYED = { 'idempotency-replayed': 'true' };
const withKey = (key: string, more: Partial<Step>): Step =>
  send([{ value: 'once' }], { headers: { 'idempotency-key': key }, ...more });
const stored = (...offsets: number[]) => ({ offsets: offsets.map((offset) => ({ partition: 0, offset })) });
/** One violation, in the only record. */
const inRecord = (...violations: string[]) =>
  schemaError(BAD('records'), ITEMS, REFERRED, ...violations, ADDITIONAL('records'));
const NO_ALTERNATIVE = 'Instance does not match exactly one subschema (0 matches)';
const badField = (name: 'key' | 'value', type: string) =>
  inRecord(
    BAD(name),
    REFERRED,
    NO_ALTERNATIVE,
    ...['array', 'object', 'string', ...(name === 'value' ? ['null'] : [])].map((expected) => TYPE(type, expected)),
    ADDITIONAL(name),
  );
const badHeaders = (headers: unknown, ...violations: string[]) =>
  send([{ value: 'v', headers }], inRecord(BAD('headers'), REFERRED, ...violations, ADDITIONAL('headers')));

export const PRODUCE: readonly Scenario[] = [
  {
    title: 'records of each format are returned unchanged, with headers, timestamps and nulls',
    topics: { t: 1 },
    steps: [
      send(
        [
          { key: 'k', value: { b: 1, a: [true, null, 'x😀'] }, timestamp: 1_500_000_000_000 },
          {
            key: ['k'],
            value: null,
            headers: [
              { key: 'h', value: 'eA==' },
              { key: 'h', value: 'eXk=' },
            ],
          },
          { value: 'é', headers: [] },
        ],
        { answer: stored(0, 1, 2) },
      ),
      send([{ key: 'aw==', value: '/+8=' }, { value: '' }], { type: B, answer: stored(3, 4) }),
      send([{ key: '', value: '{"a":1}' }], { type: T, answer: stored(5) }),
      {
        ask: 'POST /consumers/<group>',
        body: { name: 'c', 'auto.offset.reset': 'earliest' },
        status: 200,
        answer: expect.anything(),
      },
      { ask: 'POST <c>/assignments', body: { partitions: [{ topic: '<t>', partition: 0 }] }, status: 204 },
      {
        take: 6,
        from: '<c>',
        accept: B,
        records: [
          {
            key: 'Imsi',
            value: 'eyJiIjoxLCJhIjpbdHJ1ZSxudWxsLCJ4XHVEODNEXHVERTAwIl19',
            offset: 0,
            timestamp: 1_500_000_000_000,
          },
          {
            key: 'WyJrIl0=',
            value: null,
            offset: 1,
            headers: [
              { key: 'h', value: 'eA==' },
              { key: 'h', value: 'eXk=' },
            ],
          },
          { key: null, value: 'IsOpIg==', offset: 2 },
          { key: 'aw==', value: '/+8=', offset: 3 },
          { key: null, value: '', offset: 4 },
          { key: '', value: 'eyJhIjoxfQ==', offset: 5 },
        ].map((record) => ({ topic: '<t>', partition: 0, timestamp: expect.any(Number), ...record })),
      },
    ],
  },
  {
    title: 'an empty list of records is stored immediately',
    topics: { t: 1 },
    steps: [send([], { text: '{"offsets":[]}' }), send([], { ask: 'POST /topics/<nowhere>', text: '{"offsets":[]}' })],
  },
  {
    title: 'a request with an idempotency key is executed once, and every repetition gets its response',
    topics: { t: 1 },
    // A bridge of another test may own the key's slot (packages/bridge/test/idempotency.test.ts asks bridges).
    only: 'gateway',
    steps: [
      withKey('<group>-1', { answer: stored(0), answerHeaders: FIRST }),
      withKey('<group>-1', { answer: stored(0), answerHeaders: REPLAYED }),
      withKey('"<group>-1"', { answer: stored(0), answerHeaders: REPLAYED }),
      ...[
        { body: { records: [{ value: 'other' }] } },
        { ask: 'POST /topics/<t>?async=true' },
        { ask: 'POST /topics/<t>/partitions/0', body: { records: [{ value: 'once' }] } },
      ].map((other) => withKey('<group>-1', { ...other, status: 422, message: KEY_REUSED })),
      // Offset 1 has the end of the transaction before.
      ...[FIRST, REPLAYED].map((answerHeaders) =>
        withKey('<group>-2', {
          body: { records: [{ value: 'never', timestamp: 9_000_000_000_000 }, { value: 'mixed' }] },
          answer: {
            offsets: [
              { error_code: 500, message: expect.stringMatching(/^Timestamp 9000000000000 .*out of range/) },
              { partition: 0, offset: expect.any(Number) },
            ],
          },
          answerHeaders,
        }),
      ),
      ...[FIRST, REPLAYED].map((answerHeaders) =>
        withKey('<group>-3', { ask: 'POST /topics/<t>?async=true', status: 204, answerHeaders }),
      ),
      ...['', '""', 'a b', 'a,b', '"a', 'x'.repeat(256)].map((key) =>
        withKey(key, { status: 400, message: KEY_FORM, answerHeaders: FIRST }),
      ),
      consumer({ 'isolation.level': 'read_committed' }),
      { ask: 'POST <c>/subscription', body: { topics: ['<t>'] }, status: 204 },
      {
        take: 3,
        from: '<c>',
        records: ['once', 'mixed', 'once'].map((value) => expect.objectContaining({ value })),
      },
    ],
  },
  {
    title: 'a record goes to its own partition, or to the partition in the path',
    topics: { t: 3 },
    steps: [
      send(
        [
          { value: '0', partition: 2 },
          { value: '1', partition: 0 },
        ],
        {
          text: '{"offsets":[{"partition":2,"offset":0},{"partition":0,"offset":0}]}',
        },
      ),
      send([{ value: '2', key: 'k' }], {
        ask: 'POST /topics/<t>/partitions/1',
        text: '{"offsets":[{"partition":1,"offset":0}]}',
      }),
      send([{ value: '3' }], {
        ask: 'POST /topics/<t>/partitions/+1',
        text: '{"offsets":[{"partition":1,"offset":1}]}',
      }),
    ],
  },
  {
    title: 'a key goes to the same partition as with Kafka’s own clients',
    topics: { t: 3 },
    steps: [
      // murmur2 of the stored bytes, quotes included, as in the Java client.
      send(
        [
          { key: 'k1', value: 'a' },
          { key: 'k1', value: 'b' },
        ],
        {
          answer: {
            offsets: [
              { partition: 2, offset: 0 },
              { partition: 2, offset: 1 },
            ],
          },
        },
      ),
    ],
  },
  {
    title:
      'acks=replicated is refused where there is no second Kafka cluster, and nothing is stored; other values of acks have no effect',
    topics: { t: 1 },
    steps: [
      send([{ value: 'x' }], {
        ask: 'POST /topics/<t>?acks=replicated',
        status: 400,
        message: 'acks=replicated needs a second Kafka cluster, and this bridge has none',
      }),
      send([{ value: 'x' }], {
        ask: 'POST /topics/<t>/partitions/0?acks=replicated&async=true',
        status: 400,
        message: 'acks=replicated needs a response with offsets: leave out async',
      }),
      send([{ value: 'x' }], { ask: 'POST /topics/<t>?acks=all', answer: { offsets: [{ partition: 0, offset: 0 }] } }),
    ],
  },
  {
    title: 'with async the response does not wait for Kafka, and still reports malformed and impossible requests',
    topics: { t: 1 },
    steps: [
      send([{ value: 'x' }], { ask: 'POST /topics/<t>?async=true', status: 204 }),
      send([{ value: 'x' }], { ask: 'POST /topics/<t>?ASYNC=true&async=false', status: 204 }),
      send([{ value: 'x' }], { ask: 'POST /topics/<t>/partitions/0?async=true', status: 204 }),
      send([{ value: 'x' }], {
        ask: 'POST /topics/<nowhere>?async=true',
        status: 404,
        message: `Topic <nowhere> not present in metadata after ${MAX_BLOCK_MS} ms.`,
      }),
      send([{ value: 'x' }, { value: 'y', partition: 4 }], {
        ask: 'POST /topics/<t>?async=true',
        status: 404,
        message: `Partition 4 of topic <t> with partition count 1 is not present in metadata after ${MAX_BLOCK_MS} ms. (record 1; none of the request is stored)`,
      }),
      send([{ value: 'x' }], {
        ask: 'POST /topics/<t>/partitions/1?async=true',
        status: 404,
        message: `Partition 1 of topic <t> with partition count 1 is not present in metadata after ${MAX_BLOCK_MS} ms.`,
      }),
      send([{ value: 'x'.repeat(1_048_576) }], {
        ask: 'POST /topics/<t>?async=true',
        status: 413,
        message:
          'The message is 1048666 bytes when serialized which is larger than 1048576, which is the value of the max.request.size configuration.',
      }),
      send([{ value: 'x' }], {
        ask: 'POST /topics/bad%20name?async=true',
        status: 422,
        message: 'Invalid topics: [bad name]',
      }),
      send([{ value: 'x' }], { ask: 'POST /topics/<t>?async=false', answer: { offsets: [expect.any(Object)] } }),
      send([{}], { ask: 'POST /topics/<t>?async=true', ...inRecord(MISSING('value')) }),
      send([{ value: {} }], {
        ask: 'POST /topics/<t>?async=true',
        type: T,
        status: 422,
        message: "Because the embedded format is 'text', the value must be a string",
      }),
      ...(
        [
          ['TRUE', 'string'],
          ['1', 'number'],
          ['', 'string'],
          ['null', 'null'],
        ] as const
      ).flatMap(([text, type]) =>
        ['', '/partitions/0'].map((path) =>
          send([], { ask: `POST /topics/<t>${path}?async=${text}`, ...schemaError(TYPE(type, 'boolean')) }),
        ),
      ),
    ],
  },
  {
    title: 'each record of a request fails or succeeds on its own',
    topics: { t: 1 },
    steps: [
      send([{ value: 'good' }, { value: 'bad', partition: 4 }, { value: 'x'.repeat(1_048_576) }, { value: 'good' }], {
        answer: {
          offsets: [
            { partition: 0, offset: 0 },
            {
              error_code: 404,
              message: `Partition 4 of topic <t> with partition count 1 is not present in metadata after ${MAX_BLOCK_MS} ms.`,
            },
            {
              error_code: 500,
              message: expect.stringMatching(
                /^The message is 10\d{5} bytes when serialized which is larger than 1048576, which is the value of the max\.request\.size configuration\.$/,
              ),
            },
            { partition: 0, offset: 1 },
          ],
        },
      }),
      send([{ value: 'x' }], {
        ask: 'POST /topics/<t>/partitions/9',
        answer: { offsets: [expect.objectContaining({ error_code: 404 })] },
      }),
      send([{ value: 'x', timestamp: 9_000_000_000_000 }, { value: 'good' }], {
        answer: {
          offsets: [
            { error_code: 500, message: expect.stringMatching(/^Timestamp 9000000000000 .*out of range/) },
            { partition: 0, offset: 2 },
          ],
        },
      }),
    ],
  },
  {
    title: 'an unknown topic is an error of each record, after one wait',
    steps: [
      send([{ value: 'x' }, { value: 'y' }], {
        ask: 'POST /topics/<nowhere>',
        answer: {
          offsets: [1, 2].map(() => ({
            error_code: 404,
            message: `Topic <nowhere> not present in metadata after ${MAX_BLOCK_MS} ms.`,
          })),
        },
      }),
      send([{ value: 'x' }], {
        ask: 'POST /topics/bad%20name!',
        answer: { offsets: [{ error_code: 500, message: 'Invalid topics: [bad name!]' }] },
      }),
      send([{ value: 'x' }], {
        ask: 'POST /topics/__consumer_offsets',
        answer: {
          offsets: [{ error_code: 500, message: 'The request attempted to perform an operation on an invalid topic.' }],
        },
      }),
    ],
  },
  {
    title: 'bodies without valid records',
    topics: { t: 1 },
    steps: [
      send([5], schemaError(BAD('records'), ITEMS, REFERRED, TYPE('number', 'object'), ADDITIONAL('records'))),
      send([{}], inRecord(MISSING('value'))),
      send([{ value: 5 }], badField('value', 'number')),
      send([{ value: true }], badField('value', 'boolean')),
      send([{ value: 'v', key: null }], badField('key', 'null')),
      send([{ value: 'v', key: 1 }], badField('key', 'number')),
      send(
        [{ value: 'v', partition: '0' }],
        inRecord(
          BAD('partition'),
          TYPE('string', 'integer'),
          'Integer does not match the format "int32"',
          ADDITIONAL('partition'),
        ),
      ),
      send(
        [{ value: 'v', partition: 2 ** 31 }],
        inRecord(BAD('partition'), 'Integer does not match the format "int32"', ADDITIONAL('partition')),
      ),
      send(
        [{ value: 'v', timestamp: null }],
        inRecord(
          BAD('timestamp'),
          TYPE('null', 'integer'),
          'Integer does not match the format "int64"',
          ADDITIONAL('timestamp'),
        ),
      ),
      send([], {
        body: '{"records":[{"value":"v","timestamp":9223372036854775808}]}',
        ...inRecord(BAD('timestamp'), 'Integer does not match the format "int64"', ADDITIONAL('timestamp')),
      }),
      send([{ value: 'v', offset: 1, extra: 2 }], inRecord(ADDITIONAL('offset'), ADDITIONAL('extra'))),
      send(
        [{ value: 1 }, { value: 'v' }, {}],
        schemaError(
          ...[BAD('records'), ITEMS, REFERRED, BAD('value'), REFERRED, NO_ALTERNATIVE],
          ...['array', 'object', 'string', 'null'].map((expected) => TYPE('number', expected)),
          ...[ADDITIONAL('value'), ITEMS, REFERRED, MISSING('value'), ADDITIONAL('records')],
        ),
      ),
      send({}, schemaError(BAD('records'), TYPE('object', 'array'), ADDITIONAL('records'))),
      send([], { body: { records: [], more: 1 }, ...schemaError(ADDITIONAL('more')) }),
      send([], { body: [], ...schemaError(TYPE('array', 'object')) }),
      send([], { body: 'null', ...schemaError(TYPE('null', 'object')) }),
      send([], { body: '"s"', ...schemaError(TYPE('string', 'object')) }),
      send([{ value: 'v', partition: 0, timestamp: 1 }], {
        ask: 'POST /topics/<t>/partitions/0',
        ...inRecord(ADDITIONAL('partition'), ADDITIONAL('timestamp')),
      }),
    ],
  },
  {
    title: 'invalid record headers',
    topics: { t: 1 },
    steps: [
      badHeaders({}, TYPE('object', 'array')),
      badHeaders([{ key: 'k' }], ITEMS, REFERRED, MISSING('value')),
      badHeaders([{ value: 'eA==' }], ITEMS, REFERRED, MISSING('key')),
      ...['e', 'eA=', 'eA===', '-_8=', '?'].map((value) =>
        badHeaders([{ key: 'k', value }], ITEMS, REFERRED, BAD('value'), 'String does not match format "byte"'),
      ),
      send([{ value: 'v', headers: [{ key: 'k', value: 'eA==', more: 1 }] }], { answer: stored(0) }),
    ],
  },
  {
    title: 'values that the format cannot represent, and invalid numbers',
    topics: { t: 1 },
    steps: [
      ...([{}, []] as const).map((key) =>
        send([{ value: 'v', key }], {
          type: T,
          status: 422,
          message: "Because the embedded format is 'text', the key must be a string",
        }),
      ),
      send([{ value: {} }], {
        type: T,
        status: 422,
        message: "Because the embedded format is 'text', the value must be a string",
      }),
      ...(['==', '!!!', {}] as const).map((value) =>
        send([{ value: 'eA==' }, { value }], {
          type: B,
          status: 422,
          message: "Because the embedded format is 'binary', the value must be a base64 string (record 1)",
        }),
      ),
      send([{ value: 'v', timestamp: -5 }], {
        status: 422,
        message: 'Invalid timestamp: -5. Timestamp should always be non-negative or null.',
      }),
      send([{ value: 'v', partition: -1 }], {
        status: 422,
        message: 'Invalid partition: -1. Partition number should always be non-negative or null.',
      }),
      send([{ value: 'v' }], {
        ask: 'POST /topics/<t>/partitions/-1',
        ...schemaError('-1 is less than 0'),
      }),
      ...['1.0', '2147483648'].map((partition) =>
        send([{ value: 'v' }], { ask: `POST /topics/<t>/partitions/${partition}`, status: 422, message: NO_NUMBER }),
      ),
      send([{ value: 'v' }], { ask: 'POST /topics/<t>/partitions/x', ...schemaError(TYPE('string', 'integer')) }),
      send([], {
        body: {},
        status: 422,
        message: 'The request body has no "records": it must be a list of records',
      }),
    ],
  },
  {
    title: 'media types of bodies',
    topics: { t: 1 },
    steps: [
      ...['application/json', 'Application/JSON; charset=utf-8', `${J};charset=UTF-8`, ` ${J} `].map((type, offset) =>
        send([{ value: {} }], { type, answer: stored(offset) }),
      ),
      ...[V, '*/*', 'text/plain', 'application/vnd.kafka.avro.v2+json', null].flatMap((type) =>
        ['', '/partitions/0'].map((path) =>
          send([{ value: 'v' }], { ask: `POST /topics/<t>${path}`, type, status: 400, message: NO_TYPE }),
        ),
      ),
      ...[undefined, ''].map((body) => send([], { body, type: J, status: 400, message: NO_BODY })),
    ],
  },
  {
    title: 'JSON is parsed as leniently as in the peer API',
    topics: { t: 1 },
    steps: [
      ...['\ufeff{"records":[]}', '/* a */{"records":[/* b */]}', '{"records":5,"records":[]}'].map((body) =>
        send([], { body, text: '{"offsets":[]}' }),
      ),
      ...[
        '{"records":[]} x',
        '{"records":[],}',
        "{'records':[]}",
        '{"records":[{"value":{"a":NaN}}]}',
        'records',
        Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d]),
        `{"records":[{"value":${'['.repeat(1500)}${']'.repeat(1500)}}]}`,
        `{"records":[{"value":{"a":${'1'.repeat(1500)}}}]}`,
        // Not decoded.
        Buffer.from('1f8b08000000000000', 'hex'),
      ].map((body) => send([], { body, status: 400, message: NO_JSON })),
      send([], { body: `{"records":[{"value":${'['.repeat(900)}${']'.repeat(900)}}]}`, answer: stored(0) }),
    ],
  },
];
