/** Spans of requests that fail, and the limits of their attributes. */
import type { IncomingMessage } from 'node:http';
import { HttpServer } from '@causeway/http/server.ts';
import type { Operation } from '@causeway/protocol/operations/table.ts';
import { SpanKind, SpanStatusCode } from '@opentelemetry/api';
import { InMemorySpanExporter, type ReadableSpan, SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import { request } from 'undici';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import type { RecordToProduce } from '../records.ts';
import { type RequestTrace, RequestTraces } from './request-trace.ts';

const exporter = new InMemorySpanExporter();
const provider = new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] });
const traces = new RequestTraces(provider.getTracer('test'));
const LIMITS = {
  maxUrlBytes: 1_000,
  maxHeaderBytes: 10_000,
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 10_000,
  bodyTimeoutMs: 10_000,
  responseTimeoutMs: () => 10_000,
};
beforeEach(() => exporter.reset());

/** What a server got. */
async function received(headers: Record<string, string> = {}): Promise<IncomingMessage> {
  const { promise, resolve } = Promise.withResolvers<IncomingMessage>();
  const server = new HttpServer({
    limits: LIMITS,
    checks: [],
    serve: (arrival) => {
      resolve(arrival.request);
      arrival.response.end();
    },
  });
  onTestFinished(() => server.close());
  const { port } = await server.listen({ host: '127.0.0.1', port: 0 });
  await (await request(`http://127.0.0.1:${port}/topics/t?x=1`, { headers })).body.dump();
  return await promise;
}

async function begin(operation: Operation, headers?: Record<string, string>): Promise<RequestTrace> {
  return traces.begin(operation, await received(headers), { address: '127.0.0.1', principal: 'alice' });
}

function span(kind: SpanKind): ReadableSpan {
  const found = exporter.getFinishedSpans().filter((candidate) => candidate.kind === kind);
  expect(found).toHaveLength(1);
  return found[0] as ReadableSpan;
}

const record = (headers?: RecordToProduce['headers']): RecordToProduce => ({
  key: null,
  value: null,
  partition: undefined,
  timestampMs: undefined,
  headers,
});

function traceparentOf(produced: RecordToProduce): string[] {
  return (produced.headers ?? []).filter(([key]) => String(key) === 'traceparent').map(([, value]) => String(value));
}

test('records get the place of the span that sends them; those that have one keep it', async () => {
  const trace = await begin('send');
  const own = Buffer.from(`00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`);
  const records = [record(), record([[Buffer.from('traceparent'), own]]), record([[Buffer.from('other'), null]])];
  trace.producing('t', records);
  trace.produced([{ partition: 2, offset: 7n }]);
  trace.finished({ status: 200, outcome: '2xx', receivedBytes: 1 });
  const send = span(SpanKind.PRODUCER);
  const { traceId, spanId } = send.spanContext();
  const expected = `00-${traceId}-${spanId}-01`;
  expect(records.map(traceparentOf)).toEqual([[expected], [String(own)], [expected]]);
  expect(send.attributes).toMatchObject({ 'messaging.destination.partition.id': '2', 'messaging.kafka.offset': 7 });
  expect(span(SpanKind.SERVER).attributes).toMatchObject({
    'url.path': '/topics/t',
    'enduser.id': 'alice',
    'http.response.status_code': 200,
  });
});

test('a request that is not sampled has no spans, and its records name the trace nevertheless', async () => {
  const traceId = 'c'.repeat(32);
  const trace = await begin('send', { traceparent: `00-${traceId}-${'d'.repeat(16)}-00` });
  expect(trace.isRecording).toBe(false);
  const produced = record();
  trace.producing('t', [produced]);
  trace.produced([{ partition: 0, offset: 0n }]);
  trace.polling({ group: 'g', name: 'c' });
  trace.finished({ status: 200, outcome: '2xx', receivedBytes: 1 });
  expect(exporter.getFinishedSpans()).toEqual([]);
  expect(traceparentOf(produced)[0]).toMatch(new RegExp(`^00-${traceId}-[0-9a-f]{16}-00$`));
});

test('a record that Kafka refused makes the send an error, and not the request', async () => {
  const trace = await begin('send');
  trace.producing('t', [record(), record()]);
  trace.produced([
    { partition: 0, offset: 0n },
    { errorCode: 500, message: 'too large' },
  ]);
  trace.finished({ status: 200, outcome: '2xx', receivedBytes: 1 });
  expect(span(SpanKind.PRODUCER)).toMatchObject({
    status: { code: SpanStatusCode.ERROR },
    attributes: { 'error.type': '500' },
  });
  expect(span(SpanKind.SERVER).status.code).toBe(SpanStatusCode.UNSET);
});

test('a request that is not waited for ends before its records are stored', async () => {
  const trace = await begin('send');
  trace.producing('t', [record()]);
  trace.finished({ status: 204, outcome: '2xx', receivedBytes: 1 });
  expect(exporter.getFinishedSpans()).toHaveLength(1);
  trace.produced([{ partition: 0, offset: 0n }]);
  expect(span(SpanKind.PRODUCER).status.code).toBe(SpanStatusCode.UNSET);
});

test.each([
  [503, '5xx', '503', SpanStatusCode.ERROR],
  [404, '4xx', undefined, SpanStatusCode.UNSET],
  [200, 'clientGone', 'clientGone', SpanStatusCode.ERROR],
] as const)('a request that ends with %s, %s, ends what it began', async (status, outcome, errorType, code) => {
  const trace = await begin('poll');
  trace.polling({ group: 'g', name: 'c' });
  trace.finished({ status, outcome, receivedBytes: 0 });
  expect(span(SpanKind.SERVER)).toMatchObject({ status: { code } });
  expect(span(SpanKind.SERVER).attributes['error.type']).toBe(errorType);
  expect(span(SpanKind.CLIENT).status.code).toBe(SpanStatusCode.ERROR);
});

test('a poll is linked to each producer once, and to a bounded number of them', async () => {
  const trace = await begin('poll');
  trace.polling({ group: 'g', name: 'c' });
  const headersOf = (index: number) =>
    [[Buffer.from('traceparent'), Buffer.from(`00-${'a'.repeat(32)}-${String(index).padStart(16, '0')}-01`)]] as const;
  for (let index = 1; index <= 500; index += 1)
    for (let twice = 0; twice < 2; twice += 1) trace.linkTo(headersOf(index));
  trace.linkTo([[Buffer.from('traceparent'), Buffer.from('junk')]]);
  trace.linkTo([[null, null]]);
  trace.polled(1_000);
  trace.finished({ status: 200, outcome: '2xx', receivedBytes: 0 });
  const poll = span(SpanKind.CLIENT);
  expect(poll.links).toHaveLength(128);
  expect(new Set(poll.links.map(({ context }) => context.spanId)).size).toBe(128);
  expect(poll.attributes).toMatchObject({
    'messaging.batch.message_count': 1_000,
    'messaging.consumer.group.name': 'g',
  });
});
