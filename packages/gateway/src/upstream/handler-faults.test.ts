/** A handler that throws is a bug in the gateway: its own request ends, exactly once, and no other. */
import { createServer as createTcpServer } from 'node:net';
import { PassThrough } from 'node:stream';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { http, type Listening, listen, poolOf, send, textOf } from '../../../../test/harness/transport.ts';
import { until } from '../../../../test/harness/until.ts';
import type { UpstreamControl, UpstreamHandler } from './transport.ts';

const fail = (): never => {
  throw new Error('of the handler');
};

test('a handler that throws before the end fails its request with FAULT, and no other', async () => {
  const server = await http((incoming, response) => {
    incoming.resume();
    response.end('here');
  });
  const faults: unknown[] = [];
  const pool = poolOf(server.url, {}, { onFault: (error) => faults.push(error) });
  for (const handler of [{ onRequestStart: fail }, { onResponseStart: fail }, { onResponseData: fail }]) {
    expect(await send(pool, {}, handler).answered).toMatchObject({
      error: { code: 'FAULT', cause: { message: 'of the handler' } },
    });
    expect(await textOf(pool)).toBe('here');
  }
  const stream = new PassThrough();
  stream.end('x'.repeat(10));
  const body = { stream, lengthBytes: 10 };
  expect(await send(pool, { method: 'POST', body }, { onUploadProgress: fail }).answered).toMatchObject({
    error: { code: 'FAULT' },
  });
  expect(await textOf(pool)).toBe('here');
  expect(faults).toEqual([]);
});

test('a handler that throws at the end gets no second end: the fault is reported, and the connection is reused', async () => {
  const server = await http((_, response) => response.end('here'));
  const faults: unknown[] = [];
  const pool = poolOf(server.url, {}, { onFault: (error) => faults.push(error) });
  let errorCount = 0;
  send(pool, {}, { onResponseEnd: fail, onResponseError: () => (errorCount += 1) });
  await until('the fault is reported', () => faults.length === 1);
  expect(await textOf(pool)).toBe('here');
  expect([errorCount, server.connectionCount]).toEqual([0, 1]);
  await server.close();
  send(pool, {}, { onResponseError: fail });
  await until('the fault is reported', () => faults.length === 2);
  send(pool, { path: '/a b' }, { onResponseError: fail });
  expect(faults).toHaveLength(3);
});

const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello';
/** What a target sends for a request. */
const ANSWERS = {
  whole: [OK],
  pieces: [...OK].map((byte) => byte),
  chunks: ['HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhel', 'lo\r\n0\r\n\r\n'],
  untilClose: ['HTTP/1.1 200 OK\r\n\r\nhello'],
  early: ['HTTP/1.1 103 Early Hints\r\n\r\n', OK],
  twice: [OK + OK],
  broken: [OK.slice(0, -2)],
  garbage: ['SSH-2.0-OpenSSH\r\n'],
  nothing: [],
} as const;
const CALLBACKS = ['onRequestStart', 'onResponseStart', 'onResponseData', 'onResponseEnd', 'onResponseError'] as const;

interface Script {
  answer: keyof typeof ANSWERS;
  ending: 'keep' | 'end' | 'reset';
  throwing: readonly (typeof CALLBACKS)[number][];
  abortAt: (typeof CALLBACKS)[number] | undefined;
  isPausing: boolean;
}

/** Plays a script for each request; the path is the number of the script. */
async function scriptedTarget(scripts: Map<string, Script>): Promise<Listening> {
  return await listen(
    createTcpServer((socket) => {
      socket.on('data', (bytes) => {
        const { answer, ending } = scripts.get(/^\S+ (\S+)/.exec(bytes.toString('latin1'))?.[1] ?? '') as Script;
        for (const part of ANSWERS[answer]) socket.write(part);
        if (ending === 'reset') socket.resetAndDestroy();
        // Without an end, the request would wait forever.
        else if (ending === 'end' || ['broken', 'nothing', 'untilClose'].includes(answer)) socket.end();
      });
    }),
  );
}

test('exactly one of onResponseEnd and onResponseError is called, last, whatever the target and the handler do', async () => {
  const scripts = new Map<string, Script>();
  const server = await scriptedTarget(scripts);
  const pool = poolOf(server.url, {}, { onFault: () => {} });
  const script = fc.record<Script>({
    answer: fc.constantFrom(...(Object.keys(ANSWERS) as (keyof typeof ANSWERS)[])),
    ending: fc.constantFrom('keep', 'end', 'reset'),
    throwing: fc.oneof(fc.constant([]), fc.subarray([...CALLBACKS], { maxLength: 2 })),
    abortAt: fc.option(fc.constantFrom(...CALLBACKS), { nil: undefined, freq: 5 }),
    isPausing: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(script, { minLength: 1, maxLength: 6 }), async (batch) => {
      const requests = batch.map((each, index) => {
        const path = `/${scripts.size + index}`;
        const calls: string[] = [];
        let control: UpstreamControl | undefined;
        let isAborted = false;
        const called = (name: (typeof CALLBACKS)[number]): void => {
          if (isAborted) calls.push('after abort');
          calls.push(name);
          if (each.abortAt === name && control !== undefined && calls.filter((call) => call === name).length === 1) {
            isAborted = !name.startsWith('onResponseE');
            control.abort();
          }
          if (each.throwing.includes(name)) throw new Error(`of ${name}`);
        };
        const handler: UpstreamHandler = {
          onRequestStart(started) {
            control = started;
            called('onRequestStart');
            return true;
          },
          onResponseStart: () => called('onResponseStart'),
          onResponseData() {
            called('onResponseData');
            if (each.isPausing) setImmediate(() => control?.resume());
            return !each.isPausing;
          },
          onResponseEnd: () => called('onResponseEnd'),
          onResponseError: () => called('onResponseError'),
        };
        return { path, each, handler, calls, isAborted: () => isAborted };
      });
      for (const { path, each } of requests) scripts.set(path, each);
      for (const { path, handler } of requests) {
        pool.dispatch({ method: 'GET', path, headers: [], body: undefined }, handler);
      }
      const isEnded = (call: string): boolean => call === 'onResponseEnd' || call === 'onResponseError';
      await until('all requests have ended', () =>
        requests.every(({ calls, isAborted }) => isAborted() || calls.some(isEnded)),
      );
      for (const { calls, isAborted } of requests) {
        expect(calls).not.toContain('after abort');
        expect(calls.filter(isEnded)).toHaveLength(isAborted() ? 0 : 1);
        if (!isAborted()) expect(isEnded(calls.at(-1) ?? '')).toBe(true);
      }
    }),
    { seed: 14, numRuns: 120 },
  );
});
