/** A client of a bridge with credentials in every request. */
import type { JsonAnswer, TestBridge } from './bridge.ts';
import { until } from './until.ts';

type Headers = Record<string, string>;

export function basic(username: string, password: string): Headers {
  return { authorization: `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}` };
}

export function bearer(token: string): Headers {
  return { authorization: `Bearer ${token}` };
}

export class IdentityClient {
  bridge: TestBridge;
  headers: Headers;

  constructor(bridge: TestBridge, headers: Headers) {
    this.bridge = bridge;
    this.headers = headers;
  }

  get(path: string): Promise<JsonAnswer> {
    return this.bridge.get(path, this.headers);
  }

  delete(path: string): Promise<JsonAnswer> {
    return this.bridge.request('DELETE', path, { headers: this.headers });
  }

  post(path: string, body: unknown, type = 'application/vnd.kafka.v2+json'): Promise<JsonAnswer> {
    const headers = Object.assign({ 'content-type': type }, this.headers);
    return this.bridge.request('POST', path, { headers, body: JSON.stringify(body) });
  }

  produce(topic: string, value: string): Promise<JsonAnswer> {
    return this.post(`/topics/${topic}`, { records: [{ value }] }, 'application/vnd.kafka.json.v2+json');
  }

  /** Whether Kafka allows it. Errors: with the response, when the request itself is refused. */
  async hasProduced(topic: string, value: string): Promise<boolean> {
    const { status, body, text } = await this.produce(topic, value);
    if (status !== 200) throw new Error(text);
    return 'offset' in body.offsets[0];
  }

  /** Creates a consumer that reads from the beginning, and returns its path. */
  async consumer(group: string, name: string, topics: string[], options: object = {}): Promise<string> {
    const body = Object.assign({ name, format: 'json', 'auto.offset.reset': 'earliest' }, options);
    const created = await this.post(`/consumers/${group}`, body);
    if (created.status !== 200) throw new Error(created.text);
    const path = `/consumers/${group}/instances/${name}`;
    const subscribed = await this.post(`${path}/subscription`, { topics });
    if (subscribed.status !== 204) throw new Error(subscribed.text);
    return path;
  }

  /** Polls until there are records, and returns their values. */
  async take(path: string): Promise<unknown[]> {
    const values: unknown[] = [];
    await until(`records of ${path}`, async () => {
      const { status, body, text } = await this.get(`${path}/records?timeout=1000`);
      if (status !== 200) throw new Error(text);
      values.push(...body.map(({ value }: { value: unknown }) => value));
      return values.length > 0;
    });
    return values;
  }
}
