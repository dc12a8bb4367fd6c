/** The table of operations feeds all parts of the system: a new operation needs an entry and a handler in the bridge. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openApiDocument } from '@causeway/protocol/openapi.ts';
import { OPERATIONS, retryClassOf, routeTemplateOf } from '@causeway/protocol/operations/table.ts';
import { afterAll, describe, expect, test } from 'vitest';
import { bridgeOfFile } from './harness/bridge.ts';
import { valueIn } from './harness/exposition.ts';
import { regions, startGateway } from './harness/gateway.ts';
import { until } from './harness/until.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const NO_HANDLER = '{"error_code":404,"message":"Not Found"}';

const bridge = await bridgeOfFile();
await until('the bridge is ready', async () => (await bridge.get('/ready')).status === 200);
const gateway = await startGateway({ regions: regions({ east: bridge.url }) });
afterAll(() => gateway.close());

interface Described {
  operationId: string;
  summary: string;
  requestBody?: object;
}
const described = openApiDocument('1.0.0')['paths'] as Record<string, Record<string, Described>>;

test('names and paths are unique', () => {
  expect(new Set(OPERATIONS.map(({ operation }) => operation)).size).toBe(OPERATIONS.length);
  // The names of parameters do not distinguish paths.
  const paths = OPERATIONS.map(({ method, path }) => `${method} ${path.replaceAll(/\{\w+\}/g, '{}')}`);
  expect(new Set(paths).size).toBe(OPERATIONS.length);
});

describe.each(OPERATIONS)('$operation', ({ operation, method, path, kind, retry, body, summary }) => {
  const target = path.replaceAll('{partition}', '0').replaceAll(/\{\w+\}/g, 'operations-test');

  async function ask(url: string): Promise<{ status: number; text: string }> {
    const response = await fetch(`${url}${target}`, { method, ...(body === undefined ? {} : { body: 'no JSON' }) });
    return { status: response.status, text: await response.text() };
  }

  async function counted(url: string, metric: string): Promise<number> {
    return valueIn(await (await fetch(`${url}/metrics`)).text(), metric, { operation });
  }

  test('is served by the bridge, and counted by both programs under its name', async () => {
    const direct = await ask(bridge.url);
    expect(direct.text).not.toBe(NO_HANDLER);
    expect([405, 501, 503]).not.toContain(direct.status);
    expect(await counted(bridge.url, 'causeway_bridge_requests_total')).toBeGreaterThan(0);
    const before = await counted(gateway.adminUrl, 'causeway_requests_total');
    const through = await ask(gateway.url);
    if (kind !== 'management') expect(through.status).toBe(direct.status);
    expect(await counted(gateway.adminUrl, 'causeway_requests_total')).toBe(before + 1);
  });

  test('has a retry class that fits its method, and a route for traces', () => {
    expect(retryClassOf(operation)).toBe(retry);
    // Only safe methods (RFC 9110 §9.2.1) are reads.
    if (method !== 'GET') expect(retry).not.toBe('read');
    if (method === 'GET' || method === 'DELETE') expect(retry).not.toBe('stores');
    if (kind === 'produce') expect(retry).toBe('stores');
    expect(body === undefined).toBe(method !== 'POST');
    expect(body?.holdsRecords === true).toBe(kind === 'produce');
    expect(routeTemplateOf(operation)).toBe(path);
  });

  test('is described in the OpenAPI document', () => {
    const found = Object.values(described)
      .flatMap((methods) => Object.entries(methods))
      .filter(([, { operationId }]) => operationId === operation);
    expect(found).toMatchObject([[method.toLowerCase(), { operationId: operation, summary }]]);
    expect(found[0]?.[1].requestBody === undefined).toBe(body === undefined);
  });
});

/** The source files that name each operation. */
function filesNaming(): Map<string, string[]> {
  const files = ['protocol', 'http', 'telemetry', 'gateway', 'bridge'].flatMap((name) =>
    readdirSync(join(ROOT, 'packages', name, 'src'), { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'))
      .map((file) => `packages/${name}/src/${file}`),
  );
  const texts = files.map((file) => [file, readFileSync(join(ROOT, file), 'utf8')] as const);
  return new Map(
    OPERATIONS.map(({ operation }) => [
      operation,
      texts.filter(([, text]) => text.includes(`'${operation}'`)).map(([file]) => file),
    ]),
  );
}

/** Operations with special cases in a program, or whose names are also other words. */
const KNOWN_TO_MORE = [
  'healthy',
  'ready',
  'metrics',
  'info',
  'send',
  'poll',
  'createConsumer',
  'deleteConsumer',
  'openapi',
];

test('only the table and the handler name an operation', () => {
  const files = filesNaming();
  for (const { operation } of OPERATIONS.filter((entry) => !KNOWN_TO_MORE.includes(entry.operation))) {
    expect({ operation, files: files.get(operation) }).toEqual({
      operation,
      files: [
        expect.stringMatching(/^packages\/protocol\/src\/operations\//),
        expect.stringMatching(/^packages\/bridge\/src\/http\//),
      ],
    });
  }
});
