/** Our bridge gives the recorded responses of the Strimzi bridge, except for differences that are listed with a reason. */
import { createTopics } from '@causeway/lab/stack/kafka.ts';
import { independentClient } from '@causeway/lab/stack/kafka-client.ts';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { TestBridge } from '../harness/bridge.ts';
import { unique } from '../harness/kafka-view.ts';
import { PlainClient, type PlainRequest } from './client.ts';
import { CONVERSATIONS, DIFFERENCES, type Exchange, fill, mismatches } from './recorded.ts';
import { J, V } from './scenario.ts';

/** Both bridges wait this long; the texts contain the number. */
const MAX_BLOCK_MS = 1_000;

const client = new PlainClient();
let bridge: TestBridge;
const namesOf = new Map<string, Record<string, string>>();

beforeAll(async () => {
  bridge = await TestBridge.start(inject('kafkaBootstrap'), { producer: { maxBlockMs: MAX_BLOCK_MS } });
  const topics: { topic: string; numPartitions: number }[] = [];
  for (const { name, topics: own } of CONVERSATIONS) {
    const names: Record<string, string> = {
      group: unique('group'),
      nowhere: unique('nowhere'),
      host: new URL(bridge.url).host,
    };
    for (let number = 1; number < 10; number += 1) names[`new${number}`] = unique('new');
    for (const [topic, numPartitions] of Object.entries(own)) {
      names[topic] = unique('topic');
      topics.push({ topic: names[topic], numPartitions });
    }
    namesOf.set(name, names);
  }
  const admin = independentClient(inject('kafkaBootstrap')).admin();
  await admin.connect();
  await createTopics(admin, topics);
  await admin.disconnect();
});

afterAll(async () => {
  client.close();
  await bridge?.close();
});

function requestOf({ ask, type, headers = {}, body }: Exchange, names: Record<string, string>): PlainRequest {
  const [method = '', target = ''] = fill(ask, names).split(/ (.*)/s);
  const text = body === undefined ? undefined : fill(typeof body === 'string' ? body : JSON.stringify(body), names);
  const usualType = /^\/(?:topics|admin)/.test(target) ? J : V;
  const contentType = type ?? (text === undefined ? '' : usualType);
  return {
    method,
    target,
    body: text === undefined ? undefined : Buffer.from(text),
    headers: { ...(contentType === '' ? {} : { 'content-type': contentType }), ...headers },
  };
}

const ours = new Map(DIFFERENCES.flatMap(({ exchanges }) => Object.entries(exchanges)));

test.concurrent.for(CONVERSATIONS)('$name', async ({ name, exchanges }, { expect: expectHere }) => {
  const names = namesOf.get(name) ?? {};
  const found: Record<string, unknown> = {};
  for (const [index, exchange] of exchanges.entries()) {
    const id = `${name} ${index + 1}`;
    const answer = await client.send(bridge.url, requestOf(exchange, names));
    const differences = mismatches(answer, exchange.answer, names);
    const expected = ours.get(id);
    if (expected === undefined) {
      if (Object.keys(differences).length > 0) found[id] = { ask: exchange.ask, body: exchange.body, ...differences };
    } else {
      // A difference that no longer exists is removed from the list.
      if (Object.keys(differences).length === 0) found[id] = 'is listed as a difference, but does not differ';
      const others = mismatches(answer, expected, names);
      if (Object.keys(others).length > 0)
        found[id] = { ask: exchange.ask, body: exchange.body, asListed: false, ...others };
    }
  }
  expectHere(found).toEqual({});
});

test('there are many exchanges, and every difference refers to one and has a reason', () => {
  const ids = CONVERSATIONS.flatMap(({ name, exchanges }) => exchanges.map((_, index) => `${name} ${index + 1}`));
  expect(ids.length).toBeGreaterThanOrEqual(150);
  expect([...ours.keys()].filter((id) => !ids.includes(id))).toEqual([]);
  const listed = DIFFERENCES.flatMap(({ exchanges }) => Object.keys(exchanges));
  expect(listed.filter((id, index) => listed.indexOf(id) !== index)).toEqual([]);
  for (const { reason } of DIFFERENCES) expect(reason).toMatch(/\w/);
});
