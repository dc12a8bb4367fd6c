/** A tenant as a client that does what it may: each request must succeed. */
import { expect } from 'vitest';
import { until } from '../harness/until.ts';
import type { Method, Tenant } from './credentials.ts';
import { type MatrixRequest, type Named, NOTHING, requestOf } from './operations.ts';
import type { MatrixResponse, TenantSystem } from './system.ts';

export interface ReceivedRecord {
  topic: string;
  value: string;
}

export class TenantClient {
  readonly #system: TenantSystem;
  readonly #tenant: Tenant;
  readonly #method: Method;

  constructor(system: TenantSystem, tenant: Tenant, method: Method) {
    this.#system = system;
    this.#tenant = tenant;
    this.#method = method;
  }

  async send(request: MatrixRequest): Promise<MatrixResponse> {
    const response = await this.#system.send(this.#tenant, this.#method, request);
    expect({ ...request, text: response.text, isGood: response.status < 300 }).toMatchObject({ isGood: true });
    return response;
  }

  /** A request with this body, in place of the matrix's. */
  async sendBody(
    operation: 'createConsumer' | 'subscribe' | 'send' | 'commit',
    named: Named,
    body: object,
  ): Promise<void> {
    await this.send({ ...requestOf(operation, named), body: JSON.stringify(body) });
  }

  async createConsumer(named: Named): Promise<void> {
    const options = { name: named.consumer, format: 'json', 'auto.offset.reset': 'earliest' };
    await this.sendBody('createConsumer', named, options);
  }

  async produce(topic: string, value: string): Promise<void> {
    await this.sendBody('send', { ...NOTHING, topics: [topic] }, { records: [{ value }] });
  }

  /** Polls until a record has arrived; returns the records of that response. */
  async take(named: Named): Promise<ReceivedRecord[]> {
    const poll = requestOf('poll', named);
    let records: ReceivedRecord[] = [];
    await until('a record arrives', async () => {
      const { text } = await this.send({ ...poll, path: poll.path.replace('timeout=0', 'timeout=1000') });
      records = JSON.parse(text) as ReceivedRecord[];
      return records.length > 0;
    });
    return records;
  }

  /** Polls until this value has arrived; returns all records until then. */
  async takeUntil(named: Named, value: string): Promise<ReceivedRecord[]> {
    const all: ReceivedRecord[] = [];
    while (!all.some((record) => record.value === value)) all.push(...(await this.take(named)));
    return all;
  }

  async subscription(named: Named): Promise<string[]> {
    const { text } = await this.send(requestOf('listSubscriptions', named));
    return (JSON.parse(text) as { topics: string[] }).topics;
  }
}

/** Produces one record after another, each of which must succeed, until it is stopped. */
export class Load {
  count = 0;
  /** Whether it was stopped, or a request failed. */
  isOver = false;
  #isStopping = false;
  readonly #running: Promise<void>;

  constructor(client: TenantClient, topic: string) {
    this.#running = this.#run(client, topic);
    const end = (): void => {
      this.isOver = true;
    };
    // `stop` reports errors.
    this.#running.then(end, end);
  }

  /** Errors: of a request that failed. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.#running;
  }

  async #run(client: TenantClient, topic: string): Promise<void> {
    while (!this.#isStopping) {
      await client.produce(topic, 'under load');
      this.count += 1;
    }
  }
}
