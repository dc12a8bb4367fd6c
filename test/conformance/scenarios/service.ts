/** The bridge itself, paths and methods, and requests that are refused before an operation starts. */
import { OPERATIONS } from '@causeway/protocol/operations/table.ts';
import { expect } from 'vitest';
import { type Scenario, type Step, V } from '../scenario.ts';

const NOT_FOUND = { status: 404, text: '{"error_code":404,"message":"Not Found"}' };
const refused = (ask: string, allow: string): Step => ({
  ask,
  status: 405,
  message: `The method ${ask.split(' ')[0]} is not allowed at this path; use one of ${allow}.`,
  answerHeaders: { allow },
});
const badEscape = (method: string, target: string, found: string): Step => ({
  ask: `${method} ${target}`,
  status: 400,
  message: `The URL has an invalid percent-encoding: ${found}; write a percent sign as %25.`,
});
const LONG_NAME = 'g'.repeat(3000);

export const SERVICE: readonly Scenario[] = [
  {
    title: 'the version, in plain JSON',
    steps: [
      {
        ask: 'GET /',
        status: 200,
        answer: { bridge_version: expect.stringMatching(/^\d+\.\d+\.\d+$/) },
        answerType: 'application/json',
      },
      {
        ask: 'GET /',
        type: ';',
        status: 200,
        answer: { bridge_version: expect.any(String) },
        answerType: 'application/json',
      },
      // The body and `Accept` of a GET are ignored.
      {
        ask: 'GET /',
        type: 'nonsense',
        headers: { accept: 'text/nonsense' },
        status: 200,
        answer: { bridge_version: expect.any(String) },
        answerType: 'application/json',
      },
    ],
  },
  {
    title: 'health',
    steps: [
      { ask: 'GET /healthy', status: 200 },
      { ask: 'GET /ready', status: 200 },
    ],
  },
  {
    title: 'each process has its own metrics',
    only: 'bridge',
    steps: [
      {
        ask: 'GET /metrics',
        status: 200,
        text: /^causeway_bridge_requests_total\{operation="/m,
        answerType: 'text/plain; version=0.0.4; charset=utf-8',
      },
    ],
  },
  {
    title: 'a gateway does not forward requests for metrics',
    only: 'gateway',
    steps: [
      { ask: 'GET /metrics', status: 404, answer: { error_code: 404, message: expect.stringMatching(/admin port/) } },
    ],
  },
  {
    title: 'the OpenAPI document, at both of its paths',
    steps: ['/openapi', '/openapi/v3', '/openapi/'].map((path) => ({
      ask: `GET ${path}`,
      status: 200,
      answer: expect.objectContaining({ openapi: '3.1.0', paths: expect.any(Object) }),
      answerType: 'application/json',
    })),
  },
  {
    title: 'the OpenAPI document has the prefix under which it is served',
    steps: [
      [{ 'x-forwarded-prefix': '/prefix' }, '/prefix'],
      [{ 'x-forwarded-path': '/path', 'x-forwarded-prefix': '/prefix' }, '/path'],
      [{ 'x-forwarded-path': '', 'x-forwarded-prefix': '/prefix' }, ''],
    ].map(([headers, basePath]) => ({
      ask: 'GET /openapi',
      headers: headers as Record<string, string>,
      status: 200,
      answer: expect.objectContaining({ basePath }),
      answerType: 'application/json',
    })),
  },
  {
    title: 'every operation refuses an invalid percent-encoding in the URL',
    steps: OPERATIONS.flatMap(({ method, path }) => {
      const target = path.replaceAll(/\{\w+\}/g, 'x');
      return [badEscape(method, `${target}?%zz`, '%zz'), badEscape(method, `${target}?a=%`, '%')];
    }),
  },
  {
    title: 'unknown paths',
    steps: [
      'GET /nothing',
      'POST /nothing',
      'GET /openapi/v2',
      'GET /consumers',
      'POST /consumers/',
      'POST /consumers//',
      'GET /consumers/g/instances',
      'POST /consumers/g/instances',
      'GET /consumers/g/instances/i/nothing',
      'POST /consumers/g/instances/i/positions/middle',
      'GET /topics/t/nothing',
      'GET /topics/t/partitions/0/nothing',
      'GET /admin',
      'GET /admin/topics/t',
    ].map((ask) => ({ ask, ...NOT_FOUND })),
  },
  {
    title: 'methods that a path does not have',
    steps: [
      refused('POST /', 'GET,HEAD'),
      refused('DELETE /topics', 'GET,HEAD'),
      refused('POST /topics', 'GET,HEAD'),
      refused('PUT /topics/t', 'GET,HEAD,POST'),
      refused('PATCH /topics/t', 'GET,HEAD,POST'),
      refused('DELETE /topics/t', 'GET,HEAD,POST'),
      refused('POST /topics/t/partitions', 'GET,HEAD'),
      refused('DELETE /topics/t/partitions/0', 'GET,HEAD,POST'),
      refused('POST /topics/t/partitions/0/offsets', 'GET,HEAD'),
      refused('GET /admin/topics', 'POST'),
      refused('GET /consumers/g', 'POST'),
      refused('GET /consumers/g/instances/i', 'DELETE'),
      refused('POST /consumers/g/instances/i', 'DELETE'),
      refused('PUT /consumers/g/instances/i/subscription', 'GET,HEAD,POST,DELETE'),
      refused('DELETE /consumers/g/instances/i/assignments', 'GET,HEAD,POST'),
      refused('POST /consumers/g/instances/i/records', 'GET,HEAD'),
      refused('DELETE /consumers/g/instances/i/offsets', 'GET,HEAD,POST'),
      refused('DELETE /consumers/g/instances/i/positions', 'GET,HEAD,POST'),
      refused('GET /consumers/g/instances/i/positions/beginning', 'POST'),
      refused('GET /consumers/g/instances/i/positions/end', 'POST'),
      refused('POST /openapi', 'GET,HEAD'),
      refused('POST /openapi/v3', 'GET,HEAD'),
      ...['PUT', 'PATCH', 'QUERY', 'OPTIONS', 'PROPFIND'].flatMap((method) => [
        refused(`${method} /topics`, 'GET,HEAD'),
        // With any body.
        { ...refused(`${method} /topics`, 'GET,HEAD'), type: ';', body: 'x' },
        { ask: `${method} /nothing`, type: 'x/y', body: '{', ...NOT_FOUND },
      ]),
      { ...refused('OPTIONS /consumers/g', 'POST'), headers: { origin: 'http://example.com' } },
      { ask: 'HEAD /topics', status: 200, text: '', answerType: V },
      { ask: 'HEAD /', status: 200, text: '', answerType: 'application/json' },
    ],
  },
  {
    title: 'paths may have repeated slashes, dot segments and escapes',
    topics: { t: 1 },
    steps: [
      ...[
        '/topics/<t>/partitions/',
        '//topics//<t>///partitions',
        '/./topics/<t>/partitions',
        '/x/../topics/<t>/partitions',
        '/x/%2e%2E/topics/<t>/partitions',
        '/%74opics/<t>/partitions',
        '/topics/<t>/partitions?unknown=1&a=b',
      ].map((path) => ({
        ask: `GET ${path}`,
        status: 200,
        answer: [{ partition: 0, leader: 1, replicas: [{ broker: 1, leader: true, in_sync: true }] }],
      })),
      // An encoded slash stays inside its segment.
      {
        ask: 'GET /topics/a%2Fpartitions',
        status: 500,
        message:
          'org.apache.kafka.common.errors.InvalidTopicException: The request attempted to perform an operation on an invalid topic.',
      },
      badEscape('GET', '/topics/%zz', '%zz'),
    ],
  },
  {
    title: 'long names reach their operation',
    steps: [
      {
        ask: `DELETE /consumers/${LONG_NAME}/instances/i`,
        status: 422,
        message: `The name of the group has ${LONG_NAME.length} bytes, more than the limit of 1024`,
      },
    ],
  },
  {
    title: 'errors have the media type of the API, whatever the client accepts',
    steps: [
      {
        ask: 'DELETE /consumers/<group>/instances/unknown',
        headers: { accept: 'text/plain' },
        status: 404,
        message: 'The specified consumer instance was not found.',
        answerType: V,
      },
    ],
  },
  {
    title: 'every operation with a body refuses an unknown content coding',
    steps: [
      ...['/topics/t', '/topics/t/partitions/0', '/admin/topics', '/consumers/<group>'],
      ...['subscription', 'assignments', 'offsets', 'positions', 'positions/beginning', 'positions/end'].map(
        (name) => `<c>/${name}`,
      ),
    ].map((path) => ({
      ask: `POST ${path}`,
      body: {},
      headers: { 'content-encoding': 'sdch' },
      status: 415,
      message: 'Content-Encoding "sdch" is not supported: use one of zstd, gzip, br, deflate, or none',
      answerHeaders: { 'accept-encoding': 'zstd, gzip, br, deflate' },
    })),
  },
];
