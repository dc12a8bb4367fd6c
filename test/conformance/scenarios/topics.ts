/** Topics and partitions of the cluster, and creating topics. */
import { expect } from 'vitest';
import { ADDITIONAL, B, BAD, MISSING, type Scenario, type Step, schemaError, T, TYPE, V } from '../scenario.ts';

const UNKNOWN_TOPIC =
  'org.apache.kafka.common.errors.UnknownTopicOrPartitionException: This server does not host this topic-partition.';
const INVALID_TOPIC =
  'org.apache.kafka.common.errors.InvalidTopicException: The request attempted to perform an operation on an invalid topic.';
const NO_NUMBER = 'Specified partition is not a valid number';

const described = (partition: number) => ({
  partition,
  leader: 1,
  replicas: [{ broker: 1, leader: true, in_sync: true }],
});

const create = (body: unknown, more: Partial<Step>): Step => ({
  ask: 'POST /admin/topics',
  body,
  status: 500,
  ...more,
});
const created = (body: unknown, type?: string): Step =>
  create(body, { status: 201, answer: {}, ...(type && { type }) });
const NO_TYPE = 'Validation error on: The format of the request body is not supported';

export const TOPICS: readonly Scenario[] = [
  {
    title: 'topics are listed',
    topics: { t: 1, other: 2 },
    steps: [
      { ask: 'GET /topics', status: 200, answer: expect.not.arrayContaining(['__consumer_offsets']) },
      { ask: 'GET /topics', status: 200, answer: expect.arrayContaining([expect.any(String)]) },
    ],
  },
  {
    title: 'a topic is described with its settings and partitions',
    topics: { t: 2 },
    steps: [
      {
        ask: 'GET /topics/<t>',
        status: 200,
        answer: {
          name: '<t>',
          configs: expect.objectContaining({
            'cleanup.policy': 'delete',
            'retention.ms': expect.stringMatching(/^\d+$/),
          }),
          partitions: [described(0), described(1)],
        },
      },
      { ask: 'GET /topics/<t>/partitions', status: 200, answer: [described(0), described(1)] },
      { ask: 'GET /topics/<t>/partitions/1', status: 200, answer: described(1) },
      { ask: 'GET /topics/<t>/partitions/+1', status: 200, answer: described(1) },
    ],
  },
  {
    title: 'offsets of a partition',
    topics: { t: 2 },
    steps: [
      { ask: 'GET /topics/<t>/partitions/1/offsets', status: 200, text: '{"beginning_offset":0,"end_offset":0}' },
      {
        ask: 'POST /topics/<t>/partitions/1',
        body: { records: [{ value: 'a' }, { value: 'b' }] },
        status: 200,
        text: '{"offsets":[{"partition":1,"offset":0},{"partition":1,"offset":1}]}',
      },
      { ask: 'GET /topics/<t>/partitions/1/offsets', status: 200, text: '{"beginning_offset":0,"end_offset":2}' },
    ],
  },
  {
    title: 'unknown topics and partitions',
    topics: { t: 1 },
    steps: [
      ...['', '/partitions', '/partitions/0', '/partitions/0/offsets'].map((path) => ({
        ask: `GET /topics/<nowhere>${path}`,
        status: 404,
        message: UNKNOWN_TOPIC,
      })),
      ...['', '/partitions', '/partitions/0'].map((path) => ({
        ask: `GET /topics/bad%20name!${path}`,
        status: 500,
        message: INVALID_TOPIC,
      })),
      // The peer API never responds here.
      { ask: 'GET /topics/bad%20name!/partitions/0/offsets', status: 422, message: INVALID_TOPIC },
      ...['1', '7'].flatMap((partition) => [
        { ask: `GET /topics/<t>/partitions/${partition}`, status: 404, message: 'Specified partition does not exist.' },
        {
          ask: `GET /topics/<t>/partitions/${partition}/offsets`,
          status: 404,
          message: `Topic '<t>' does not have partition with id ${partition}`,
        },
      ]),
      ...['-1', '-2147483649'].flatMap((partition) =>
        ['', '/offsets'].map((path) => ({
          ask: `GET /topics/<t>/partitions/${partition}${path}`,
          ...schemaError(`${partition} is less than 0`),
        })),
      ),
      ...['1.0', '2147483648', '1e3', '99999999999999999999'].flatMap((partition) =>
        ['', '/offsets'].map((path) => ({
          ask: `GET /topics/<t>/partitions/${partition}${path}`,
          status: 422,
          message: NO_NUMBER,
        })),
      ),
      ...[
        ['x', 'string'],
        ['00', 'string'],
        ['0x1', 'string'],
        ['true', 'boolean'],
        ['null', 'null'],
        ['1.5', 'number'],
      ].flatMap(([partition, type = '']) =>
        ['', '/offsets'].map((path) => ({
          ask: `GET /topics/<t>/partitions/${partition}${path}`,
          ...schemaError(TYPE(type, 'integer')),
        })),
      ),
    ],
  },
  {
    title: 'a topic is created with the client’s settings or the broker’s defaults',
    steps: [
      created({ topic_name: '<nowhere>.a', partitions_count: 2, replication_factor: 1 }),
      created({ topic_name: '<nowhere>.b' }, V),
      created({ topic_name: '<nowhere>.c', partitions_count: null, replication_factor: null }, 'application/json'),
      created({ topic_name: '<nowhere>.d', partitions_count: -1, replication_factor: -1 }),
      created('{"topic_name":"<nowhere>.e","partitions_count":1.0,"replication_factor":1}'),
    ],
  },
  {
    title: 'new topics that Kafka refuses',
    topics: { t: 1 },
    steps: [
      ...(
        [
          ['replication_factor', '65537', '65537 is greater than 32767'],
          ['replication_factor', '-32769', '-32769 is less than -32768'],
          ['partitions_count', '2147483648', '2147483648 is greater than 2147483647'],
          ['partitions_count', '99999999999999999999', '99999999999999999999 is greater than 2147483647'],
        ] as const
      ).map(([name, value, violation]) => ({
        ask: 'POST /admin/topics',
        body: `{"topic_name":"<nowhere>.f","${name}":${value}}`,
        ...schemaError(BAD(name), violation, ADDITIONAL(name)),
      })),
      create({ topic_name: '<t>' }, { message: "Topic '<t>' already exists." }),
      create(
        { topic_name: 'x!' },
        {
          message:
            "Topic name is invalid: 'x!' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'",
        },
      ),
      create({ topic_name: '.' }, { message: "Topic name is invalid: '.' is not allowed" }),
      create({ topic_name: '..' }, { message: "Topic name is invalid: '..' is not allowed" }),
      create(
        { topic_name: 'n'.repeat(250) },
        {
          message: `Topic name is invalid: the length of '${'n'.repeat(250)}' is longer than the max allowed length 249`,
        },
      ),
      create({ topic_name: '' }, { message: "The given topic name '' cannot be represented in a request." }),
      ...[0, -5].map((partitions_count) =>
        create(
          { topic_name: '<nowhere>.x', partitions_count },
          { message: 'Number of partitions was set to an invalid non-positive value.' },
        ),
      ),
      ...[0, -5].map((replication_factor) =>
        create(
          { topic_name: '<nowhere>.x', replication_factor },
          { message: 'Replication factor must be larger than 0, or -1 to use the default value.' },
        ),
      ),
      create(
        { topic_name: '<nowhere>.x', replication_factor: 100 },
        { answer: { error_code: 500, message: expect.stringMatching(/replication factor|brokers/i) } },
      ),
    ],
  },
  {
    title: 'bodies without a valid topic',
    steps: [
      create({}, schemaError(MISSING('topic_name'))),
      create([], schemaError(TYPE('array', 'object'))),
      create(
        { topic_name: 1, partitions_count: 'x', replication_factor: 1.5, configs: {} },
        schemaError(
          BAD('topic_name'),
          TYPE('number', 'string'),
          BAD('partitions_count'),
          TYPE('string', 'integer, null'),
          BAD('replication_factor'),
          TYPE('number', 'integer, null'),
          ADDITIONAL('topic_name'),
          ADDITIONAL('partitions_count'),
          ADDITIONAL('replication_factor'),
          ADDITIONAL('configs'),
        ),
      ),
      create(undefined, {
        status: 400,
        message: 'Validation error on: The related request does not contain the required body.',
      }),
      create('{', { status: 400, message: "Validation error on: The request body can't be decoded" }),
      ...[B, T, 'text/plain', null].map((type) =>
        create({ topic_name: '<nowhere>.x' }, { type, status: 400, message: NO_TYPE }),
      ),
    ],
  },
];
