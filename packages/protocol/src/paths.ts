/** The grammar of the REST API's URLs: the only place that knows which path and method are which operation. */

import { DELIVERED_PATH, SESSIONS_PATH } from './routing.ts';

/** What a request asks for. `unknown` is a path or a method that the API does not have. */
export type Operation = (typeof OPERATIONS)[number]['operation'] | 'unknown';

/**
 * Every operation with its method and path, in the form that Fastify's router takes.
 * Names are the `operationId`s of the API's OpenAPI document; `listCommitted`, `listAssignments` and `listPositions` are ours.
 */
export const OPERATIONS = [
  { operation: 'info', method: 'GET', path: '/' },
  { operation: 'healthy', method: 'GET', path: '/healthy' },
  { operation: 'ready', method: 'GET', path: '/ready' },
  { operation: 'metrics', method: 'GET', path: '/metrics' },
  { operation: 'openapi', method: 'GET', path: '/openapi' },
  { operation: 'openapiv3', method: 'GET', path: '/openapi/v3' },
  { operation: 'createTopic', method: 'POST', path: '/admin/topics' },
  { operation: 'listTopics', method: 'GET', path: '/topics' },
  { operation: 'getTopic', method: 'GET', path: '/topics/:topic' },
  { operation: 'send', method: 'POST', path: '/topics/:topic' },
  { operation: 'listPartitions', method: 'GET', path: '/topics/:topic/partitions' },
  { operation: 'getPartition', method: 'GET', path: '/topics/:topic/partitions/:partition' },
  { operation: 'sendToPartition', method: 'POST', path: '/topics/:topic/partitions/:partition' },
  { operation: 'getOffsets', method: 'GET', path: '/topics/:topic/partitions/:partition/offsets' },
  { operation: 'createConsumer', method: 'POST', path: '/consumers/:group' },
  { operation: 'deleteConsumer', method: 'DELETE', path: '/consumers/:group/instances/:instance' },
  { operation: 'subscribe', method: 'POST', path: '/consumers/:group/instances/:instance/subscription' },
  { operation: 'unsubscribe', method: 'DELETE', path: '/consumers/:group/instances/:instance/subscription' },
  { operation: 'listSubscriptions', method: 'GET', path: '/consumers/:group/instances/:instance/subscription' },
  { operation: 'assign', method: 'POST', path: '/consumers/:group/instances/:instance/assignments' },
  { operation: 'poll', method: 'GET', path: '/consumers/:group/instances/:instance/records' },
  { operation: 'commit', method: 'POST', path: '/consumers/:group/instances/:instance/offsets' },
  { operation: 'listCommitted', method: 'GET', path: '/consumers/:group/instances/:instance/offsets' },
  { operation: 'listAssignments', method: 'GET', path: '/consumers/:group/instances/:instance/assignments' },
  { operation: 'listPositions', method: 'GET', path: '/consumers/:group/instances/:instance/positions' },
  { operation: 'seek', method: 'POST', path: '/consumers/:group/instances/:instance/positions' },
  { operation: 'seekToBeginning', method: 'POST', path: '/consumers/:group/instances/:instance/positions/beginning' },
  { operation: 'seekToEnd', method: 'POST', path: '/consumers/:group/instances/:instance/positions/end' },
] as const;

/** The method and path of an operation. */
export function routeOf(operation: Exclude<Operation, 'unknown'>): { method: 'GET' | 'POST' | 'DELETE'; path: string } {
  const route = OPERATIONS.find((candidate) => candidate.operation === operation);
  if (route === undefined) throw new TypeError(`no operation ${operation}`);
  return { method: route.method, path: route.path };
}

const ROUTE_TEMPLATES: ReadonlyMap<Operation, string> = new Map(
  OPERATIONS.map(({ operation, path }) => [operation, path.replaceAll(/:(\w+)/g, '{$1}')]),
);

/** The path of an operation as OpenAPI and OpenTelemetry write it: `/topics/{topic}`. */
export function routeTemplateOf(operation: Operation): string | undefined {
  return ROUTE_TEMPLATES.get(operation);
}

/** What a request's method and URL say. Names are percent-decoded; those the path does not have are `undefined`. */
export interface ParsedUrl {
  operation: Operation;
  group: string | undefined;
  instance: string | undefined;
  topic: string | undefined;
}

/** Operations below `/consumers/:group/instances/:instance`, by method and what follows. */
const CONSUMER_OPERATIONS: ReadonlyMap<string, Operation> = new Map([
  ['DELETE ', 'deleteConsumer'],
  ['POST subscription', 'subscribe'],
  ['DELETE subscription', 'unsubscribe'],
  ['GET subscription', 'listSubscriptions'],
  ['POST assignments', 'assign'],
  ['GET records', 'poll'],
  ['POST offsets', 'commit'],
  ['POST positions', 'seek'],
  ['GET offsets', 'listCommitted'],
  ['GET assignments', 'listAssignments'],
  ['GET positions', 'listPositions'],
]);

const SINGLE_SEGMENT_OPERATIONS: ReadonlyMap<string, Operation> = new Map([
  ['GET healthy', 'healthy'],
  ['GET ready', 'ready'],
  ['GET metrics', 'metrics'],
  ['GET openapi', 'openapi'],
  ['GET topics', 'listTopics'],
]);

const METHODS = ['GET', 'HEAD', 'POST', 'DELETE'] as const;

/** The methods that a request target has, of those for which `isServed` holds; none for a path that the API does not have. */
export function allowedMethods(target: string, isServed: (operation: Operation) => boolean = () => true): string[] {
  return METHODS.filter((method) => {
    const { operation } = parseUrl(method, target);
    return operation !== 'unknown' && isServed(operation);
  });
}

/** Parses a request target in origin form (RFC 9112 §3.2.1), query included. HEAD asks what GET does. Never throws. */
export function parseUrl(requestMethod: string, target: string): ParsedUrl {
  const method = requestMethod === 'HEAD' ? 'GET' : requestMethod;
  const parsed: ParsedUrl = { operation: 'unknown', group: undefined, instance: undefined, topic: undefined };
  const segments = splitPath(target);
  if (segments === undefined) return parsed;
  const [first, second, third, fourth, fifth] = segments;
  if (first === undefined) {
    if (method === 'GET') parsed.operation = 'info';
    return parsed;
  }
  if (segments.length === 1) {
    parsed.operation = SINGLE_SEGMENT_OPERATIONS.get(`${method} ${first}`) ?? 'unknown';
    return parsed;
  }
  switch (first) {
    case 'topics':
      parsed.topic = second;
      parsed.operation = topicOperation(method, segments.length, third, fifth);
      return parsed;
    case 'consumers':
      parsed.group = second;
      if (segments.length === 2) {
        if (method === 'POST') parsed.operation = 'createConsumer';
      } else if (third === 'instances' && fourth !== undefined) {
        parsed.instance = fourth;
        parsed.operation = consumerOperation(method, segments.length, fifth, segments[5]);
      }
      return parsed;
    case 'admin':
      if (segments.length === 2 && second === 'topics' && method === 'POST') parsed.operation = 'createTopic';
      return parsed;
    case 'openapi':
      if (segments.length === 2 && second === 'v3' && method === 'GET') parsed.operation = 'openapiv3';
      return parsed;
    default:
      return parsed;
  }
}

function topicOperation(method: string, length: number, third?: string, fifth?: string): Operation {
  if (length === 2) return method === 'POST' ? 'send' : method === 'GET' ? 'getTopic' : 'unknown';
  if (third !== 'partitions') return 'unknown';
  if (length === 3) return method === 'GET' ? 'listPartitions' : 'unknown';
  if (length === 4) return method === 'POST' ? 'sendToPartition' : method === 'GET' ? 'getPartition' : 'unknown';
  return length === 5 && fifth === 'offsets' && method === 'GET' ? 'getOffsets' : 'unknown';
}

function consumerOperation(method: string, length: number, fifth?: string, sixth?: string): Operation {
  if (length <= 5) return CONSUMER_OPERATIONS.get(`${method} ${fifth ?? ''}`) ?? 'unknown';
  if (length !== 6 || fifth !== 'positions' || method !== 'POST') return 'unknown';
  return sixth === 'beginning' ? 'seekToBeginning' : sixth === 'end' ? 'seekToEnd' : 'unknown';
}

const SLASH = 0x2f;
const QUESTION_MARK = 0x3f;
const PERCENT = 0x25;

/** The path's segments, decoded, with empty ones left out and dot segments resolved; `undefined` for a bad escape. */
function splitPath(target: string): string[] | undefined {
  const segments: string[] = [];
  let start = 0;
  let hasEscape = false;
  for (let index = 0; index <= target.length; index += 1) {
    const code = index === target.length ? QUESTION_MARK : target.charCodeAt(index);
    if (code === PERCENT) hasEscape = true;
    if (code !== SLASH && code !== QUESTION_MARK) continue;
    if (index > start) {
      const raw = target.slice(start, index);
      const segment = hasEscape ? decode(raw) : raw;
      if (segment === undefined) return undefined;
      // `%2E%2E` counts as `..` too (WHATWG URL); an encoded slash stays inside its segment.
      if (segment === '..') segments.pop();
      else if (segment !== '.') segments.push(segment);
    }
    if (code === QUESTION_MARK) break;
    start = index + 1;
    hasEscape = false;
  }
  return segments;
}

function decode(segment: string): string | undefined {
  try {
    return decodeURIComponent(segment);
  } catch {
    return undefined;
  }
}

/** Whether gateways alone ask for this path; to others it is not there. */
export function isForGateways(target: string): boolean {
  const segments = splitPath(target) ?? [];
  return `/${segments[0]}` === SESSIONS_PATH || `/${segments.at(-1)}` === DELIVERED_PATH;
}

/** The path of a consumer instance, percent-encoded. */
export function instancePath(group: string, instance: string): string {
  return `/consumers/${encodeURIComponent(group)}/instances/${encodeURIComponent(instance)}`;
}

/** The value of a query parameter: names are case-insensitive, the first of repeated ones wins. */
export function queryParameter(target: string, name: string): string | undefined {
  const start = target.indexOf('?');
  if (start === -1) return undefined;
  for (const [key, value] of new URLSearchParams(target.slice(start + 1))) {
    if (key.toLowerCase() === name) return value;
  }
  return undefined;
}
