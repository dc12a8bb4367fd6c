/** Creating and deleting consumers: every option, invalid values, and the URL of the consumer. */
import { expect } from 'vitest';
import { ADDITIONAL, BAD, consumer, J, type Scenario, type Step, schemaError, TYPE, V } from '../scenario.ts';

const NOT_FOUND = 'The specified consumer instance was not found.';
const EXISTS = 'A consumer instance with the specified name already exists in the Kafka Bridge.';
const NO_TYPE = 'Validation error on: The format of the request body is not supported';
const NO_JSON = "Validation error on: The request body can't be decoded";

const create = (body: unknown, more: Partial<Step> = {}): Step => ({
  ask: 'POST /consumers/<group>',
  ...(body === undefined ? {} : { body }),
  status: 200,
  answer: { instance_id: expect.any(String), base_uri: expect.any(String) },
  ...more,
});
const invalid = (body: object, message: string): Step => create(body, { status: 422, message });
const gone = (name: string): Step => ({ ask: `DELETE /consumers/<group>/instances/${name}`, status: 204 });
const badType = (name: string, value: unknown, actual: string, expected: string): Step =>
  create({ [name]: value }, schemaError(BAD(name), TYPE(actual, expected), ADDITIONAL(name)));
const INTEGERS = [
  ['fetch.min.bytes', 'fetch.min.bytes'],
  ['consumer.request.timeout.ms', 'request.timeout.ms'],
] as const;

/** Every operation on an instance, with a valid body. */
const INSTANCE_OPERATIONS: readonly (readonly [method: string, path: string, body?: object])[] = [
  ['DELETE', ''],
  ['POST', '/subscription', { topics: ['t'] }],
  ['GET', '/subscription'],
  ['DELETE', '/subscription'],
  ['POST', '/assignments', { partitions: [] }],
  ['GET', '/assignments'],
  ['GET', '/records'],
  ['POST', '/offsets'],
  ['POST', '/offsets', { offsets: [] }],
  ['GET', '/offsets'],
  ['POST', '/positions', { offsets: [] }],
  ['GET', '/positions'],
  ['POST', '/positions/beginning', { partitions: [] }],
  ['POST', '/positions/end', { partitions: [] }],
];

export const CONSUMERS: readonly Scenario[] = [
  {
    title: 'a consumer without a body gets a name',
    steps: [
      create(undefined, {
        answer: { instance_id: expect.stringMatching(/^[\w-]+$/), base_uri: expect.stringMatching(/^https?:/) },
      }),
      // Without a body, any type is accepted.
      create(undefined, { type: 'text/nonsense' }),
      create('', { type: null }),
      create({}),
      create('{"name":"c"}', { type: 'Application/JSON; charset=utf-8' }),
    ],
  },
  {
    title: 'every option may be given',
    steps: ['json', 'binary', 'text'].map((format, index) =>
      create(
        {
          name: format,
          format,
          'auto.offset.reset': ['earliest', 'latest', 'none'][index],
          'fetch.min.bytes': [0, 1, 2 ** 31 - 1][index],
          'consumer.request.timeout.ms': 30_000,
          'enable.auto.commit': index === 0,
          'isolation.level': ['read_committed', 'read_uncommitted'][index % 2],
        },
        { text: `{"instance_id":"${format}","base_uri":"<scheme>://<host>/consumers/<group>/instances/${format}"}` },
      ),
    ),
  },
  {
    title: 'invalid values',
    steps: [
      ...['JSON', 'avro', ''].map((format) => invalid({ format }, 'Invalid format type.')),
      ...[
        'foo',
        'EARLIEST',
        'by_duration',
        'by_duration:',
        'by_duration:1h',
        'by_duration:-PT1H',
        'by_duration:P1Y',
      ].map((value) =>
        invalid(
          { 'auto.offset.reset': value },
          `Invalid value ${value} for configuration auto.offset.reset: Invalid value \`${value}\` for configuration auto.offset.reset. The value must be either 'earliest', 'latest', 'none' or of the format 'by_duration:<PnDTnHnMn.nS.>'.`,
        ),
      ),
      invalid(
        { 'isolation.level': 'foo' },
        'Invalid value foo for configuration isolation.level: String must be one of: read_committed, read_uncommitted',
      ),
      ...INTEGERS.flatMap(([name, key]) => [
        invalid({ [name]: -1 }, `Invalid value -1 for configuration ${key}: Value must be at least 0`),
        create(`{"${name}":12345678901234567890}`, {
          status: 422,
          message: `Invalid value 12345678901234567890 for configuration ${key}: Not a number of type INT`,
        }),
        ...['1.0', '1e3'].map((value) =>
          create(`{"${name}":${value}}`, {
            status: 422,
            message: `Invalid value ${value} for configuration ${key}: Not a number of type INT`,
          }),
        ),
        invalid({ [name]: 2 ** 31 }, `Invalid value 2147483648 for configuration ${key}: Not a number of type INT`),
      ]),
      // The format is checked first.
      invalid({ format: 'x', 'auto.offset.reset': 'foo' }, 'Invalid format type.'),
    ],
  },
  {
    title: 'invalid types',
    steps: [
      ...['name', 'format', 'auto.offset.reset', 'isolation.level'].map((name) => badType(name, 1, 'number', 'string')),
      ...INTEGERS.flatMap(([name]) => [
        badType(name, '1', 'string', 'integer'),
        badType(name, 1.5, 'number', 'integer'),
      ]),
      badType('enable.auto.commit', 'true', 'string', 'boolean'),
      badType('enable.auto.commit', null, 'null', 'boolean'),
      create(
        { 'auto.commit.enable': true, 'max.poll.records': 1 },
        schemaError(ADDITIONAL('auto.commit.enable'), ADDITIONAL('max.poll.records')),
      ),
      create([], schemaError(TYPE('array', 'object'))),
      create('null', schemaError(TYPE('null', 'object'))),
      create('{', { status: 400, message: NO_JSON }),
      create({}, { type: J, status: 400, message: NO_TYPE }),
      create({}, { type: null, status: 400, message: NO_TYPE }),
    ],
  },
  {
    title: 'violations come in the order of the schema, then in the order of the request',
    steps: [
      create(
        { zzz: 1, 'isolation.level': 1, name: null, aaa: 2 },
        schemaError(
          ...[BAD('name'), TYPE('null', 'string'), BAD('isolation.level'), TYPE('number', 'string')],
          ...['zzz', 'isolation.level', 'name', 'aaa'].map(ADDITIONAL),
        ),
      ),
    ],
  },
  {
    title: 'a name is unique in its group, until the consumer is deleted',
    steps: [
      consumer(),
      create({ name: 'c' }, { status: 409, message: EXISTS }),
      // Checked after the format and before the other settings.
      create({ name: 'c', 'auto.offset.reset': 'foo' }, { status: 409, message: EXISTS }),
      create({ name: 'c', format: 'foo' }, { status: 422, message: 'Invalid format type.' }),
      create({ name: 'c' }, { ask: 'POST /consumers/<group>-2' }),
      { ask: 'DELETE /consumers/<group>-2/instances/c', status: 204 },
      gone('c'),
      { ...gone('c'), status: 404, message: NOT_FOUND },
      consumer(),
    ],
  },
  {
    title: 'names and groups may be any text',
    steps: [
      ...(
        [
          ['a b', 'a%20b'],
          ['a/b', 'a%2Fb'],
          ['a?b', 'a%3Fb'],
          ['é😀', '%C3%A9%F0%9F%98%80'],
          ['100%', '100%25'],
        ] as const
      ).flatMap(([name, encoded]) => [
        create(
          { name },
          {
            ask: 'POST /consumers/<group>%2F%20x',
            // The name decoded, the path as sent.
            answer: {
              instance_id: name,
              base_uri: `<scheme>://<host>/consumers/<group>%2F%20x/instances/${encodeURIComponent(name)}`,
            },
          },
        ),
        { ask: `DELETE /consumers/<group>%2F%20x/instances/${encoded}`, status: 204 },
      ]),
      create({ name: '' }, { status: 422, message: 'The name of a consumer must not be empty.' }),
    ],
  },
  {
    title: 'no operation finds a consumer that does not exist, or that is in another group',
    steps: [
      consumer(),
      ...INSTANCE_OPERATIONS.flatMap(([method, path, body]) =>
        ['/consumers/<group>/instances/other', '/consumers/<nowhere>/instances/c'].map((instance) => ({
          ask: `${method} ${instance}${path}`,
          ...(body === undefined ? {} : { body }),
          status: 404,
          message: NOT_FOUND,
        })),
      ),
    ],
  },
  {
    title: 'an invalid body is reported before the consumer is looked up',
    steps: INSTANCE_OPERATIONS.filter(([, , body]) => body !== undefined).flatMap(([method, path]) => [
      { ask: `${method} <c>${path}`, body: [], ...schemaError(TYPE('array', 'object')) },
      { ask: `${method} <c>${path}`, body: '{', status: 400, message: NO_JSON },
      { ask: `${method} <c>${path}`, body: '{}', type: 'text/plain', status: 400, message: NO_TYPE },
    ]),
  },
  {
    title: 'a group or a name that is too long',
    steps: [
      ...INSTANCE_OPERATIONS.map(([method, path, body]) => ({
        ask: `${method} /consumers/<group>/instances/${'n'.repeat(1025)}${path}`,
        ...(body === undefined ? {} : { body }),
        status: 422,
        message: 'The name of the consumer has 1025 bytes, more than the limit of 1024',
      })),
      {
        ask: `POST /consumers/${'g'.repeat(1025)}`,
        status: 422,
        message: 'The name of the group has 1025 bytes, more than the limit of 1024',
      },
    ],
  },
  {
    title: 'a body that is required',
    steps: ['/subscription', '/assignments', '/positions', '/positions/beginning', '/positions/end'].map((path) => ({
      ask: `POST <c>${path}`,
      status: 400,
      message: 'Validation error on: The related request does not contain the required body.',
    })),
  },
  {
    title: 'the address of a consumer is the one that the client used',
    steps: [
      create(
        { name: 'host' },
        { headers: { host: 'example.com:8080' }, answer: at('host', '<scheme>://example.com:8080') },
      ),
      create(
        { name: 'port' },
        { headers: { host: 'example.com' }, answer: at('port', '<scheme>://example.com:<usualPort>') },
      ),
      create(
        { name: 'query' },
        {
          ask: 'POST /consumers/<group>/?a=b',
          answer: expect.objectContaining({ base_uri: expect.stringMatching(/\/instances\/query$/) }),
        },
      ),
    ],
  },
  {
    title: 'forwarding headers of trusted proxies are used',
    steps: [
      create(
        { name: 'x' },
        {
          headers: { 'x-forwarded-host': 'api.example.com', 'x-forwarded-proto': 'https' },
          answer: at('x', 'https://api.example.com:443'),
        },
      ),
      create(
        { name: 'f' },
        {
          headers: { forwarded: 'for=192.0.2.1;host=api.example.com;proto=https' },
          answer: at('f', 'https://api.example.com:443'),
        },
      ),
      create(
        { name: 'p' },
        {
          headers: { 'x-forwarded-path': '/kafka/consumers/g' },
          answer: { instance_id: 'p', base_uri: '<scheme>://<host>/kafka/consumers/g/instances/p' },
        },
      ),
    ],
  },
  {
    title: 'incomplete forwarding headers',
    only: 'bridge',
    steps: [
      create(
        { name: 'h' },
        { headers: { 'x-forwarded-host': 'api.example.com' }, answer: at('h', '<scheme>://<host>') },
      ),
      create(
        { name: 'i' },
        {
          headers: { forwarded: 'proto=https', 'x-forwarded-host': 'a', 'x-forwarded-proto': 'http' },
          answer: at('i', '<scheme>://<host>'),
        },
      ),
      create(
        { name: 's' },
        {
          headers: { forwarded: 'host=example.com;proto=mqtt' },
          status: 500,
          message: 'mqtt is not a valid schema/proto.',
        },
      ),
      create(
        { name: 's' },
        { headers: { forwarded: 'host="example.com:1";proto=mqtt' }, answer: at('s', 'mqtt://example.com:1') },
      ),
    ],
  },
  {
    title: 'the API’s own media type and plain JSON are accepted',
    steps: [V, 'application/json', `${V};charset=utf-8`].map((type) => create({}, { type })),
  },
];

function at(name: string, origin: string): object {
  return { instance_id: name, base_uri: `${origin}/consumers/<group>/instances/${name}` };
}
