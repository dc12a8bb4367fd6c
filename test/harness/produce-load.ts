/** Numbered records from several clients at once. Each request is sent once, and its response is kept. */
import { setTimeout as delay } from 'node:timers/promises';
import { type Answer, HttpClient } from '@causeway/lab/traffic/client.ts';
import { produceFailure } from '@causeway/lab/traffic/producer.ts';
import { readBack } from '@causeway/lab/traffic/read-back.ts';
import { until } from './until.ts';

const CLIENT_COUNT = 8;
/** Without it the load takes all processors, and what a test waits for (a region that starts again) takes several times as long. */
const PAUSE_MS = 10;

export class ProduceLoad {
  readonly failures: string[] = [];
  readonly acknowledged = new Set<number>();
  slowestMs = 0;
  readonly #client: HttpClient;
  readonly #topic: string;
  readonly #runId: string;
  readonly #workers: Promise<void>[] = [];
  #nextRecord = 0;
  #isStopped = false;

  constructor({ url, topic, runId }: { url: string; topic: string; runId: string }) {
    this.#client = new HttpClient(url);
    this.#topic = topic;
    this.#runId = runId;
    for (let index = 0; index < CLIENT_COUNT; index += 1) this.#workers.push(this.#work());
  }

  /** Waits until this many more records are acknowledged, or a request fails. */
  async untilMore(count: number): Promise<void> {
    const goal = this.acknowledged.size + count;
    await until(
      `${count} more acknowledged records`,
      () => this.failures.length > 0 || this.acknowledged.size >= goal,
      {
        timeoutMs: 60_000,
      },
    );
  }

  /** Stops sending, and waits for outstanding responses. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#workers);
    await this.#client.close();
  }

  /** Acknowledged records that kafkajs does not find in Kafka. */
  async missingIn(bootstrap: string): Promise<number[]> {
    const signal = AbortSignal.timeout(60_000);
    const stored = await readBack({ kafka: bootstrap, topic: this.#topic, runId: this.#runId, signal });
    return [...this.acknowledged].filter((record) => !stored.has(record));
  }

  async #work(): Promise<void> {
    while (!this.#isStopped) {
      const record = this.#nextRecord;
      this.#nextRecord += 1;
      const startMs = performance.now();
      const answer: Answer = await this.#client.send({
        method: 'POST',
        path: `/topics/${this.#topic}`,
        headers: { 'content-type': 'application/vnd.kafka.json.v2+json' },
        body: { records: [{ value: { n: record, run: this.#runId } }] },
      });
      this.slowestMs = Math.max(this.slowestMs, performance.now() - startMs);
      const failure = produceFailure(answer);
      if (failure === undefined) this.acknowledged.add(record);
      else
        this.failures.push(
          `record ${record}: ${failure.kind}${failure.message === undefined ? '' : ` (${failure.message})`}`,
        );
      await delay(PAUSE_MS);
    }
  }
}
