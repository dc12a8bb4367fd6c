import { setTimeout as delay } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { until } from '../../../../test/harness/until.ts';
import {
  MAX_WAITING_OPERATIONS,
  MAX_WAITING_POLLS,
  OperationQueue,
  POLL_TURN_GRACE_MS,
  type PollTurn,
} from './operation-queue.ts';

const LONG_MS = 60_000;

function newQueue(): OperationQueue {
  return new OperationQueue(() => undefined);
}

/** A poll that waits until the test ends it, and gives way whenever operations wait. */
class WaitingPoll {
  readonly gone = new AbortController();
  readonly #ended = Promise.withResolvers<void>();
  readonly answer: Promise<'answered' | 'gone' | string>;
  #isEnded = false;
  isBegun = false;

  constructor(queue: OperationQueue, timeoutMs = LONG_MS) {
    this.answer = queue
      .poll((turn) => this.#wait(turn), { timeoutMs, signal: this.gone.signal })
      .then(
        (answer) => answer ?? 'gone',
        (error: { code: string }) => error.code,
      );
  }

  end(): void {
    this.#isEnded = true;
    this.#ended.resolve();
  }

  async #wait(turn: PollTurn): Promise<'answered'> {
    this.isBegun = true;
    while (!this.#isEnded) {
      const wanted = Promise.withResolvers<void>();
      turn.onWanted = wanted.resolve;
      if (turn.isWanted) wanted.resolve();
      await Promise.race([wanted.promise, this.#ended.promise]);
      if (!this.#isEnded) await turn.giveWay();
    }
    return 'answered';
  }
}

/** An operation that ends at once, or when the test releases it. */
async function soon(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

/** One operation that runs, and as many as may wait. */
async function severalPolls(queue: OperationQueue): Promise<WaitingPoll[]> {
  const running = new WaitingPoll(queue);
  await soon();
  return [running, ...Array.from({ length: MAX_WAITING_POLLS }, () => new WaitingPoll(queue))];
}

test('operations run beside a poll that waits, in their order, and never two at a time', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 20 }), async (turnsOfEach) => {
      const queue = newQueue();
      const poll = new WaitingPoll(queue);
      const ended: number[] = [];
      let runningCount = 0;
      await Promise.all(
        turnsOfEach.map((turns, index) =>
          queue.run(
            async () => {
              expect(runningCount).toBe(0);
              runningCount += 1;
              for (let turn = 0; turn < turns; turn += 1) await soon();
              runningCount -= 1;
              ended.push(index);
            },
            { isBounded: true },
          ),
        ),
      );
      expect(ended).toEqual(turnsOfEach.map((_, index) => index));
      expect(queue.idleMs()).toBe(0);
      poll.end();
      expect(await poll.answer).toBe('answered');
    }),
  );
});

test('an endless series of operations does not keep a poll from continuing', async () => {
  const queue = newQueue();
  let isOver = false;
  let count = 0;
  const askAgain = async (): Promise<void> => {
    while (!isOver) {
      await queue.run(() => soon(), { isBounded: true });
      count += 1;
    }
  };
  let wayCount = 0;
  const asking = [askAgain(), askAgain(), askAgain()];
  await queue.poll(
    async (turn) => {
      for (; wayCount < 50; wayCount += 1) {
        expect(turn.isWanted).toBe(true);
        await turn.giveWay();
      }
    },
    { timeoutMs: LONG_MS, signal: new AbortController().signal },
  );
  isOver = true;
  await Promise.all(asking);
  expect(count).toBeGreaterThanOrEqual(50);
});

test('a poll need not wait for the operations that it lets run, and the next one waits for them', async () => {
  const queue = newQueue();
  const { promise, resolve } = Promise.withResolvers<void>();
  const wanted = Promise.withResolvers<void>();
  let isOver = false;
  const polled = queue.poll(
    async (turn) => {
      turn.onWanted = wanted.resolve;
      await wanted.promise;
      void turn.giveWay();
    },
    { timeoutMs: LONG_MS, signal: new AbortController().signal },
  );
  await soon();
  const slow = queue.run(async () => {
    await promise;
    isOver = true;
  });
  await polled;
  const next = queue.run(() => expect(isOver).toBe(true));
  await soon();
  resolve();
  await Promise.all([slow, next]);
});

describe('surplus polls', () => {
  test('wait up to their number, and are refused at once beyond it', async () => {
    const queue = newQueue();
    const polls = await severalPolls(queue);
    for (let count = 0; count < 40; count += 1) expect(await new WaitingPoll(queue).answer).toBe('consumerBusy');
    for (const poll of polls) {
      await soon();
      expect(poll.isBegun).toBe(true);
      poll.end();
      expect(await poll.answer).toBe('answered');
    }
  });

  test('are refused when their own time is over', async () => {
    const queue = newQueue();
    const first = new WaitingPoll(queue);
    expect(await new WaitingPoll(queue, 0).answer).toBe('consumerBusy');
    first.end();
    expect(await first.answer).toBe('answered');
  });

  test('wait longer while the poll before them is overdue', async () => {
    const queue = newQueue();
    const late = new WaitingPoll(queue, 0);
    await soon();
    const next = new WaitingPoll(queue, 0);
    // Longer than a poll waits behind one that is not overdue.
    expect(await Promise.race([next.answer, delay(2 * POLL_TURN_GRACE_MS, 'waits')])).toBe('waits');
    late.end();
    await until('it begins', () => next.isBegun);
    next.end();
    expect(await next.answer).toBe('answered');
  });

  test('free their places when their clients disconnect, whether they wait or run', async () => {
    const queue = newQueue();
    const polls = await severalPolls(queue);
    const [running, ...waiting] = polls;
    for (const poll of waiting) {
      poll.gone.abort();
      expect(await poll.answer).toBe('gone');
      expect(poll.isBegun).toBe(false);
    }
    const next = new WaitingPoll(queue);
    running?.end();
    await soon();
    await soon();
    expect(next.isBegun).toBe(true);
    next.end();
    expect(await next.answer).toBe('answered');
  });

  test('start in their turn, also while operations wait behind them', async () => {
    const queue = newQueue();
    const first = queue.run(() => soon());
    const polled = new WaitingPoll(queue);
    const second = queue.run(() => expect(polled.isBegun).toBe(true));
    await Promise.all([first, second]);
    polled.end();
    expect(await polled.answer).toBe('answered');
  });
});

test('operations wait up to their number; the bridge’s own are never refused', async () => {
  const queue = newQueue();
  const { promise, resolve } = Promise.withResolvers<void>();
  const first = queue.run(() => promise);
  await soon();
  const waiting = Array.from({ length: MAX_WAITING_OPERATIONS }, () => queue.run(() => {}, { isBounded: true }));
  await expect(queue.run(() => {}, { isBounded: true })).rejects.toMatchObject({ code: 'consumerBusy' });
  const own = queue.run(() => 'own', { isClients: false });
  resolve();
  await Promise.all([first, ...waiting]);
  expect(await own).toBe('own');
});

test('an operation that fails neither stops nor fails those behind it', async () => {
  const queue = newQueue();
  const failed = queue.run(() => Promise.reject(new Error('one')));
  const after = queue.run(() => 'two');
  await expect(failed).rejects.toThrow('one');
  expect(await after).toBe('two');
});
