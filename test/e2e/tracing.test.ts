/** One request's trace through the whole system, at a real OTLP receiver. */
import process from 'node:process';
import { request } from 'undici';
import { expect, inject, onTestFinished, test } from 'vitest';
import { TestBridge } from '../harness/bridge.ts';
import { regions, startGateway, type TestGateway } from '../harness/gateway.ts';
import { KafkaView, unique } from '../harness/kafka-view.ts';
import { findOtlpReceiver, startOtlpReceiver } from '../harness/otlp-receiver.ts';
import { SpanTopic } from '../harness/span-topic.ts';
import { until } from '../harness/until.ts';
import { startUpstream } from '../harness/upstream.ts';

const program = findOtlpReceiver();
if (program === undefined) process.stderr.write('skipped: traces at a real receiver (pip and libpython3.11 needed)\n');

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const CLIENT = '00f067aa0ba902b7';
const JSON_RECORDS = 'application/vnd.kafka.json.v2+json';

test.skipIf(program === undefined)(
  'a request that failed over: both attempts, the bridge, the record in Kafka, and who reads it',
  async () => {
    const bootstrap = inject('kafkaBootstrap');
    const kafka = await KafkaView.connect(bootstrap);
    onTestFinished(() => kafka.close());
    const spanTopic = await kafka.topic();
    const receiver = await startOtlpReceiver(program ?? '', { bootstrap, topic: spanTopic });
    onTestFinished(receiver.close);
    const spans = await SpanTopic.open(bootstrap, spanTopic);
    onTestFinished(() => spans.close());

    const tracing = { endpoint: receiver.url };
    const bridge = await TestBridge.start(bootstrap, { bridge: { name: 'b1', region: 'west' }, tracing });
    onTestFinished(() => bridge.close());
    // East dies during the request.
    const east = await startUpstream((_, response) => response.destroy());
    onTestFinished(() => east.kill());
    const gateway = async (overrides: Record<string, unknown>): Promise<TestGateway> => {
      const started = await startGateway({ tracing, ...overrides });
      onTestFinished(started.close);
      return started;
    };
    const west = await gateway({
      gateway: { name: 'gw', region: 'west' },
      regions: regions({ west: bridge.url }),
    });
    const tier1 = await gateway({
      gateway: { name: 'tier1' },
      regions: [
        { name: 'east', priority: 0, targets: [{ url: east.url }] },
        { name: 'west', priority: 1, targets: [{ url: west.url }] },
      ],
    });
    await until('the bridge is ready', async () => (await bridge.get('/ready')).status === 200);

    const topic = await kafka.topic();
    const produced = await request(`${tier1.url}/topics/${topic}`, {
      method: 'POST',
      headers: {
        'content-type': JSON_RECORDS,
        traceparent: `00-${TRACE}-${CLIENT}-01`,
        tracestate: 'vendor=opaque',
      },
      body: JSON.stringify({ records: [{ value: 'a' }, { value: 'b', headers: [{ key: 'own', value: 'eA==' }] }] }),
    });
    expect([produced.statusCode, await produced.body.json()]).toMatchObject([200, { offsets: [{}, {}] }]);

    const names = ['tier1', 'west/gw', 'west/b1'];
    await until('all spans have arrived', () => spans.of(TRACE).length >= 7);
    const trace = spans.of(TRACE);
    const find = (instance: string, kind: string, region?: string) => {
      const found = trace.filter(
        (span) =>
          span.instance === instance &&
          span.kind === kind &&
          (region === undefined || span.attributes['causeway.region'] === region),
      );
      expect(found, `${kind} span of ${instance}`).toHaveLength(1);
      return found[0] as (typeof trace)[number];
    };
    const front = find('tier1', 'server');
    const lost = find('tier1', 'client', 'east');
    const good = find('tier1', 'client', 'west');
    const regional = find('west/gw', 'server');
    const hop = find('west/gw', 'client');
    const served = find('west/b1', 'server');
    const send = find('west/b1', 'producer');
    expect(trace).toHaveLength(7);
    expect(new Set(trace.map(({ instance }) => instance))).toEqual(new Set(names));
    expect([front, lost, good, regional, hop, served, send].map(({ parentId }) => parentId)).toEqual([
      ...[CLIENT, front.id, front.id, good.id, regional.id, hop.id, served.id],
    ]);
    expect(new Set(trace.map(({ state }) => state))).toEqual(new Set(['vendor=opaque']));
    expect(front).toMatchObject({
      name: 'POST /topics/{topic}',
      service: 'causeway-gateway',
      isError: false,
      attributes: {
        'http.request.method': 'POST',
        'http.route': '/topics/{topic}',
        'url.path': `/topics/${topic}`,
        'http.response.status_code': '200',
        'causeway.attempts': '2',
        'causeway.region': 'west',
      },
    });
    expect(lost).toMatchObject({
      isError: true,
      attributes: { 'causeway.target': east.url, 'causeway.outcome': 'brokenBeforeHeaders' },
    });
    expect(good).toMatchObject({
      isError: false,
      attributes: {
        'causeway.target': west.url,
        'causeway.outcome': 'answered',
        'causeway.retry.reason': 'brokenBeforeHeaders',
        'http.request.resend_count': '1',
        'http.response.status_code': '200',
      },
    });
    expect(served).toMatchObject({ service: 'causeway-bridge', attributes: { 'causeway.operation': 'send' } });
    expect(send).toMatchObject({
      name: `send ${topic}`,
      attributes: {
        'messaging.system': 'kafka',
        'messaging.operation.type': 'send',
        'messaging.destination.name': topic,
        'messaging.batch.message_count': '2',
        'messaging.destination.partition.id': '0',
      },
    });

    // The records, read by another client.
    const parent = `00-${TRACE}-${send.id}-01`;
    const stored = await kafka.read(topic, 2);
    expect(stored.map(({ headers }) => [String(headers?.['traceparent']), String(headers?.['tracestate'])])).toEqual([
      [parent, 'vendor=opaque'],
      [parent, 'vendor=opaque'],
    ]);
    expect(String(stored[1]?.headers?.['own'])).toBe('x');

    // The reader: headers in the response, and a link from the poll's span to the records' producer.
    const consumer = await bridge.consumer(unique('group'), 'c', [topic]);
    const [first] = await consumer.take(2);
    expect(first?.headers).toContainEqual({ key: 'traceparent', value: Buffer.from(parent).toString('base64') });
    await until('the poll has arrived', () => spans.all.some(({ links }) => links.length > 0));
    const poll = spans.all.find(({ links }) => links.length > 0);
    expect(poll).toMatchObject({
      kind: 'client',
      links: [{ traceId: TRACE, spanId: send.id }],
      attributes: { 'messaging.operation.type': 'receive', 'messaging.batch.message_count': '2' },
    });
  },
);
