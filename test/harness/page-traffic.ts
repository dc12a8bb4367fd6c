/** The traffic of a shop: orders arrive, and the consumers of three groups read them, over plain HTTP. */
import { HttpClient } from '@causeway/lab/traffic/client.ts';
import { Consumer } from '@causeway/lab/traffic/consumer.ts';
import { Ledger } from '@causeway/lab/traffic/ledger.ts';
import { Producer } from '@causeway/lab/traffic/producer.ts';

const GROUPS: Readonly<Record<string, number>> = { billing: 4, shipping: 4, 'fraud-watch': 3 };

export class PageTraffic {
  readonly ledger = new Ledger(() => performance.now());
  readonly consumerCount = Object.values(GROUPS).reduce((sum, count) => sum + count, 0);
  readonly #client: HttpClient;
  readonly #producer: Producer;
  readonly #consumers: Consumer[];

  constructor(url: string, recordsPerSecond: number) {
    this.#client = new HttpClient(url);
    const common = { client: this.#client, books: this.ledger, topic: 'orders', runId: `page-${Date.now()}` };
    this.#producer = new Producer({ ...common, recordsPerSecond, maxInFlight: 64 });
    this.#consumers = Object.entries(GROUPS).flatMap(([group, count]) =>
      Array.from({ length: count }, (_, index) => new Consumer({ ...common, group, name: `worker-${index + 1}` })),
    );
  }

  async start(): Promise<void> {
    for (const consumer of this.#consumers) consumer.start();
    await Promise.all(this.#consumers.map(({ joined }) => joined));
    this.#producer.start();
  }

  async close(): Promise<void> {
    await this.#producer.stop();
    await Promise.all(this.#consumers.map((consumer) => consumer.stop()));
    await this.#client.close();
  }
}
