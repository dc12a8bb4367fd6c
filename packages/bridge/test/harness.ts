/** What the bridge's tests share: a bridge in this process, its API, and Kafka as an independent client sees it. */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { parseConfig } from '@causeway/config/load.ts';
import { independentClient } from '@causeway/lab/stack/kafka.ts';
import type { Admin, KafkaMessage } from 'kafkajs';
import { pino } from 'pino';
import { Bridge } from '../src/app.ts';
import { BridgeConfig } from '../src/config.ts';

/** A name that no other test uses. */
export function unique(prefix: string): string {
  return `${prefix}-${randomUUID().slice(0, 8)}`;
}

export interface JsonAnswer {
  status: number;
  headers: Headers;
  text: string;
  /** Parsed; `undefined` when there is no body. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape.
  body: any;
}

/** A bridge and the shortest way to talk to it. */
export class TestBridge {
  readonly bridge: Bridge;

  constructor(bridge: Bridge) {
    this.bridge = bridge;
  }

  /** `overrides` are sections of the configuration. */
  static async start(bootstrap: string, overrides: Record<string, object> = {}): Promise<TestBridge> {
    const { bridge, kafka, ...rest } = overrides;
    const file = {
      bridge: { name: 'test-bridge', region: 'east', ...bridge },
      listen: { port: 0 },
      kafka: { bootstrapServers: bootstrap.split(','), heartbeatIntervalMs: 200, sessionTimeoutMs: 6000, ...kafka },
      log: { level: 'silent' },
      ...rest,
    };
    const config = parseConfig('test', JSON.stringify(file), { schema: BridgeConfig, env: {} });
    return new TestBridge(await Bridge.start(config, pino({ level: 'silent' })));
  }

  get url(): string {
    return this.bridge.url;
  }

  close(): Promise<void> {
    return this.bridge.close();
  }

  async request(method: string, path: string, init: RequestInit = {}): Promise<JsonAnswer> {
    const response = await fetch(`${this.url}${path}`, { method, ...init });
    const text = await response.text();
    const isJson = response.headers.get('content-type')?.includes('json') === true;
    return {
      status: response.status,
      headers: response.headers,
      text,
      body: isJson && text !== '' ? JSON.parse(text) : undefined,
    };
  }

  get(path: string, headers: Record<string, string> = {}): Promise<JsonAnswer> {
    return this.request('GET', path, { headers });
  }

  /** Posts to an operation of consumers. */
  post(path: string, body?: unknown): Promise<JsonAnswer> {
    if (body === undefined) return this.request('POST', path);
    const headers = { 'content-type': 'application/vnd.kafka.v2+json' };
    return this.request('POST', path, { headers, body: JSON.stringify(body) });
  }

  /** Posts records; `text` as it is. */
  produce(topic: string, body: unknown, { format = 'json', query = '' } = {}): Promise<JsonAnswer> {
    return this.request('POST', `/topics/${encodeURIComponent(topic)}${query}`, {
      headers: { 'content-type': `application/vnd.kafka.${format}.v2+json` },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });
  }

  /** A JSON consumer that reads topics from their beginning. */
  async consumer(group: string, name: string, topics: string[], options: object = {}): Promise<TestConsumer> {
    const created = await this.post(`/consumers/${encodeURIComponent(group)}`, {
      ...{ name, format: 'json', 'auto.offset.reset': 'earliest' },
      ...options,
    });
    if (created.status !== 200) throw new Error(created.text);
    const consumer = new TestConsumer(this, group, name);
    if (topics.length > 0) {
      const subscribed = await this.post(`${consumer.path}/subscription`, { topics });
      if (subscribed.status !== 204) throw new Error(subscribed.text);
    }
    return consumer;
  }
}

export interface ConsumedJson {
  topic: string;
  key: unknown;
  value: unknown;
  partition: number;
  offset: number;
  timestamp: number;
  headers?: { key: string; value: string | null }[];
}

export class TestConsumer {
  readonly bridge: TestBridge;
  readonly path: string;

  constructor(bridge: TestBridge, group: string, name: string) {
    this.bridge = bridge;
    this.path = `/consumers/${encodeURIComponent(group)}/instances/${encodeURIComponent(name)}`;
  }

  poll(query = 'timeout=3000'): Promise<JsonAnswer> {
    return this.bridge.get(`${this.path}/records?${query}`);
  }

  /** Polls until `count` records have come. */
  async take(count: number): Promise<ConsumedJson[]> {
    const records: ConsumedJson[] = [];
    const deadlineMs = performance.now() + 15_000;
    while (records.length < count) {
      if (performance.now() > deadlineMs) throw new Error(`only ${records.length} of ${count} records came`);
      const answer = await this.poll('timeout=1000');
      if (answer.status !== 200) throw new Error(answer.text);
      records.push(...answer.body);
    }
    return records;
  }

  commit(body?: unknown): Promise<JsonAnswer> {
    return this.bridge.post(`${this.path}/offsets`, body);
  }

  delete(): Promise<JsonAnswer> {
    return this.bridge.request('DELETE', this.path);
  }
}

/** Waits for a condition; fails after `timeoutMs`. */
export async function until(what: string, isTrue: () => boolean | Promise<boolean>, timeoutMs = 15_000): Promise<void> {
  const deadlineMs = performance.now() + timeoutMs;
  while (!(await isTrue())) {
    if (performance.now() > deadlineMs) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await delay(10);
  }
}

/** Kafka as kafkajs sees it. */
export class KafkaView {
  readonly #bootstrap: string;
  readonly #admin: Admin;

  private constructor(bootstrap: string, admin: Admin) {
    this.#bootstrap = bootstrap;
    this.#admin = admin;
  }

  static async connect(bootstrap: string): Promise<KafkaView> {
    const admin = independentClient(bootstrap).admin();
    await admin.connect();
    return new KafkaView(bootstrap, admin);
  }

  get admin(): Admin {
    return this.#admin;
  }

  close(): Promise<void> {
    return this.#admin.disconnect();
  }

  /** A new topic under a name of its own. */
  async topic(partitionCount = 1, configs: Record<string, string> = {}): Promise<string> {
    const topic = unique('topic');
    await this.createTopic(topic, partitionCount, configs);
    return topic;
  }

  async createTopic(topic: string, partitionCount = 1, configs: Record<string, string> = {}): Promise<void> {
    await this.#admin.createTopics({
      waitForLeaders: true,
      topics: [
        {
          topic,
          numPartitions: partitionCount,
          configEntries: Object.entries(configs).map(([name, value]) => ({ name, value })),
        },
      ],
    });
  }

  /** By partition; -1 where nothing is committed. */
  async committed(group: string, topic: string): Promise<number[]> {
    const [found] = await this.#admin.fetchOffsets({ groupId: group, topics: [topic] });
    return (found?.partitions ?? []).sort((a, b) => a.partition - b.partition).map(({ offset }) => Number(offset));
  }

  /** The first `count` records of a topic. */
  async read(topic: string, count: number): Promise<(KafkaMessage & { partition: number })[]> {
    const consumer = independentClient(this.#bootstrap).consumer({ groupId: unique('reader'), maxWaitTimeInMs: 50 });
    const messages: (KafkaMessage & { partition: number })[] = [];
    await consumer.connect();
    try {
      await consumer.subscribe({ topic, fromBeginning: true });
      await consumer.run({
        eachMessage: async ({ message, partition }) => {
          messages.push({ ...message, partition });
        },
      });
      await until(`${count} records in ${topic}`, () => messages.length >= count);
    } finally {
      await consumer.disconnect();
    }
    return messages;
  }

  async write(topic: string, messages: { key?: string; value: string | null; partition?: number }[]): Promise<void> {
    const producer = independentClient(this.#bootstrap).producer();
    await producer.connect();
    await producer.send({ topic, messages });
    await producer.disconnect();
  }

  /** Names of a group's members, as their clients call themselves. */
  async members(group: string): Promise<string[]> {
    const { groups } = await this.#admin.describeGroups([group]);
    return (groups[0]?.members ?? []).map(({ clientId }) => clientId).sort();
  }
}
