import { afterEach, expect, test } from 'vitest';
import { testConfig } from '../../../../test/harness/gateway.ts';
import { startUpstream, type Upstream, type UpstreamHandler } from '../../../../test/harness/upstream.ts';
import { Target } from '../regions/target.ts';
import { transportFactory } from '../upstream/create-transport.ts';
import { Attempt, type AttemptOwner } from './attempt.ts';
import type { RequestFault } from './outcome.ts';

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

type Ended = { bug: unknown } | { fault: RequestFault } | { outcome: unknown };

/** Runs one attempt at a real server; `broken` are the handlers of its owner that throw. */
async function endOf(
  handle: UpstreamHandler,
  broken: Partial<AttemptOwner>,
): Promise<{ ended: Ended[]; target: Target }> {
  const upstream: Upstream = await startUpstream(handle);
  cleanups.push(() => upstream.kill());
  const settings = testConfig({ regions: [{ name: 'east', targets: [{ url: upstream.url }] }] });
  const target = new Target({
    region: 'east',
    url: upstream.url,
    settings,
    now: () => 0,
    createTransport: transportFactory({}),
    onBreakerChange: () => {},
  });
  cleanups.push(() => target.close());
  const ended: Ended[] = [];
  const end = Promise.withResolvers<void>();
  const ends = (how: Ended): void => {
    ended.push(how);
    end.resolve();
  };
  const owner: AttemptOwner = {
    onStreamStart: () => true,
    onHeldBytes: () => true,
    awaitRoom: () => () => {},
    onDroppedBytes: () => {},
    onStreamData: () => true,
    isClientReading: () => true,
    mayMove: () => false,
    onSettled: ({ outcome }) => ends({ outcome }),
    onRequestFault: (_, fault) => ends({ fault }),
    onBug: (bug) => ends({ bug }),
    ...broken,
  };
  new Attempt({
    target,
    request: { method: 'GET', path: '/topics', headers: ['host', 'x'], body: undefined },
    startedMs: 0,
    timeoutMs: 60_000,
    isFresh: false,
    now: () => 0,
    holdBytes: 1_000,
    owner,
  }).start();
  await end.promise;
  return { ended, target };
}

const long: UpstreamHandler = (_, response) => {
  response.write('x'.repeat(2_000));
  setImmediate(() => response.end('x'.repeat(2_000)));
};
const throws = (): never => {
  throw new Error('a bug');
};

test.each(['onHeldBytes', 'onStreamStart', 'onStreamData'] as const)(
  'a bug in %s is reported once as a bug, and the target is not at fault',
  async (handler) => {
    const { ended, target } = await endOf(long, { [handler]: throws });
    expect(ended).toEqual([{ bug: new Error('a bug') }]);
    expect(target.inFlight.size).toBe(0);
    expect(target.traffic).toMatchObject({ requestCount: 0, errorCount: 0 });
  },
);

test('a response that is streamed whole is the outcome', async () => {
  const { ended } = await endOf(long, {});
  expect(ended).toEqual([{ outcome: { kind: 'answered', status: 200 } }]);
});
