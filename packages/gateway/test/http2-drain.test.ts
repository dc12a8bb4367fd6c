/** The end of a gateway with HTTP/2 connections: no request in flight is lost, and clients learn which ones were not served. */
import { connect } from 'node:http2';
import { expect, onTestFinished, test } from 'vitest';
import { regions } from '../../../test/harness/gateway.ts';
import { fetchHttp2 } from '../../../test/harness/http2-client.ts';
import {
  ERROR,
  FLAG,
  FRAME,
  FrameClient,
  frame,
  get,
  requestBlock,
  uint32,
} from '../../../test/harness/http2-frames.ts';
import { until } from '../../../test/harness/until.ts';
import { answerJson } from '../../../test/harness/upstream.ts';
import { gateway, never, upstream } from './fixture.ts';

const http2 = { isEnabled: true };

test('requests in flight are completed, and the client learns that later ones can be sent elsewhere', async () => {
  const finishers: (() => void)[] = [];
  const east = await upstream((received, response) => finishers.push(() => answerJson({})(received, response)));
  const gw = await gateway({
    regions: regions({ east: east.url }),
    listen: { port: 0, http2 },
    shutdown: { graceMs: 60_000 },
  });
  const client = await FrameClient.open(gw.url);
  onTestFinished(() => {
    client.socket.destroy();
  });
  client.write(get(1), get(3));
  await until('they are in flight', () => east.requests.length === 2);
  const closed = gw.close();
  await until('the end is announced', () => client.goaways.length > 0);
  expect(client.goaways[0]?.payload.readUInt32BE(0)).toBe(3);
  expect(client.goawayCode).toBe(ERROR.noError);
  // On its way while the client learned it, which knows that it was not served.
  client.write(get(5));
  for (const finish of finishers) finish();
  await until('all in flight are answered', () => [1, 3].every((stream) => client.isAnswered(stream)));
  await closed;
  expect(east.requests.length).toBe(2);
  expect(client.of(5, FRAME.headers)).toEqual([]);
  await until('the connection is closed', () => client.isClosed);
});

test('idle connections do not hold up the end, also where the client closes nothing', async () => {
  const east = await upstream();
  const gw = await gateway({
    regions: regions({ east: east.url }),
    listen: { port: 0, http2 },
    shutdown: { graceMs: 600_000 },
  });
  const idle = await FrameClient.open(gw.url);
  const silent = await FrameClient.open(gw.url);
  const used = connect(gw.url);
  used.on('error', () => {});
  onTestFinished(async () => {
    used.destroy();
    idle.socket.destroy();
    silent.socket.destroy();
  });
  expect((await fetchHttp2(used, { ':path': '/topics' })).status).toBe(200);
  await gw.close();
});

test('a stream whose client does not end its side ends after the response, and holds up nothing', async () => {
  const east = await upstream();
  const gw = await gateway({
    regions: regions({ east: east.url }),
    listen: { port: 0, http2 },
    shutdown: { graceMs: 600_000 },
  });
  const client = await FrameClient.open(gw.url);
  onTestFinished(() => {
    client.socket.destroy();
  });
  const block = requestBlock('POST', '/topics/t', [['content-length', '2']]);
  const open = (stream: number): void => {
    client.write(frame(FRAME.headers, FLAG.endHeaders, stream, block), frame(FRAME.data, 0, stream, '{}'));
  };
  open(1);
  await until('it is reset after its response', () => client.resetCode(1) !== undefined);
  expect([client.isAnswered(1), client.resetCode(1)]).toEqual([true, ERROR.noError]);
  open(3);
  await until('it is answered', () => client.isAnswered(3));
  await gw.close();
});

test('requests that do not finish in time are reset', async () => {
  const east = await upstream(never);
  const gw = await gateway({
    regions: regions({ east: east.url }),
    listen: { port: 0, http2 },
    shutdown: { graceMs: 50 },
  });
  const client = connect(gw.url);
  client.on('error', () => {});
  const failed = expect(fetchHttp2(client, { ':path': '/topics' })).rejects.toThrow();
  await until('it is in flight', () => east.requests.length === 1);
  await gw.close();
  await failed;
  await east.requests[0]?.aborted;
});

test('many requests of clients that continue until they learn of the end all get a response, or are refused unserved', async () => {
  const east = await upstream(answerJson({}));
  const gw = await gateway({
    regions: regions({ east: east.url }),
    listen: { port: 0, http2 },
    shutdown: { graceMs: 60_000 },
  });
  const outcomes: (number | string)[] = [];
  const sessions = Array.from({ length: 4 }, () => {
    const session = connect(gw.url);
    session.on('error', () => {});
    return session;
  });
  onTestFinished(async () => {
    for (const session of sessions) session.destroy();
  });
  const running = sessions.flatMap((session) =>
    Array.from({ length: 16 }, async () => {
      while (!session.closed && !session.destroyed) {
        const post = { ':method': 'POST', ':path': '/topics/t', 'content-length': 2 };
        outcomes.push(await fetchHttp2(session, post, '{}').then(({ status }) => status, String));
      }
    }),
  );
  await until('they are at work', () => outcomes.length > 500);
  await gw.close();
  await Promise.all(running);
  // Each connection may have had some on their way, which were not served and can be sent elsewhere.
  const refused = outcomes.filter((outcome) => outcome !== 200);
  expect(refused.filter((outcome) => !String(outcome).includes('REFUSED_STREAM'))).toEqual([]);
  expect(refused.length).toBeLessThanOrEqual(4 * 16);
  expect(east.requests.length).toBe(outcomes.length - refused.length);
});

test('the end of a response that does not finish in time looks like no end', async () => {
  const east = await upstream((_, response) => response.writeHead(200).write(Buffer.alloc(2_000_000)));
  const gw = await gateway({
    regions: regions({ east: east.url }),
    listen: { port: 0, http2 },
    response: { bufferBytes: 65_536 },
    shutdown: { graceMs: 50 },
  });
  const client = await FrameClient.open(gw.url, { 4: 8_000_000 });
  onTestFinished(() => {
    client.socket.destroy();
  });
  client.write(frame(FRAME.windowUpdate, 0, 0, uint32(8_000_000)), get(1));
  const received = () => client.of(1, FRAME.data).reduce((sum, { payload }) => sum + payload.length, 0);
  await until('the client has a part', () => received() === 2_000_000);
  await gw.close();
  await until('the connection is closed', () => client.isClosed);
  expect(client.isAnswered(1)).toBe(false);
  expect(client.goawayCode ?? ERROR.internalError).toBe(ERROR.internalError);
});
