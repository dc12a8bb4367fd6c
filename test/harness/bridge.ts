/** A bridge in the test's process, on a port that the system chooses, with a short client. */

import { Bridge } from '@causeway/bridge/app.ts';
import { BridgeConfig } from '@causeway/bridge/config.ts';
import { parseConfig } from '@causeway/config/load.ts';
import { openApiDocument } from '@causeway/protocol/openapi.ts';
import { pino } from 'pino';
import { afterAll, inject, onTestFinished } from 'vitest';
import { KafkaView } from './kafka-view.ts';
import { OpenApiCheck, type OpenApiDocument } from './openapi-check.ts';
import { TEST_TRUST } from './trust.ts';

export interface JsonAnswer {
  status: number;
  headers: Headers;
  text: string;
  /** Parsed; `undefined` without a body. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape.
  body: any;
}

/** Every response to a test must be documented. */
const documented = new OpenApiCheck(openApiDocument('0.0.0') as unknown as OpenApiDocument);

/** Responses that precede operations: an origin is rejected, or another port serves the path. */
function isAnsweredBefore(status: number, type: string | undefined): boolean {
  return (status === 403 || status === 503) && type === undefined;
}

/** A bridge with a short client. */
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
      kafka: { bootstrapServers: bootstrap.split(','), heartbeatIntervalMs: 200, sessionTimeoutMs: 15_000, ...kafka },
      log: { level: 'silent' },
      trust: TEST_TRUST,
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

  /** Errors: of the connection, and for a response that the OpenAPI document does not have. */
  async request(method: string, path: string, init: RequestInit = {}): Promise<JsonAnswer> {
    const response = await fetch(`${this.url}${path}`, { method, ...init });
    const text = await response.text();
    const { status, headers } = response;
    const type = headers.get('content-type') ?? undefined;
    const body: unknown = type?.includes('json') === true && text !== '' ? JSON.parse(text) : undefined;
    const problems = documented.problems({ method, target: path }, { status, type, text, json: body });
    if (problems.length > 0 && !isAnsweredBefore(status, type)) throw new Error(problems.join('; '));
    return { status, headers, text, body };
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

  /** Posts records; sends a string unchanged. */
  produce(topic: string, body: unknown, { format = 'json', query = '' } = {}): Promise<JsonAnswer> {
    return this.request('POST', `/topics/${encodeURIComponent(topic)}${query}`, {
      headers: { 'content-type': `application/vnd.kafka.${format}.v2+json` },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });
  }

  /** Creates a JSON consumer that reads topics from the beginning. */
  async consumer(group: string, name: string, topics: string[], options: object = {}): Promise<TestConsumer> {
    const created = await this.post(`/consumers/${encodeURIComponent(group)}`, {
      name,
      format: 'json',
      'auto.offset.reset': 'earliest',
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

/** Kafka through an independent client, for the tests of one file. Closed after them. */
export async function kafkaOfFile(): Promise<KafkaView> {
  const kafka = await KafkaView.connect(inject('kafkaBootstrap'));
  afterAll(() => kafka.close());
  return kafka;
}

/** A bridge for the tests of one file, by default over the run's Kafka. Closed after them. */
export async function bridgeOfFile(
  overrides: Record<string, object> = {},
  bootstrap: string = inject('kafkaBootstrap'),
): Promise<TestBridge> {
  const bridge = await TestBridge.start(bootstrap, overrides);
  afterAll(() => bridge.close());
  return bridge;
}

/** A bridge for one test, over the run's Kafka. Closed when the test has finished. */
export async function bridgeOfTest(overrides: Record<string, object> = {}): Promise<TestBridge> {
  const bridge = await TestBridge.start(inject('kafkaBootstrap'), overrides);
  onTestFinished(() => bridge.close());
  return bridge;
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

/** Only a consumer that hangs takes longer. */
const TAKE_TIMEOUT_MS = 45_000;

export class TestConsumer {
  readonly bridge: TestBridge;
  readonly group: string;
  readonly path: string;

  constructor(bridge: TestBridge, group: string, name: string) {
    this.bridge = bridge;
    this.group = group;
    this.path = `/consumers/${encodeURIComponent(group)}/instances/${encodeURIComponent(name)}`;
  }

  poll(query = 'timeout=3000'): Promise<JsonAnswer> {
    return this.bridge.get(`${this.path}/records?${query}`);
  }

  /** Polls until `count` records have arrived. */
  async take(count: number): Promise<ConsumedJson[]> {
    const records: ConsumedJson[] = [];
    const deadlineMs = performance.now() + TAKE_TIMEOUT_MS;
    while (records.length < count) {
      if (performance.now() > deadlineMs) throw new Error(`only ${records.length} of ${count} records arrived`);
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
