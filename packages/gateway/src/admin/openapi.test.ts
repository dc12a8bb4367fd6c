/** Every response of the admin API matches its OpenAPI document. */
import {
  PREPARE_PATH,
  PROMOTE_PATH,
  REJOIN_PATH,
  REPLICATION_ENDED_PATH,
  type ReplicationEnd,
  TAIL_PATH,
} from '@causeway/protocol/clusters.ts';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type AskOptions, ask, watchLive } from '../../../../test/harness/admin.ts';
import { regions, startGateway, type TestGateway } from '../../../../test/harness/gateway.ts';
import { until } from '../../../../test/harness/until.ts';
import { answerJson, startUpstream, type Upstream, type UpstreamHandler } from '../../../../test/harness/upstream.ts';

interface Document {
  paths: Record<string, Record<string, { operationId: string; responses: Record<string, { content?: object }> }>>;
  components: { schemas: Record<string, object> };
}

const ajv = new Ajv2020({ strict: false, allErrors: true });
addFormats.default(ajv);
let east: Upstream;
let gw: TestGateway;
/** Whether the cluster of east is fenced. */
let isFenced = true;
let document: Document;
const seen = new Set<string>();

beforeAll(async () => {
  east = await startUpstream(answerJson({ total: 0, matching: 0, consumers: [] }));
  east.bridge = 'east/bridge';
  east.handle = respondAsBridge(east.handle);
  gw = await startGateway({
    regions: [...regions({ east: east.url }), ...regions({ west: 'http://127.0.0.1:1' })],
    clusters: { active: 'east', members: ['east', 'west'].map((name) => ({ name, regions: [name] })) },
  });
  document = (await ask(`${gw.adminUrl}/api/openapi.json`)).body as Document;
  ajv.addSchema({ $id: 'admin', ...document });
});
afterAll(async () => {
  await gw.close();
  await east.kill();
});

const RANGE = '{"topic":"t","partition":0,"from":3,"to":5}';
const RECORD = { offset: 3, timestamp: 1, key: null, value: 'AA==', headers: [{ key: 'aA==', value: null }] };
const PREPARED = {
  promotion: { number: 1, cluster: 'west' },
  source: 'west',
  target: 'east',
  positions: [{ topic: 't', partition: 0, offset: 4 }],
};
const TAIL = { records: [RECORD], next: 4 };

function respondAsBridge(others: UpstreamHandler): UpstreamHandler {
  const promotion = { number: 1, cluster: 'east' };
  return (request, response) => {
    if (request.url === PROMOTE_PATH) {
      answerJson({ promotion, kind: 'orderly', report: null })(request, response);
    } else if (request.url === REJOIN_PATH) {
      if (isFenced) answerJson({ promotion, report: null })(request, response);
      else answerJson({ error_code: 409, message: 'it is not fenced' }, 409)(request, response);
      isFenced = false;
    } else if (request.url === PREPARE_PATH) {
      if (isFenced) answerJson({ error_code: 409, message: 'it does not stand by' }, 409)(request, response);
      else answerJson(PREPARED)(request, response);
    } else if (request.url === REPLICATION_ENDED_PATH) {
      const { number } = (JSON.parse(request.body) as ReplicationEnd).promotion;
      if (number === promotion.number) answerJson({ promotion })(request, response);
      else answerJson({ error_code: 409, message: 'it is not active by this promotion' }, 409)(request, response);
    } else if (request.url === TAIL_PATH) {
      if (isFenced) answerJson(TAIL)(request, response);
      else answerJson({ error_code: 409, message: 'in no final report' }, 409)(request, response);
    } else others(request, response);
  };
}

function validate(pointer: string[], value: unknown): void {
  const path = pointer.map((name) => encodeURIComponent(name.replaceAll('~', '~0').replaceAll('/', '~1'))).join('/');
  const check = ajv.getSchema(`admin#/${path}`) ?? ajv.compile({ $ref: `admin#/${path}` });
  if (!check(value)) throw new Error(`${pointer.join(' ')}: ${ajv.errorsText(check.errors)}`);
}

/** Sends a request, compares the response with the document, and returns the status. */
async function checked(template: string, target: string, options: AskOptions = {}): Promise<number> {
  const method = (options.method ?? 'GET').toLowerCase();
  const found = document.paths[template]?.[method];
  if (found === undefined) throw new Error(`${method} ${template} is not in the document`);
  const answer = await ask(`${gw.adminUrl}${target}`, options);
  const { status } = answer;
  seen.add(`${found.operationId} ${status}`);
  const response = found.responses[status];
  if (response === undefined) throw new Error(`${found.operationId} ${status} is not in the document: ${answer.text}`);
  if (response.content === undefined) {
    expect(answer.text).toBe('');
    return status;
  }
  const type = String(answer.headers['content-type']).split(';')[0] ?? '';
  expect(Object.keys(response.content)).toContain(type);
  const place = ['paths', template, method, 'responses', String(status), 'content', type, 'schema'];
  validate(place, answer.body ?? answer.text);
  return status;
}

test('all responses are as documented, and all documented statuses occur', async () => {
  const json = { accept: 'application/json' };
  const put = (body: string): AskOptions => ({
    method: 'PUT',
    body,
    headers: { 'content-type': 'application/json' },
  });
  const post = (body: string): AskOptions => ({ ...put(body), method: 'POST' });
  const weight = '/api/regions/{region}/weight';
  const promote = '/api/clusters/{cluster}/promote';
  const rejoin = '/api/clusters/{cluster}/rejoin';
  const prepare = '/api/clusters/{cluster}/prepare';
  const tail = '/api/clusters/{cluster}/tail';
  const ended = '/api/clusters/{cluster}/replication-ended';
  const answers: [string, string, AskOptions, number][] = [
    ['/healthy', '/healthy', {}, 200],
    ['/ready', '/ready', {}, 200],
    ['/metrics', '/metrics', {}, 200],
    ['/api/openapi.json', '/api/openapi.json', {}, 200],
    ['/api/topology', '/api/topology', {}, 200],
    ['/api/access', '/api/access', {}, 200],
    ['/api/history', '/api/history', {}, 200],
    ['/api/config', '/api/config', {}, 200],
    ['/api/consumers', '/api/consumers?filter=x', {}, 200],
    ['/api/consumers', '/api/consumers?limit=x', {}, 400],
    ['/api/config/check', '/api/config/check', { method: 'POST', body: 'regions: 5' }, 200],
    ['/api/config/check', '/api/config/check', { method: 'POST', body: '#'.repeat(2_000_000) }, 413],
    [weight, '/api/regions/east/weight', put('{"weight":50}'), 200],
    [weight, '/api/regions/east/weight', put('{"weight":-1}'), 400],
    [weight, '/api/regions/east/weight', { method: 'PUT', body: '{"weight":50}' }, 415],
    [weight, '/api/regions/north/weight', put('{"weight":5}'), 404],
    ['/api/regions/{region}/drain', '/api/regions/west/drain', { method: 'POST' }, 200],
    ['/api/regions/{region}/drain', '/api/regions/east/drain', { method: 'POST' }, 409],
    ['/api/regions/{region}/drain', '/api/regions/north/drain', { method: 'POST' }, 404],
    [weight, '/api/regions/east/weight', put('{"weight":0}'), 409],
    ['/api/regions/{region}/undrain', '/api/regions/west/undrain', { method: 'POST' }, 200],
    ['/api/regions/{region}/undrain', '/api/regions/north/undrain', { method: 'POST' }, 404],
    ['/api/regions/{region}/drain', '/api/regions/east/drain', { method: 'POST', token: undefined }, 401],
    ['/api/clusters', '/api/clusters', {}, 200],
    [promote, '/api/clusters/east/promote', { method: 'POST' }, 200],
    [promote, '/api/clusters/east/promote', post('{"force":true}'), 200],
    [promote, '/api/clusters/east/promote', post('{"force":7}'), 400],
    [promote, '/api/clusters/north/promote', { method: 'POST' }, 404],
    [promote, '/api/clusters/west/promote', { method: 'POST' }, 409],
    [promote, '/api/clusters/east/promote', { method: 'POST', body: '{}' }, 415],
    [tail, '/api/clusters/east/tail', post(RANGE), 200],
    [prepare, '/api/clusters/east/prepare', { method: 'POST' }, 409],
    [rejoin, '/api/clusters/east/rejoin', { method: 'POST' }, 200],
    [prepare, '/api/clusters/east/prepare', post('{"dryRun":true}'), 200],
    [prepare, '/api/clusters/east/prepare', post('{"dryRun":7}'), 400],
    [prepare, '/api/clusters/east/prepare', { method: 'POST', body: '{}' }, 415],
    [prepare, '/api/clusters/north/prepare', { method: 'POST' }, 404],
    [prepare, '/api/clusters/west/prepare', { method: 'POST' }, 502],
    [rejoin, '/api/clusters/east/rejoin', { method: 'POST' }, 409],
    [rejoin, '/api/clusters/east/rejoin', post('{"isPeerGone":7}'), 400],
    [rejoin, '/api/clusters/east/rejoin', { method: 'POST', body: '{}' }, 415],
    [rejoin, '/api/clusters/north/rejoin', { method: 'POST' }, 404],
    [rejoin, '/api/clusters/west/rejoin', { method: 'POST' }, 502],
    [ended, '/api/clusters/east/replication-ended', { method: 'POST' }, 200],
    [ended, '/api/clusters/east/replication-ended', post('{"promotion":7}'), 409],
    [ended, '/api/clusters/east/replication-ended', post('{"promotion":-1}'), 400],
    [ended, '/api/clusters/east/replication-ended', { method: 'POST', body: '{}' }, 415],
    [ended, '/api/clusters/north/replication-ended', { method: 'POST' }, 404],
    [ended, '/api/clusters/west/replication-ended', { method: 'POST' }, 502],
    [tail, '/api/clusters/east/tail', post(RANGE), 409],
    [tail, '/api/clusters/east/tail', post('{}'), 400],
    [tail, '/api/clusters/east/tail', { method: 'POST', body: RANGE }, 415],
    [tail, '/api/clusters/north/tail', post(RANGE), 404],
    [tail, '/api/clusters/west/tail', post(RANGE), 502],
    ['/api/events', '/api/events', { headers: json }, 200],
    ['/api/events', '/api/events?after=1&limit=1', { headers: json }, 200],
  ];
  for (const [template, target, options, status] of answers) {
    expect(await checked(template, target, options), `${target} ${options.body?.slice(0, 30)}`).toBe(status);
  }
  await east.kill();
  await until('no target is available', async () => (await ask(`${gw.adminUrl}/ready`)).status === 503);
  expect(await checked('/ready', '/ready')).toBe(503);
  expect(await checked('/api/topology', '/api/topology?behind=false')).toBe(200);
  // Statuses of other kinds of gateways are tested in api.test.ts: without a configured or a sent token.
  // Those of too many streams are in slow-listeners.test.ts.
  // That of gateways without the section clusters is in clusters-admin.test.ts.
  const elsewhere = ['live 200', 'live 503', 'events 503', 'clusters 404'];
  const operations = Object.values(document.paths).flatMap((methods) => Object.values(methods));
  const documented = operations.flatMap(({ operationId, responses }) =>
    Object.keys(responses).flatMap((status) =>
      status === '401' || status === '403' ? [] : `${operationId} ${status}`,
    ),
  );
  expect(documented.filter((one) => !seen.has(one) && !elsewhere.includes(one))).toEqual([]);
});

test('the messages of the live stream are as documented', async () => {
  const view = await watchLive(gw.adminUrl);
  await until('a sample arrives', () => view.samples.length > 0);
  view.close();
  const schema = (name: string): string[] => ['components', 'schemas', name];
  for (const system of view.systems) validate(schema('System'), system);
  for (const sample of view.samples) validate(schema('Sample'), sample);
  expect(view.events.length).toBeGreaterThan(0);
  for (const event of view.events) validate(schema('Event'), event);
});
