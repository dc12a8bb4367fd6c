/** Real bridges that DNS finds: their consumers while addresses come, change and go. */
import { setTimeout as delay } from 'node:timers/promises';
import { expect, inject, onTestFinished, test } from 'vitest';
import { TestBridge } from '../harness/bridge.ts';
import { DnsServer } from '../harness/dns-server.ts';
import { startGateway, type TestGateway } from '../harness/gateway.ts';
import { KafkaView } from '../harness/kafka-view.ts';
import { until } from '../harness/until.ts';

const NAME = '_http._tcp.bridge.test';
const CONSUMER_COUNT = 8;

interface Bridge {
  name: string;
  port: number;
  bridge: TestBridge;
}

/** On every address of the machine, so that DNS may give it any of 127.0.0.0/8. */
async function startBridge(name: string): Promise<Bridge> {
  const overrides = { bridge: { name, region: 'east' }, listen: { host: '0.0.0.0', port: 0 } };
  const bridge = await TestBridge.start(inject('kafkaBootstrap'), overrides);
  onTestFinished(() => bridge.close());
  return { name, port: Number(new URL(bridge.url).port), bridge };
}

/** Clients of one gateway that produce and poll without a pause, and count the statuses. */
class Clients {
  readonly statuses = new Map<number, number>();
  readonly values = new Map<string, Set<string>>();
  readonly #url: string;
  readonly #topic: string;
  #isOver = false;
  #running: Promise<unknown> = Promise.resolve();
  sentCount = 0;

  constructor(url: string, topic: string) {
    this.#url = url;
    this.#topic = topic;
  }

  async start(groups: readonly string[]): Promise<void> {
    for (const group of groups) {
      this.values.set(group, new Set());
      await this.#post(`/consumers/${group}`, { name: 'me', format: 'json', 'auto.offset.reset': 'earliest' });
      await this.#post(`/consumers/${group}/instances/me/subscription`, { topics: [this.#topic] });
    }
    this.#running = Promise.all([this.#produce(), ...groups.map((group) => this.#poll(group))]);
  }

  async end(): Promise<void> {
    this.#isOver = true;
    await this.#running;
  }

  async #post(path: string, body: unknown, type = 'application/vnd.kafka.v2+json'): Promise<void> {
    const response = await fetch(`${this.#url}${path}`, {
      method: 'POST',
      headers: { 'content-type': type },
      body: JSON.stringify(body),
    });
    await response.text();
    this.#count(response.status);
  }

  async #produce(): Promise<void> {
    for (; !this.#isOver; await delay(10)) {
      const records = [{ value: String(this.sentCount) }];
      await this.#post(`/topics/${this.#topic}`, { records }, 'application/vnd.kafka.json.v2+json');
      this.sentCount += 1;
    }
  }

  async #poll(group: string): Promise<void> {
    while (!this.#isOver) {
      const response = await fetch(`${this.#url}/consumers/${group}/instances/me/records?timeout=300`, {
        headers: { accept: 'application/vnd.kafka.json.v2+json' },
      });
      const text = await response.text();
      this.#count(response.status);
      if (response.status !== 200) continue;
      for (const { value } of JSON.parse(text) as { value: string }[]) this.values.get(group)?.add(value);
    }
  }

  #count(status: number): void {
    this.statuses.set(status, (this.statuses.get(status) ?? 0) + 1);
  }
}

/** How often consumers of this test moved from one bridge to another, as their owners report. */
async function adoptionsOf(gw: TestGateway, topic: string): Promise<number> {
  const response = await fetch(`${gw.adminUrl}/api/consumers?filter=${topic}`);
  const { matching, consumers, incomplete } = (await response.json()) as {
    matching: number;
    consumers: { adoptions: number }[];
    incomplete: unknown[];
  };
  expect([matching, incomplete]).toEqual([CONSUMER_COUNT, []]);
  return consumers.reduce((sum, { adoptions }) => sum + adoptions, 0);
}

test('consumers stay with a bridge that gets another address, and move from one whose address goes; no request fails', async () => {
  const dns = await DnsServer.start();
  onTestFinished(() => dns.close());
  const kafka = await KafkaView.connect(inject('kafkaBootstrap'));
  onTestFinished(() => kafka.close());
  const topic = await kafka.topic();
  const bridges = [await startBridge('b0'), await startBridge('b1'), await startBridge('b2')];
  const [b0, b1, b2] = bridges as [Bridge, Bridge, Bridge];
  const publish = (places: readonly [Bridge, address: string][]): void => {
    dns.setServices(
      NAME,
      places.map(([{ port }, address]) => {
        const host = `${address.replaceAll('.', '-')}.bridge.test`;
        dns.set(host, [address]);
        return { host, port };
      }),
    );
  };
  publish([
    [b0, '127.0.0.2'],
    [b1, '127.0.0.3'],
  ]);
  const gw = await startGateway({
    regions: [{ name: 'east', targets: [{ dns: NAME }] }],
    discovery: { refreshMs: 100, timeoutMs: 20_000, servers: [dns.address] },
    shutdown: { graceMs: 5_000 },
  });
  onTestFinished(gw.close);
  const targets = async (): Promise<string[]> => {
    const topology = await (await fetch(`${gw.adminUrl}/api/topology`)).json();
    const [east] = (topology as { regions: { targets: { url: string; isAvailable: boolean }[] }[] }).regions;
    return (east?.targets ?? []).filter(({ isAvailable }) => isAvailable).map(({ url }) => url);
  };
  const hasTargets = (...places: readonly [Bridge, address: string][]): Promise<void> =>
    until('the targets are those of DNS', async () => {
      const expected = places.map(([{ port }, address]) => `http://${address}:${port}`);
      return String((await targets()).sort()) === String(expected.sort());
    });
  await hasTargets([b0, '127.0.0.2'], [b1, '127.0.0.3']);

  const groups = Array.from({ length: CONSUMER_COUNT }, (_, index) => `${topic}-${index}`);
  const clients = new Clients(gw.url, topic);
  await clients.start(groups);
  const everyGroupReads = async (): Promise<void> => {
    const from = clients.sentCount;
    await until('every consumer reads on', () =>
      groups.every((group) => clients.values.get(group)?.has(String(from + 5))),
    );
  };
  await everyGroupReads();

  // The same bridge, at another address: first beside the old one, as a dual-stack pod has two.
  publish([
    [b0, '127.0.0.2'],
    [b0, '127.0.0.4'],
    [b1, '127.0.0.3'],
  ]);
  await hasTargets([b0, '127.0.0.2'], [b0, '127.0.0.4'], [b1, '127.0.0.3']);
  publish([
    [b0, '127.0.0.4'],
    [b1, '127.0.0.3'],
  ]);
  await hasTargets([b0, '127.0.0.4'], [b1, '127.0.0.3']);
  await everyGroupReads();
  expect(await adoptionsOf(gw, topic)).toBe(0);

  // One bridge comes, and one goes, which lives: its consumers move at their next poll.
  publish([
    [b0, '127.0.0.4'],
    [b2, '127.0.0.5'],
  ]);
  await hasTargets([b0, '127.0.0.4'], [b2, '127.0.0.5']);
  await everyGroupReads();
  await clients.end();
  expect([...clients.statuses.keys()].sort()).toEqual([200, 204]);
  // The gateway caches its list for a second.
  await until('consumers have moved', async () => (await adoptionsOf(gw, topic)) > 0);
});
