/** The OpenAPI document, generated from the table of operations and from the schemas that validate bodies. */
import { ErrorBody } from './errors.ts';
import { type Content, v2 } from './operations/content.ts';
import type { OperationEntry } from './operations/operation.ts';
import { OPERATIONS } from './operations/table.ts';

const OF_BODIES = [413, 415];
/** An invalid percent-encoding in the URL, of any operation. */
const BAD_URL = 400;

/** Of operations that need a right: gateways, or Kafka, may want to know who the client is. */
const UNAUTHENTICATED = 401;

/** The parameters of paths, with the names of the peer API's document. */
const PATH_PARAMETERS: Readonly<Record<string, { name: string; schema: object }>> = {
  group: { name: 'groupid', schema: { type: 'string' } },
  instance: { name: 'name', schema: { type: 'string' } },
  topic: { name: 'topicname', schema: { type: 'string' } },
  partition: { name: 'partitionid', schema: { type: 'integer', minimum: 0 } },
};

/** An OpenAPI 3.1 document of every operation. */
export function openApiDocument(version: string): Record<string, unknown> {
  const components: Record<string, unknown> = {};
  const paths: Record<string, Record<string, unknown>> = {};
  for (const entry of OPERATIONS) {
    const path = entry.path.replaceAll(PARAMETER, (_found, name: string) => `{${PATH_PARAMETERS[name]?.name}}`);
    paths[path] = { ...paths[path], [entry.method.toLowerCase()]: operationObject(entry, components) };
  }
  return {
    openapi: '3.1.0',
    info: { title: 'Kafka REST API', description: 'HTTP over Apache Kafka.', version },
    paths,
    components: { schemas: components },
    tags: ['Consumers', 'Topics', 'Seek', 'Producer'].map((name) => ({ name })),
  };
}

const PARAMETER = /\{(\w+)\}/g;

function operationObject(entry: OperationEntry, components: Record<string, unknown>): object {
  const { operation, path, summary, tags, query = {}, headers = {}, body } = entry;
  const inPath = [...path.matchAll(PARAMETER)].map(([, name = '']) => ({
    in: 'path',
    required: true,
    ...PATH_PARAMETERS[name],
  }));
  const optional = (place: string, schemas: Readonly<Record<string, object>>) =>
    Object.entries(schemas).map(([name, schema]) => ({ name, in: place, required: false, schema }));
  const requestBody =
    body === undefined ? undefined : { required: body.isOptional !== true, content: contentObject(body, components) };
  return {
    operationId: operation,
    summary,
    tags,
    parameters: [...inPath, ...optional('query', query), ...optional('header', headers)],
    ...(requestBody === undefined ? {} : { requestBody }),
    responses: responsesObject(entry, components),
  };
}

function responsesObject(
  { query = {}, body, status, response, responseHeaders, right, errors = [], meanings = {} }: OperationEntry,
  components: Record<string, unknown>,
): Record<string, object> {
  const headers = responseHeaders === undefined ? {} : { headers: headersObject(responseHeaders) };
  const responses: Record<string, object> = {
    [status]: {
      description: 'Success.',
      ...headers,
      ...(response === undefined ? {} : { content: contentObject(response, components) }),
    },
  };
  if ('async' in query) responses['204'] = { description: 'Taken over, with async=true.', ...headers };
  const content = contentObject(v2(ErrorBody), components);
  const ofIdentity = right === undefined ? [] : [UNAUTHENTICATED];
  for (const error of new Set([BAD_URL, ...ofIdentity, ...errors, ...(body === undefined ? [] : OF_BODIES)])) {
    responses[error] = { description: meanings[error] ?? 'Error.', content };
  }
  return responses;
}

function headersObject(schemas: Readonly<Record<string, object>>): object {
  return Object.fromEntries(Object.entries(schemas).map(([name, schema]) => [name, { required: false, schema }]));
}

function contentObject({ schema, types }: Content, components: Record<string, unknown>): object {
  return Object.fromEntries(types.map((type) => [type, { schema: referring(schema, components) }]));
}

/** Replaces every named schema inside by a reference, and adds it to `components`. */
function referring(schema: unknown, components: Record<string, unknown>): unknown {
  if (Array.isArray(schema)) return schema.map((item) => referring(item, components));
  if (typeof schema !== 'object' || schema === null) return schema;
  const { $id, ...rest } = schema as Record<string, unknown>;
  const plainSchema = Object.fromEntries(
    Object.entries(rest).map(([key, value]) => [key, referring(value, components)]),
  );
  if (typeof $id !== 'string') return plainSchema;
  components[$id] = plainSchema;
  return { $ref: `#/components/schemas/${$id}` };
}
