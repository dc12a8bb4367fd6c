/** Requests with bodies of 8 MiB, and a consumer whose polls bring as much. */
import { type Answer, describeRefusal, HttpClient } from '@causeway/lab/traffic/client.ts';
import { until } from './until.ts';

const MIB = 1_048_576;
export const LARGE_BYTES = 8 * MIB;
const RECORDS = 128;
const PADDING = 'x'.repeat(LARGE_BYTES / RECORDS);
const V2 = { 'content-type': 'application/vnd.kafka.v2+json' };
const MORE_TIMEOUT_MS = 60_000;

interface Large {
  n: number;
  pad: string;
}

export class LargeTraffic {
  readonly failures: string[] = [];
  /** The first record of each body that was acknowledged completely. */
  readonly acknowledged: number[] = [];
  /** How often each record came. */
  readonly received = new Map<number, number>();
  largestAnswerBytes = 0;
  answerCount = 0;
  /** Whether the consumer begins again with the first record when it has all: so that there is always another answer. */
  isRepeating = false;
  readonly #client: HttpClient;
  readonly #topic: string;
  readonly #workers: Promise<void>[] = [];
  #nextRecord = 0;
  #isStopped = false;

  constructor({ url, topic }: { url: string; topic: string }) {
    this.#client = new HttpClient(url);
    this.#topic = topic;
  }

  /** So many requests at a time, without a pause. */
  produce(count: number): void {
    for (let index = 0; index < count; index += 1) this.#workers.push(this.#keepProducing());
  }

  /** Creates a consumer that begins with the first record. */
  async create(group: string, name: string): Promise<void> {
    const path = `/consumers/${group}`;
    const body = { name, format: 'json', 'auto.offset.reset': 'earliest' };
    await this.#send({ method: 'POST', path, headers: V2, body });
  }

  /** Subscribes the consumer, and polls without a pause. */
  async consume(group: string, name: string): Promise<void> {
    const path = `/consumers/${group}/instances/${name}`;
    await this.#send({ method: 'POST', path: `${path}/subscription`, headers: V2, body: { topics: [this.#topic] } });
    this.#workers.push(this.#keepPolling(path));
  }

  async untilMore(what: string, count: () => number, more: number): Promise<void> {
    const goal = count() + more;
    const isOver = (): boolean => this.failures.length > 0 || count() >= goal;
    await until(`${more} more ${what}`, isOver, { timeoutMs: MORE_TIMEOUT_MS });
  }

  /** Sends no more requests, and waits for outstanding responses. */
  async pause(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#workers.splice(0));
    this.#isStopped = false;
  }

  async close(): Promise<void> {
    await this.pause();
    await this.#client.close();
  }

  /** Acknowledged records that did not come. */
  get missing(): number[] {
    return this.acknowledged
      .flatMap((first) => Array.from({ length: RECORDS }, (_, index) => first + index))
      .filter((record) => !this.received.has(record));
  }

  async #keepProducing(): Promise<void> {
    while (!this.#isStopped) {
      const first = this.#nextRecord;
      this.#nextRecord += RECORDS;
      const values = Array.from({ length: RECORDS }, (_, index): Large => ({ n: first + index, pad: PADDING }));
      const answer = await this.#send({
        method: 'POST',
        path: `/topics/${this.#topic}`,
        headers: { 'content-type': 'application/vnd.kafka.json.v2+json' },
        body: { records: values.map((value) => ({ value })) },
      });
      const { offsets = [] } = (answer ?? {}) as { offsets?: { offset?: number }[] };
      if (offsets.length === RECORDS && offsets.every(({ offset }) => offset !== undefined)) {
        this.acknowledged.push(first);
      } else if (answer !== undefined) this.failures.push(`refused records: ${JSON.stringify(answer).slice(0, 500)}`);
    }
  }

  async #keepPolling(path: string): Promise<void> {
    while (!this.#isStopped) {
      const answer = await this.#send({ method: 'GET', path: `${path}/records?timeout=1000` });
      const records = (answer ?? []) as { value: Large }[];
      for (const { value } of records) this.received.set(value.n, (this.received.get(value.n) ?? 0) + 1);
      if (this.isRepeating && this.missing.length === 0) await this.#beginAgain(path);
      if (records.length === 0) continue;
      this.answerCount += 1;
      this.largestAnswerBytes = Math.max(this.largestAnswerBytes, records.length * PADDING.length);
    }
  }

  async #beginAgain(path: string): Promise<void> {
    const body = { partitions: [{ topic: this.#topic, partition: 0 }] };
    await this.#send({ method: 'POST', path: `${path}/positions/beginning`, headers: V2, body });
    this.received.clear();
  }

  /** The body of the response; `undefined` after a failure. */
  async #send(request: Parameters<HttpClient['send']>[0]): Promise<unknown> {
    const answer: Answer = await this.#client.send(request);
    if (answer.kind === 'answered' && answer.status < 300) return answer.body ?? {};
    const { kind, message } = describeRefusal(answer);
    this.failures.push(`${request.method} ${request.path}: ${kind} ${message ?? ''}`);
    return undefined;
  }
}
