/** Subscriptions to topics and patterns, assignments of partitions, and how these exclude each other. */
import { expect } from 'vitest';
import { ADDITIONAL, BAD, consumer, MISSING, type Scenario, type Step, schemaError, TYPE } from '../scenario.ts';

const CONFLICT = {
  status: 409,
  message: 'Subscriptions to topics, partitions, and patterns are mutually exclusive.',
};
const NOTHING = 'Consumer is not subscribed to any topics or assigned any partitions';
const EXCLUSIVE =
  'java.lang.IllegalStateException: Subscription to topics, partitions and pattern are mutually exclusive';
const NO_TOPIC = 'java.lang.IllegalArgumentException: Topic partitions to assign to cannot have null or empty topic';

const subscribe = (body: unknown, more: Partial<Step> = {}): Step => ({
  ask: 'POST <c>/subscription',
  body,
  status: 204,
  ...more,
});
const assign = (body: unknown, more: Partial<Step> = {}): Step => ({
  ask: 'POST <c>/assignments',
  body,
  status: 204,
  ...more,
});
const unsubscribe: Step = { ask: 'DELETE <c>/subscription', status: 204 };
const poll = (more: Partial<Step>): Step => ({ ask: 'GET <c>/records?timeout=50', status: 200, ...more });
const stored = (value: string): Step => ({
  ask: 'POST /topics/<t>',
  body: { records: [{ value }] },
  status: 200,
  answer: { offsets: [expect.objectContaining({ offset: expect.any(Number) })] },
});
const record = (value: string) => ({
  topic: '<t>',
  key: null,
  value,
  partition: 0,
  offset: expect.any(Number),
  timestamp: expect.any(Number),
});

export const SUBSCRIPTIONS: readonly Scenario[] = [
  {
    title: 'a subscription to topics is read, listed once the group has assigned partitions, and removed',
    topics: { t: 1 },
    steps: [
      stored('a'),
      consumer(),
      { ask: 'GET <c>/subscription', status: 200, text: '{"topics":[],"partitions":[]}' },
      { ask: 'GET <c>/assignments', status: 200, text: '{"partitions":[]}' },
      subscribe({ topics: ['<t>'] }),
      { ask: 'GET <c>/subscription', status: 200, text: '{"topics":[],"partitions":[]}' },
      { take: 1, from: '<c>', records: [record('a')] },
      { ask: 'GET <c>/subscription', status: 200, answer: { topics: ['<t>'], partitions: [{ '<t>': [0] }] } },
      { ask: 'GET <c>/assignments', status: 200, answer: { partitions: [{ topic: '<t>', partition: 0 }] } },
      unsubscribe,
      unsubscribe,
      { ask: 'GET <c>/subscription', status: 200, text: '{"topics":[],"partitions":[]}' },
      poll({ status: 500, message: NOTHING }),
    ],
  },
  {
    title: 'a list of topics replaces the previous one, and may name unknown topics',
    topics: { t: 1 },
    steps: [
      stored('a'),
      consumer(),
      subscribe({ topics: ['<nowhere>'] }),
      poll({
        ask: 'GET <c>/records?timeout=1',
        headers: { accept: '*/*' },
        text: '[]',
        answerType: 'application/vnd.kafka.json.v2+json',
      }),
      subscribe({ topics: ['<t>'] }),
      { take: 1, from: '<c>', records: [record('a')] },
    ],
  },
  {
    title: 'a pattern selects the topics whose whole names match',
    topics: { t: 1 },
    steps: [
      stored('a'),
      consumer(),
      subscribe({ topic_pattern: '(?i)<t>|__consumer.*' }),
      { take: 1, from: '<c>', records: [record('a')] },
      { ask: 'GET <c>/subscription', status: 200, answer: { topics: ['<t>'], partitions: [{ '<t>': [0] }] } },
    ],
  },
  {
    title: 'assigned partitions',
    topics: { t: 1, other: 2 },
    steps: [
      stored('a'),
      consumer(),
      assign({
        partitions: [
          { topic: '<t>', partition: 0 },
          { topic: '<nowhere>', partition: 0 },
          { topic: '<t>', partition: -1 },
        ],
      }),
      { take: 1, from: '<c>', records: [record('a')] },
      assign({
        partitions: [
          { topic: '<other>', partition: 1 },
          { topic: '<t>', partition: 0 },
        ],
      }),
      {
        ask: 'GET <c>/subscription',
        status: 200,
        answer: {
          topics: expect.arrayContaining([expect.any(String), expect.any(String)]),
          partitions: expect.arrayContaining([expect.any(Object), expect.any(Object)]),
        },
      },
      unsubscribe,
      { ask: 'GET <c>/assignments', status: 200, text: '{"partitions":[]}' },
    ],
  },
  {
    title: 'topics, patterns and partitions exclude each other',
    topics: { t: 1 },
    steps: [
      consumer(),
      subscribe({ topics: ['<t>'], topic_pattern: 'x' }, CONFLICT),
      subscribe({ topics: ['<t>'] }),
      assign({ partitions: [{ topic: '<t>', partition: 0 }] }, CONFLICT),
      subscribe({ topic_pattern: 'x' }, { status: 500, message: EXCLUSIVE }),
      unsubscribe,
      subscribe({ topic_pattern: '<t>' }),
      subscribe({ topics: ['<t>'] }, { status: 500, message: EXCLUSIVE }),
      assign({ partitions: [] }, CONFLICT),
      unsubscribe,
      assign({ partitions: [{ topic: '<t>', partition: 0 }] }),
      subscribe({ topics: ['<t>'] }, CONFLICT),
      subscribe({ topic_pattern: 'x' }, CONFLICT),
      // Reported before other errors.
      subscribe({}, CONFLICT),
      subscribe({ topics: [''] }, CONFLICT),
    ],
  },
  {
    title: 'an empty list reads nothing, and still counts as a subscription',
    topics: { t: 1 },
    steps: [
      consumer(),
      subscribe({ topics: [] }),
      poll({ status: 500, message: `java.lang.IllegalStateException: ${NOTHING}` }),
      assign({ partitions: [{ topic: '<t>', partition: 0 }] }, CONFLICT),
      unsubscribe,
      assign({ partitions: [] }),
      poll({ status: 500, message: `java.lang.IllegalStateException: ${NOTHING}` }),
      subscribe({ topics: ['<t>'] }, CONFLICT),
    ],
  },
  {
    title: 'invalid subscriptions',
    steps: [
      consumer(),
      subscribe({}, { status: 422, message: 'A list (of Topics type) or a topic_pattern must be specified.' }),
      subscribe(
        { topics: [''] },
        {
          status: 500,
          message:
            'java.lang.IllegalArgumentException: Topic collection to subscribe to cannot contain null or empty topic',
        },
      ),
      subscribe(
        { topic_pattern: '' },
        { status: 500, message: 'java.lang.IllegalArgumentException: Topic pattern to subscribe to cannot be empty' },
      ),
      subscribe(
        { topic_pattern: '(' },
        { status: 500, message: 'java.util.regex.PatternSyntaxException: Unclosed group near index 1\n(' },
      ),
      subscribe({ topics: 'x' }, schemaError(BAD('topics'), TYPE('string', 'array'), ADDITIONAL('topics'))),
      subscribe(
        { topics: ['x', 1, null] },
        schemaError(
          BAD('topics'),
          ...['Items did not match schema', TYPE('number', 'string')],
          ...['Items did not match schema', TYPE('null', 'string')],
          ADDITIONAL('topics'),
        ),
      ),
      subscribe(
        { topic_pattern: null, more: 1 },
        schemaError(BAD('topic_pattern'), TYPE('null', 'string'), ADDITIONAL('topic_pattern'), ADDITIONAL('more')),
      ),
    ],
  },
  {
    title: 'the next poll reports an illegal topic name, once',
    steps: [
      consumer(),
      subscribe({ topics: ['bad name!'] }),
      poll({
        status: 500,
        message: 'org.apache.kafka.common.errors.InvalidTopicException: Invalid topics: [bad name!]',
      }),
      poll({ headers: { accept: '*/*' }, text: '[]', answerType: 'application/vnd.kafka.json.v2+json' }),
    ],
  },
  {
    title: 'invalid assignments',
    steps: [
      consumer(),
      // The peer API responds 500 in plain text here.
      assign({}, { status: 422, message: 'A list of partitions must be specified.' }),
      assign(
        { partitions: [{ topic: 't' }] },
        { status: 422, message: 'Each entry of partitions must have a partition.' },
      ),
      assign({ partitions: [{ partition: 0 }] }, { status: 500, message: NO_TOPIC }),
      assign({ partitions: [{ topic: '', partition: 0 }] }, { status: 500, message: NO_TOPIC }),
      assign(
        {
          partitions: [
            { topic: 't', partition: 2 ** 31 },
            { topic: 1, partition: '0', offset: 0 },
          ],
        },
        schemaError(
          BAD('partitions'),
          ...['Items did not match schema', 'A subschema had errors'],
          ...[BAD('partition'), 'Integer does not match the format "int32"', ADDITIONAL('partition')],
          ...['Items did not match schema', 'A subschema had errors'],
          ...[BAD('partition'), TYPE('string', 'integer'), 'Integer does not match the format "int32"'],
          ...[BAD('topic'), TYPE('number', 'string')],
          ...[ADDITIONAL('topic'), ADDITIONAL('partition'), ADDITIONAL('offset')],
          ADDITIONAL('partitions'),
        ),
      ),
      assign({ partitions: [], topic: 't' }, schemaError(ADDITIONAL('topic'))),
      assign(
        { partitions: [5] },
        schemaError(
          BAD('partitions'),
          'Items did not match schema',
          'A subschema had errors',
          TYPE('number', 'object'),
          ADDITIONAL('partitions'),
        ),
      ),
    ],
  },
  {
    title: 'entries of offsets have three required fields',
    steps: ['/offsets', '/positions'].map((path) => ({
      ask: `POST <c>${path}`,
      body: { offsets: [{}] },
      ...schemaError(
        BAD('offsets'),
        ...['Items did not match schema', 'A subschema had errors'],
        ...['partition', 'offset', 'topic'].map(MISSING),
        ADDITIONAL('offsets'),
      ),
    })),
  },
  {
    title: 'internal topics are closed to consumers',
    steps: [
      consumer(),
      ...['__consumer_offsets', '__causeway_sessions'].flatMap((topic) => {
        const refused = { status: 403, message: `The topic ${topic} is internal: consumers cannot read it.` };
        return [subscribe({ topics: [topic] }, refused), assign({ partitions: [{ topic, partition: 0 }] }, refused)];
      }),
    ],
  },
];
