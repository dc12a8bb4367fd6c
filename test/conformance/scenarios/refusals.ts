/** Requests that a bridge refuses because it cannot or must not serve them. */
import { expect } from 'vitest';
import { consumer, type Scenario, type Step } from '../scenario.ts';

const unavailable = (ask: string, more: Partial<Step> = {}): Step => ({
  ask,
  status: 503,
  answer: { error_code: 503, message: expect.any(String) },
  ...more,
});

const UNFOUND = '/consumers/<group>/instances/c';

/** Kafka does not respond within `requestTimeoutMs`, `maxBlockMs` and `deliveryTimeoutMs` of 200. */
export const WITHOUT_KAFKA: readonly Scenario[] = [
  {
    title: 'a bridge without Kafka is healthy and not ready',
    steps: [{ ask: 'GET /healthy', status: 200 }, unavailable('GET /ready')],
  },
  {
    title: 'without Kafka, topics are not listed',
    steps: [
      unavailable('GET /topics'),
      ...['', '/partitions', '/partitions/0', '/partitions/0/offsets'].map((path) =>
        unavailable(`GET /topics/t${path}`),
      ),
      unavailable('POST /admin/topics', { body: { topic_name: 't' } }),
    ],
  },
  {
    title: 'without Kafka, records are refused with async',
    steps: ['', '/partitions/0'].map((path) =>
      unavailable(`POST /topics/t${path}?async=true`, {
        body: { records: [{ value: 'a' }] },
        answer: { error_code: 503, message: 'Topic t not present in metadata after 200 ms.' },
      }),
    ),
  },
  {
    title: 'without Kafka, each record fails',
    steps: ['', '/partitions/0'].map((path) => ({
      ask: `POST /topics/t${path}`,
      body: { records: [{ value: 'a' }, { value: 'b' }] },
      status: 200,
      answer: {
        offsets: [1, 2].map(() => ({ error_code: 404, message: 'Topic t not present in metadata after 200 ms.' })),
      },
    })),
  },
  {
    title: 'without Kafka, a request with an idempotency key is refused',
    steps: ['', '/partitions/0'].map((path) =>
      unavailable(`POST /topics/t${path}`, {
        headers: { 'idempotency-key': 'k' },
        body: { records: [{ value: 'a' }] },
      }),
    ),
  },
  {
    // Kafka stores the owners of consumers.
    title: 'without Kafka, consumers are neither created nor found',
    steps: [
      unavailable('POST /consumers/<group>', { body: { name: 'c' } }),
      unavailable(`POST ${UNFOUND}/subscription`, { body: { topics: ['t'] } }),
      unavailable(`GET ${UNFOUND}/subscription`),
      unavailable(`DELETE ${UNFOUND}/subscription`),
      unavailable(`POST ${UNFOUND}/assignments`, { body: { partitions: [{ topic: 't', partition: 0 }] } }),
      unavailable(`GET ${UNFOUND}/assignments`),
      unavailable(`GET ${UNFOUND}/records`),
      unavailable(`POST ${UNFOUND}/offsets`),
      unavailable(`GET ${UNFOUND}/offsets`),
      unavailable(`GET ${UNFOUND}/positions`),
      unavailable(`POST ${UNFOUND}/positions`, { body: { offsets: [{ topic: 't', partition: 0, offset: 1 }] } }),
      ...['beginning', 'end'].map((end) =>
        unavailable(`POST ${UNFOUND}/positions/${end}`, { body: { partitions: [] } }),
      ),
      unavailable(`DELETE ${UNFOUND}`),
    ],
  },
];

/** Producer and consumer are switched off. */
export const SWITCHED_OFF: readonly Scenario[] = [
  {
    title: 'the error names the setting that enables the operation',
    steps: [
      ...['', '/partitions/0', '?async=true'].map((path) => ({
        ask: `POST /topics/t${path}`,
        body: { records: [] },
        status: 503,
        message: 'Producer is disabled in config. To enable producer update http.producer.enabled to true',
      })),
      {
        ask: 'POST /consumers/<group>',
        status: 503,
        message: 'Consumer is disabled in config. To enable consumer update http.consumer.enabled to true',
      },
      // A malformed request is reported first.
      {
        ask: 'POST /topics/t',
        body: '{',
        status: 400,
        message: "Validation error on: The request body can't be decoded",
      },
    ],
  },
];

const PLACE = { topic: 't', partition: 0 };
const OFFSET = { ...PLACE, offset: 0 };

/** `producer.idempotencyKeys` is false. */
export const WITHOUT_KEYS: readonly Scenario[] = [
  {
    title: 'without idempotency keys, a request with one is refused',
    steps: ['', '/partitions/0'].map((path) => ({
      ask: `POST /topics/t${path}`,
      headers: { 'idempotency-key': 'k' },
      body: { records: [] },
      status: 501,
      answer: { error_code: 501, message: expect.stringContaining('Idempotency-Key') },
    })),
  },
];

/** The limits are one consumer, bodies of 1,024 bytes, and two records, topics or partitions in a request. */
export const LIMITED: readonly Scenario[] = [
  {
    title: 'every operation refuses a body that is too large',
    steps: [
      '/topics/t',
      '/topics/t/partitions/0',
      '/admin/topics',
      '/consumers/g',
      ...['subscription', 'assignments', 'offsets', 'positions', 'positions/beginning', 'positions/end'].map(
        (path) => `/consumers/g/instances/c/${path}`,
      ),
    ].map((path) => ({
      ask: `POST ${path}`,
      body: 'x'.repeat(1025),
      status: 413,
      message: 'The request body is larger than the limit of 1024 bytes',
    })),
  },
  {
    title: 'too many records are refused',
    steps: ['', '/partitions/0'].map((path) => ({
      ask: `POST /topics/t${path}`,
      body: { records: [{ value: 'a' }, { value: 'b' }, { value: 'c' }] },
      status: 413,
      message: 'The request has 3 records, more than the limit of 2',
    })),
  },
  {
    title: 'lists that are too long are refused',
    steps: (
      [
        ['subscription', 'topics', { topics: ['a', 'b', 'c'] }],
        ['assignments', 'partitions', { partitions: [PLACE, PLACE, PLACE] }],
        ['positions/beginning', 'partitions', { partitions: [PLACE, PLACE, PLACE] }],
        ['positions/end', 'partitions', { partitions: [PLACE, PLACE, PLACE] }],
        ['positions', 'offsets', { offsets: [OFFSET, OFFSET, OFFSET] }],
        ['offsets', 'offsets', { offsets: [OFFSET, OFFSET, OFFSET] }],
      ] as const
    ).map(([path, what, body]) => ({
      ask: `POST /consumers/<group>/instances/c/${path}`,
      body,
      status: 413,
      message: `The request has 3 ${what}, more than the limit of 2`,
    })),
  },
  {
    title: 'too many consumers are refused',
    steps: [
      consumer(),
      {
        ask: 'POST /consumers/<group>',
        status: 503,
        message: 'Bridge is overloaded, please retry later',
        answerHeaders: { 'retry-after': '1' },
      },
    ],
  },
];
