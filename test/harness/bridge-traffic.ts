/** Clients of a bridge that continue through failures and record the responses. */
import { setTimeout as delay } from 'node:timers/promises';
import type { TestBridge, TestConsumer } from './bridge.ts';

/** A client's own pace. */
const PAUSE_MS = 20;

/** Produces one number after another, and records the responses. */
export class Producing {
  readonly stored: number[] = [];
  readonly refused = new Set<string>();
  longestMs = 0;
  #isOver = false;
  readonly #running: Promise<void>;

  constructor(bridge: TestBridge, topic: string) {
    this.#running = this.#run(bridge, topic);
  }

  async #run(bridge: TestBridge, topic: string): Promise<void> {
    for (let value = 0; !this.#isOver; value += 1) {
      const startedAtMs = performance.now();
      const { status, body } = await bridge.produce(topic, { records: [{ value: `${value}` }] });
      this.longestMs = Math.max(this.longestMs, performance.now() - startedAtMs);
      const [entry] = body.offsets ?? [{ message: `${status} ${JSON.stringify(body)}` }];
      if ('offset' in entry) this.stored.push(value);
      else this.refused.add(entry.message.replaceAll(/\d+/g, 'N'));
      await delay(PAUSE_MS);
    }
  }

  async end(): Promise<void> {
    this.#isOver = true;
    await this.#running;
  }
}

/** Polls again after each response, and records it. */
export class Consuming {
  readonly values = new Set<number>();
  readonly offsets: number[] = [];
  readonly statuses = new Set<number>();
  longestMs = 0;
  #isOver = false;
  readonly #running: Promise<void>;

  constructor(consumer: TestConsumer) {
    this.#running = this.#run(consumer);
  }

  async #run(consumer: TestConsumer): Promise<void> {
    while (!this.#isOver) {
      const startedAtMs = performance.now();
      const { status, body } = await consumer.poll('timeout=1000');
      this.longestMs = Math.max(this.longestMs, performance.now() - startedAtMs);
      this.statuses.add(status);
      if (status !== 200) {
        // Without Kafka they come at once.
        await delay(PAUSE_MS);
        continue;
      }
      for (const { value, offset } of body) {
        this.values.add(Number(value));
        this.offsets.push(offset);
      }
    }
  }

  /** The first offset that arrived out of order. */
  get firstGap(): number | undefined {
    let next = 0;
    for (const offset of this.offsets) {
      if (offset > next) return offset;
      next = Math.max(next, offset + 1);
    }
    return undefined;
  }

  async end(): Promise<void> {
    this.#isOver = true;
    await this.#running;
  }
}
