import { OPERATIONS } from '@causeway/protocol/operations/table.ts';
import { beforeAll, describe, expect, test } from 'vitest';
import { bridgeOfFile } from '../../../../test/harness/bridge.ts';
import { raw } from '../../../../test/harness/raw.ts';
import { until } from '../../../../test/harness/until.ts';

const bridge = await bridgeOfFile();

beforeAll(async () => {
  await until('the bridge is ready', async () => (await bridge.get('/ready')).status === 200);
});

test('info, health and metrics', async () => {
  const info = await bridge.get('/');
  expect(info.headers.get('content-type')).toBe('application/json');
  expect(info.body).toEqual({ bridge_version: expect.stringMatching(/^\d+\.\d+\.\d+$/) });
  expect(await bridge.get('/healthy')).toMatchObject({ status: 200, text: '' });
  expect(await bridge.get('/ready')).toMatchObject({ status: 200, text: '' });
  await bridge.get('/topics/nowhere-at-all');
  const metrics = await bridge.get('/metrics');
  expect(metrics.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
  expect(metrics.text).toMatch(/^causeway_bridge_requests_total\{operation="healthy",outcome="2xx"\} 1$/m);
  expect(metrics.text).toMatch(/^causeway_bridge_requests_total\{operation="getTopic",outcome="4xx"\} 1$/m);
  expect(metrics.text).toMatch(/^causeway_bridge_request_duration_seconds_count\{operation="info",outcome="2xx"\} 1$/m);
  expect(metrics.text).toMatch(/^causeway_bridge_ready 1$/m);
  expect(metrics.text).toMatch(/^process_cpu_seconds_total /m);
  // Names from clients are never labels.
  expect(metrics.text).not.toContain('nowhere-at-all');
});

describe('paths and methods that the API does not have', () => {
  test.each([
    ['GET', '/nothing'],
    ['POST', '/consumers/'],
    ['GET', '/consumers/g/instances'],
    ['GET', '/openapi/v2'],
  ])('%s %s is not found', async (method, path) => {
    const answer = await bridge.request(method, path);
    expect(answer.status).toBe(404);
    expect(answer.headers.get('content-type')).toBe('application/vnd.kafka.v2+json');
    expect(answer.text).toBe('{"error_code":404,"message":"Not Found"}');
  });

  test.each([
    ['PUT', '/topics/t', 'GET,HEAD,POST'],
    ['DELETE', '/topics', 'GET,HEAD'],
    ['HEAD', '/consumers/g', 'POST'],
    ['OPTIONS', '/consumers/g', 'POST'],
    ['GET', '/consumers/g/instances/i', 'DELETE'],
  ])('%s %s is not allowed', async (method, path, allow) => {
    const answer = await bridge.request(method, path);
    expect(answer.status).toBe(405);
    if (method !== 'HEAD') expect(answer.body).toMatchObject({ error_code: 405 });
    expect(answer.headers.get('allow')).toBe(allow);
  });
});

describe('paths are normalized', () => {
  test.each(['/healthy/', '//healthy', '/x/../healthy?a=b', '/./healthy', '/x/%2e%2E/healthy'])('%s', async (path) => {
    const answer = await raw(bridge.bridge.port, `GET ${path} HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1\.1 200 /);
  });

  test('a bad escape is refused in JSON', async () => {
    const answer = await raw(bridge.bridge.port, 'GET /topics/%zz HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n');
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(answer).toContain('{"error_code":400,"message":"The URL has an invalid percent-encoding: %zz;');
  });

  test('long names reach their operation', async () => {
    expect((await bridge.request('DELETE', `/consumers/${'g'.repeat(1000)}/instances/i`)).body).toEqual({
      error_code: 404,
      message: 'The specified consumer instance was not found.',
    });
  });
});

test('pipelined requests get their responses in order', async () => {
  const answer = await raw(
    bridge.bridge.port,
    'GET /healthy HTTP/1.1\r\nhost: h\r\n\r\nGET / HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n',
  );
  expect(answer.match(/HTTP\/1\.1 200 OK/g)).toHaveLength(2);
  expect(answer).toMatch(/bridge_version":"[^"]+"\}$/);
});

describe('the OpenAPI document', () => {
  test('has every route of the router, and no other', async () => {
    const { status, headers, body } = await bridge.get('/openapi');
    expect(status).toBe(200);
    expect(headers.get('content-type')).toBe('application/json');
    expect(body.openapi).toBe('3.1.0');
    expect((await bridge.get('/openapi/v3')).body).toEqual(body);
    const described = Object.entries<Record<string, { operationId: string }>>(body.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, { operationId }]) => ({ path, method: method.toUpperCase(), operationId })),
    );
    expect(described.map(({ operationId }) => operationId).sort()).toEqual(
      OPERATIONS.map(({ operation }) => operation).sort(),
    );
    for (const { path, method } of described) {
      const target = path.replaceAll(/\{\w+\}/g, 'x');
      // Every other method is refused, with the methods of the path.
      const refused = await bridge.request('PUT', target);
      expect(refused.status).toBe(405);
      expect(refused.headers.get('allow')?.split(',')).toContain(method);
      const methods = Object.keys(body.paths[path]).map((name) => name.toUpperCase());
      const expected = methods.includes('GET') ? [...methods, 'HEAD'] : methods;
      expect(refused.headers.get('allow')?.split(',').sort()).toEqual(expected.sort());
    }
  });

  test('refers only to schemas that it has', async () => {
    const { text, body } = await bridge.get('/openapi');
    const references = [...text.matchAll(/"#\/components\/schemas\/(\w+)"/g)].map(([, name]) => name);
    expect([...new Set(references)].sort()).toEqual(Object.keys(body.components.schemas).sort());
    expect(body.components.schemas.NewTopic.properties.partitions_count.type).toEqual(['integer', 'null']);
    expect(text).not.toContain('"$id"');
  });

  test.each([
    [{ 'x-forwarded-prefix': '/kafka' }, '/kafka'],
    [{ 'x-forwarded-prefix': '/kafka', 'x-forwarded-path': '/path' }, '/path'],
    [{}, undefined],
  ])('behind %j', async (headers, basePath) => {
    expect((await bridge.get('/openapi', headers as Record<string, string>)).body.basePath).toBe(basePath);
  });
});
