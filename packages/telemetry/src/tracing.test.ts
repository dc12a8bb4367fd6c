import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type SpanContext, TraceFlags, trace } from '@opentelemetry/api';
import { expect, onTestFinished, test } from 'vitest';
import { Stopwatch } from '../../../test/harness/stopwatch.ts';
import { until } from '../../../test/harness/until.ts';
import { contextOf, headersOfSpan, Tracing } from './tracing.ts';

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

async function receiver(handle: Handler): Promise<string> {
  const server = createServer((request, response) => {
    request.resume().once('end', () => handle(request, response));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function start(endpoint: string, options: Partial<ConstructorParameters<typeof Tracing>[0]> = {}) {
  const troubles: (string | undefined)[] = [];
  const tracing = new Tracing({
    endpoint,
    headers: {},
    sampleRatio: 1,
    serviceName: 's',
    maxQueuedSpans: 512,
    instance: 'i',
    region: undefined,
    onTrouble: (reason) => troubles.push(reason),
    ...options,
  });
  onTestFinished(() => tracing.close());
  return { tracing, troubles };
}

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const SPAN = '00f067aa0ba902b7';

test('spans go to the path of OTLP with the headers of the configuration, the last ones at the end', async () => {
  const seen: IncomingMessage[] = [];
  const url = await receiver((request, response) => {
    seen.push(request);
    response.end();
  });
  const { tracing, troubles } = start(url, { headers: { authorization: 'Bearer t' } });
  tracing.tracer.startSpan('one').end();
  await tracing.close();
  expect(seen.map(({ method, url, headers }) => [method, url, headers['content-type'], headers.authorization])).toEqual(
    [['POST', '/v1/traces', 'application/x-protobuf', 'Bearer t']],
  );
  expect(troubles).toEqual([]);
  expect(tracing.lostCount).toBe(0);
});

test('a receiver that rejects spans is reported once, and once more when it accepts them again', async () => {
  let status = 400;
  const url = await receiver((_, response) => response.writeHead(status).end());
  const { tracing, troubles } = start(`${url}/own/path`);
  for (let round = 1; round <= 2; round += 1) {
    tracing.tracer.startSpan('lost').end();
    await until('the spans are lost', () => tracing.lostCount === round);
  }
  expect(troubles).toHaveLength(1);
  status = 200;
  tracing.tracer.startSpan('good').end();
  await until('the recovery is reported', () => troubles.length === 2);
  expect(troubles[1]).toBeUndefined();
  expect(tracing.lostCount).toBe(2);
});

test('a silent receiver costs no memory beyond the queue, and closing does not wait for it', async () => {
  const url = await receiver(() => {});
  const { tracing } = start(url);
  for (let count = 0; count < 20_000; count += 1) tracing.tracer.startSpan('waiting').end();
  // A batch is on its way, a queue waits.
  expect(tracing.lostCount).toBe(20_000 - 2 * 512);
  const watch = new Stopwatch();
  await tracing.close();
  // Closing waits 2 s for the receiver, where an export may take 10 s.
  expect(watch.stop()).toBeLessThan(8_000);
});

test('the client’s traceparent decides whether a request is traced; without one, the ratio does', () => {
  const { tracing } = start('http://127.0.0.1:9', { sampleRatio: 0 });
  const contextAfter = (headers: Record<string, string>): SpanContext =>
    tracing.tracer.startSpan('x', {}, contextOf(headers)).spanContext();
  expect(contextAfter({})).toMatchObject({ traceFlags: TraceFlags.NONE });
  const sampled = contextAfter({ traceparent: `00-${TRACE}-${SPAN}-01`, tracestate: 'a=1,b=2' });
  expect(sampled).toMatchObject({ traceId: TRACE, traceFlags: TraceFlags.SAMPLED });
  expect(headersOfSpan(sampled)).toEqual({ traceparent: `00-${TRACE}-${sampled.spanId}-01`, tracestate: 'a=1,b=2' });
  const notSampled = contextAfter({ traceparent: `00-${TRACE}-${SPAN}-00` });
  expect(headersOfSpan(notSampled)).toEqual({
    traceparent: `00-${TRACE}-${notSampled.spanId}-00`,
    tracestate: undefined,
  });
  expect(contextAfter({ traceparent: 'junk', tracestate: 'a=1' }).traceState).toBeUndefined();
  expect(trace.getSpanContext(contextOf({ traceparent: 'junk' }))).toBeUndefined();
});
