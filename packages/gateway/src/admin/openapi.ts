/** Builds the OpenAPI document of the admin API from the schemas of its routes. */
import { KAFKA_V2 } from '@causeway/protocol/content-types.ts';
import { ErrorBody } from '@causeway/protocol/errors.ts';
import type { FastifyInstance, RouteOptions } from 'fastify';

/** Routes without an `operationId` are files of the page, not part of the API. */
type Documented = RouteOptions & { schema: { operationId: string } };

const JSON_TYPE = 'application/json';
const VERSION = '1.0.0';
/** An error that every route may have. */
const WITHOUT_TOKEN = 401;
const CHANGES_OFF = 403;

const TOKEN_SCHEME = {
  type: 'http',
  scheme: 'bearer',
  description:
    'A token of admin.token or admin.tokens. Roles: a viewer reads; an operator makes changes, too. Operations without a role accept both.',
} as const;

/** Collects the routes that are added later, and serves their document. */
export function addOpenApi(app: FastifyInstance): void {
  const routes: Documented[] = [];
  let document: object | undefined;
  app.addHook('onRoute', (route) => {
    if (route.schema?.operationId !== undefined && route.method !== 'HEAD') routes.push(route as Documented);
  });
  app.get('/api/openapi.json', {
    schema: {
      operationId: 'openapi',
      summary: 'This document.',
      response: { 200: { type: 'object', description: 'OpenAPI 3.1.' } },
    },
    handler: () => {
      document ??= describe(routes);
      return document;
    },
  });
}

function describe(routes: readonly Documented[]): object {
  const schemas: Record<string, unknown> = {};
  const paths: Record<string, Record<string, unknown>> = {};
  for (const route of routes) {
    const path = route.url.replaceAll(/:(\w+)/g, '{$1}');
    paths[path] = { ...paths[path], [String(route.method).toLowerCase()]: operation(route, schemas) };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Causeway admin API',
      description:
        'Served on the admin port of a gateway. Changes need the token of an operator. If the port is reachable from other machines, everything but /healthy, /ready and the page needs a token. The security of an operation names the role that it requires.',
      version: VERSION,
    },
    paths,
    components: { schemas, securitySchemes: { token: TOKEN_SCHEME } },
  };
}

function operation({ method, schema, config }: Documented, schemas: Record<string, unknown>): object {
  const { operationId, summary, params, querystring, body } = schema;
  const isChange = method !== 'GET';
  const isPublic = config?.isPublic === true;
  const bodyType = config?.textBody ?? JSON_TYPE;
  const bodySchema = config?.textBody === undefined ? body : { type: 'string' };
  const errors = [...(isPublic ? [] : [WITHOUT_TOKEN, CHANGES_OFF]), ...(config?.errors ?? [])];
  const errorContent = { [KAFKA_V2]: { schema: referring(ErrorBody, schemas) } };
  return {
    operationId,
    summary,
    // The empty requirement is for reading on loopback. Names of roles: OpenAPI 3.1 §4.8.30.
    security: isPublic ? [] : isChange ? [{ token: ['operator'] }] : [{}, { token: [] }],
    parameters: [...parameters(params, 'path', schemas), ...parameters(querystring, 'query', schemas)],
    ...(bodySchema === undefined
      ? {}
      : { requestBody: { required: true, content: { [bodyType]: { schema: referring(bodySchema, schemas) } } } }),
    responses: {
      ...answers(schema.response, schemas),
      ...Object.fromEntries(errors.map((status) => [status, { description: 'The reason.', content: errorContent }])),
    },
  };
}

interface ObjectSchema {
  properties?: Record<string, { description?: string }>;
  required?: string[];
}

function parameters(schema: unknown, place: 'path' | 'query', schemas: Record<string, unknown>): object[] {
  const { properties = {}, required = [] } = (schema ?? {}) as ObjectSchema;
  return Object.entries(properties).map(([name, { description, ...rest }]) => ({
    name,
    in: place,
    required: required.includes(name),
    ...(description === undefined ? {} : { description }),
    schema: referring(rest, schemas),
  }));
}

/** By status: a schema of JSON, or a description of other content or no content. */
function answers(response: unknown, schemas: Record<string, unknown>): Record<string, object> {
  const byStatus = Object.entries((response ?? {}) as Record<string, Record<string, unknown>>);
  return Object.fromEntries(
    byStatus.map(([status, answer]) => {
      const description = typeof answer['description'] === 'string' ? answer['description'] : 'Success.';
      const isSchema = 'type' in answer || 'anyOf' in answer;
      const content = isSchema ? { [JSON_TYPE]: { schema: answer } } : answer['content'];
      return [status, { description, ...(content === undefined ? {} : { content: referring(content, schemas) }) }];
    }),
  );
}

/** Replaces every named schema inside by a reference to `schemas`. */
function referring(schema: unknown, schemas: Record<string, unknown>): unknown {
  if (Array.isArray(schema)) return schema.map((item) => referring(item, schemas));
  if (typeof schema !== 'object' || schema === null) return schema;
  const { $id, ...rest } = schema as Record<string, unknown>;
  const plain = Object.fromEntries(Object.entries(rest).map(([key, value]) => [key, referring(value, schemas)]));
  if (typeof $id !== 'string') return plain;
  schemas[$id] = plain;
  return { $ref: `#/components/schemas/${$id}` };
}
