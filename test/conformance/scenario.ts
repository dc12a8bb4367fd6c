/** Scenarios as data, and how to run one against a target. */
import { KAFKA_V2, RECORDS } from '@causeway/protocol/content-types.ts';
import { expect } from 'vitest';
import type { OpenApiCheck } from '../harness/openapi-check.ts';
import type { Client, PlainAnswer, PlainRequest } from './client.ts';

export const V = KAFKA_V2;
export const { json: J, binary: B, text: T } = RECORDS;

/** A request and the expected response. In texts, `<name>` stands for a name of the scenario. */
export interface Step {
  /** Method and target. */
  ask: string;
  /** `Content-Type`; `null` sends none. Default: J below `/topics` and `/admin`, V elsewhere. */
  type?: string | null;
  headers?: Record<string, string>;
  /** A string or bytes are sent unchanged, other values as JSON. */
  body?: unknown;
  status: number;
  /** The JSON of the response. */
  answer?: unknown;
  /** The exact text of the response, or a pattern for it. */
  text?: string | RegExp;
  /** The response is an error with this message. */
  message?: string;
  /** `validation_errors`, in order. */
  violations?: readonly string[];
  /** Default: V for a response with a body. */
  answerType?: string;
  /** `undefined`: absent. */
  answerHeaders?: Record<string, string | undefined>;
}

/** Polls a consumer until this many records have arrived. */
export interface Take {
  take: number;
  /** The path of the consumer. */
  from: string;
  accept?: string;
  /** One matcher for each record. */
  records: readonly unknown[];
}

export interface Scenario {
  title: string;
  /** Its topics, with the number of partitions. */
  topics?: Record<string, number>;
  steps: readonly (Step | Take)[];
  /** Where it runs. Default: everywhere. */
  only?: 'bridge' | 'gateway';
}

/**
 * The names of a scenario: its topics, `group`, `c` (the path of the consumer `c` of the group), `host`, `scheme` and
 * `usualPort` (of the scheme) of the target, and `nowhere`, a topic that does not exist.
 */
export type Names = Readonly<Record<string, string>>;

export interface RunContext {
  url: string;
  client: Client;
  check: OpenApiCheck;
  names: Names;
}

const SCHEMA_ERROR = 'Validation error on: Schema validation error';

/** The expected response to a body or parameter that violates its schema. */
export function schemaError(...violations: string[]): Pick<Step, 'status' | 'message' | 'violations'> {
  return { status: 400, message: SCHEMA_ERROR, violations };
}

export const ADDITIONAL = (name: string): string => `Property "${name}" does not match additional properties schema`;
export const BAD = (name: string): string => `Property "${name}" does not match schema`;
export const MISSING = (name: string): string => `Instance does not have required property "${name}"`;
export const TYPE = (actual: string, expected: string): string =>
  `Instance type ${actual} is invalid. Expected ${expected}`;

/** Creates the consumer `c`, by default with JSON from the beginning. */
export function consumer(options: object = {}): Step {
  return {
    ask: 'POST /consumers/<group>',
    body: { name: 'c', format: 'json', 'auto.offset.reset': 'earliest', ...options },
    status: 200,
    answer: { instance_id: 'c', base_uri: '<scheme>://<host><c>' },
  };
}

/** Runs the steps in order, and deletes the remaining consumers. */
export async function runScenario({ steps }: Scenario, context: RunContext): Promise<void> {
  const instances = new Set<string>();
  try {
    for (const step of steps) {
      const answers = 'take' in step ? await take(step, context) : [await ask(step, context)];
      for (const { json } of answers) {
        const created = json as { base_uri?: string } | undefined;
        if (created?.base_uri !== undefined) instances.add(created.base_uri);
      }
    }
  } finally {
    for (const instance of instances) {
      const group = encodeURIComponent(context.names['group'] ?? '');
      const name = instance.slice(instance.indexOf('/instances/') + '/instances/'.length);
      const target = `/consumers/${group}/instances/${encodeURIComponent(name)}`;
      await context.client.send(context.url, { method: 'DELETE', target, headers: {}, body: undefined });
    }
  }
}

async function ask(step: Step, context: RunContext): Promise<PlainAnswer> {
  const request = requestOf(step, context.names);
  const answer = await context.client.send(context.url, request);
  const what = `${request.method} ${request.target} ${request.body?.toString().slice(0, 300) ?? ''}`;
  expect({ what, status: answer.status }, answer.text).toEqual({ what, status: step.status });
  expectBody(step, answer, { what, names: context.names });
  expectHeaders(step, answer, what);
  expect(context.check.problems(request, answer), what).toEqual([]);
  return answer;
}

function requestOf({ ask: line, type, headers = {}, body }: Step, names: Names): PlainRequest {
  const [method = '', target = ''] = fill(line, names).split(/ (.*)/s);
  const bytes = bytesOf(fillAll(body, names));
  const usualType = /^\/(?:topics|admin)/.test(target) ? J : V;
  const contentType = type === undefined && bytes !== undefined ? usualType : type;
  const typeHeader = typeof contentType === 'string' ? { 'content-type': contentType } : {};
  return { method, target, headers: { ...typeHeader, ...(fillAll(headers, names) as typeof headers) }, body: bytes };
}

function bytesOf(body: unknown): Buffer | undefined {
  if (body === undefined) return undefined;
  if (Buffer.isBuffer(body)) return body;
  return Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
}

function expectBody(step: Step, answer: PlainAnswer, { what, names }: { what: string; names: Names }): void {
  const { status, message, violations, text } = step;
  if (message !== undefined) {
    const errors = violations === undefined ? {} : { validation_errors: fillAll(violations, names) };
    expect(answer.json, what).toEqual({ error_code: status, message: fill(message, names), ...errors });
  } else if (text instanceof RegExp) {
    expect(answer.text, what).toMatch(text);
  } else if (text !== undefined) {
    expect(answer.text, what).toBe(fill(text, names));
  } else if (step.answer !== undefined) {
    expect(answer.json, what).toEqual(fillAll(step.answer, names));
  } else {
    expect(answer.text, what).toBe('');
  }
}

function expectHeaders(step: Step, { status, headers, text }: PlainAnswer, what: string): void {
  const type = step.answerType ?? (text === '' ? undefined : V);
  const seen = { 'content-type': headers['content-type'], 'content-length': headers['content-length'] };
  const length = status === 204 || what.startsWith('HEAD') ? undefined : String(Buffer.byteLength(text));
  if (what.startsWith('HEAD')) seen['content-length'] = undefined;
  expect({ what, ...seen }).toEqual({ what, 'content-type': type, 'content-length': length });
  expect(headers['server'], what).toBeUndefined();
  for (const [name, value] of Object.entries(step.answerHeaders ?? {})) expect(headers[name], what).toBe(value);
}

/** Long, so that only a missing record reaches it. */
const TAKE_LIMIT_MS = 60_000;

async function take({ take: count, from, accept = J, records }: Take, context: RunContext): Promise<PlainAnswer[]> {
  const target = `${fill(from, context.names)}/records?timeout=1000`;
  const found: unknown[] = [];
  const answers: PlainAnswer[] = [];
  const deadlineMs = performance.now() + TAKE_LIMIT_MS;
  while (found.length < count) {
    expect(performance.now(), `${found.length} of ${count} records have arrived`).toBeLessThan(deadlineMs);
    const request: PlainRequest = { method: 'GET', target, headers: { accept }, body: undefined };
    const answer = await context.client.send(context.url, request);
    expect(answer, target).toMatchObject({ status: 200, headers: { 'content-type': accept } });
    expect(context.check.problems(request, answer), target).toEqual([]);
    found.push(...(answer.json as unknown[]));
    answers.push(answer);
  }
  expect(found).toEqual(fillAll(records, context.names));
  return answers;
}

/** Replaces the names in a text. */
function fill(text: string, names: Names): string {
  return text.replaceAll(/<(\w+)>/g, (found, name: string) => names[name] ?? found);
}

/** Replaces the names in all strings of a value, except in matchers. */
function fillAll(value: unknown, names: Names): unknown {
  if (typeof value === 'string') return fill(value, names);
  if (Array.isArray(value)) return value.map((item) => fillAll(item, names));
  if (typeof value !== 'object' || value === null || Buffer.isBuffer(value) || 'asymmetricMatch' in value) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [fill(key, names), fillAll(item, names)]));
}
