/** The conformance suite against a bridge, a regional gateway in front of it, and a tier-1 gateway in front of that. */
import { createTopics } from '@causeway/lab/stack/kafka.ts';
import { independentClient } from '@causeway/lab/stack/kafka-client.ts';
import { findFreePorts } from '@causeway/lab/stack/ports.ts';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { TestBridge } from '../harness/bridge.ts';
import { unique } from '../harness/kafka-view.ts';
import { OpenApiCheck, type OpenApiDocument } from '../harness/openapi-check.ts';
import { startTestStack, type TestStack } from '../harness/stack.ts';
import { PlainClient } from './client.ts';
import { conformance, GROUPS, type Target } from './conformance.ts';
import { type Names, type RunContext, runScenario, type Scenario } from './scenario.ts';
import { MAX_BLOCK_MS } from './scenarios/produce.ts';
import { LIMITED, SWITCHED_OFF, WITHOUT_KAFKA } from './scenarios/refusals.ts';

const TARGETS: readonly (Target & { urlIn: (system: TestStack) => string })[] = [
  { name: 'a bridge', kind: 'bridge', urlIn: ({ stack }) => stack.regions.east.bridge.url },
  { name: 'a regional gateway', kind: 'gateway', urlIn: ({ stack }) => stack.regions.east.gateway.url },
  { name: 'the tier-1 gateway', kind: 'gateway', urlIn: ({ stack }) => stack.tier1.url },
];

/** Bridges that cannot serve, and their responses. */
const REFUSING = [
  {
    name: 'a bridge without Kafka',
    scenarios: WITHOUT_KAFKA,
    hasKafka: false,
    config: { kafka: { requestTimeoutMs: 200, connectTimeoutMs: 200 }, producer: { maxBlockMs: 200 } },
  },
  {
    name: 'a bridge with producer and consumer switched off',
    scenarios: SWITCHED_OFF,
    hasKafka: true,
    config: { producer: { isEnabled: false }, consumers: { isEnabled: false } },
  },
  {
    name: 'a bridge with tight limits',
    scenarios: LIMITED,
    hasKafka: true,
    config: {
      limits: { maxBodyBytes: 1024, maxRecords: 2 },
      consumers: { maxCount: 1, maxTopics: 2, maxPartitions: 2 },
    },
  },
];

/** Documented responses that no scenario provokes. */
const NOT_PROVOKED = [
  // Needs a Kafka with authorization (packages/bridge/test/forbidden.test.ts).
  ...['createTopic', 'getTopic', 'listPartitions', 'getPartition', 'getOffsets', 'poll', 'commit', 'listCommitted'],
  ...['listPositions', 'seek', 'seekToBeginning', 'seekToEnd', 'send', 'sendToPartition'],
]
  .map((operation) => `${operation} 403`)
  .concat([
    // Needs an overloaded bridge (packages/bridge/src/http/overload.test.ts).
    'info 503',
    'openapi 503',
    'openapiv3 503',
    // Needs a consumer with too many waiting requests (packages/bridge/src/http/consumer-turns.test.ts).
    ...['poll', 'commit', 'seek', 'seekToBeginning', 'seekToEnd', 'unsubscribe'].map((operation) => `${operation} 409`),
    // Kafka returns these errors only to clients without permission.
    'listTopics 500',
    'getOffsets 500',
    'deleteConsumer 500',
    'unsubscribe 500',
    'listSubscriptions 500',
    'listAssignments 500',
    'listCommitted 500',
    'listPositions 500',
    'seekToBeginning 500',
    'seekToEnd 500',
  ]);

const client = new PlainClient();
/** `operation status` of all responses. */
const seen = new Set<string>();

async function openApiCheck(url: string): Promise<OpenApiCheck> {
  const { json } = await client.send(url, { method: 'GET', target: '/openapi', headers: {}, body: undefined });
  return new OpenApiCheck(json as OpenApiDocument, seen);
}

afterAll(() => client.close());

describe('the whole system', () => {
  let system: TestStack;

  beforeAll(async () => {
    const bridgeYaml = `producer:\n  maxBlockMs: ${MAX_BLOCK_MS}\n`;
    system = await startTestStack(inject('kafkaBootstrap'), { bridgeYaml, isBehindProxy: true });
    await system.untilWell();
  });

  afterAll(() => system?.close());

  describe.each(TARGETS)('$name', (target) => {
    const names = new Map<Scenario, Names>();
    let url: string;
    let check: OpenApiCheck;

    beforeAll(async () => {
      url = target.urlIn(system);
      check = await openApiCheck(url);
      const topics: { topic: string; numPartitions: number }[] = [];
      for (const scenario of Object.values(GROUPS).flat()) names.set(scenario, namesOf(scenario, url, topics));
      const admin = independentClient(inject('kafkaBootstrap')).admin();
      await admin.connect();
      await createTopics(admin, topics);
      await admin.disconnect();
    });

    conformance(target, (scenario): RunContext => ({ url, client, check, names: names.get(scenario) ?? {} }));
  });
});

describe.each(REFUSING)('$name', ({ scenarios, hasKafka, config }) => {
  let bridge: TestBridge;
  let check: OpenApiCheck;

  beforeAll(async () => {
    const closedPort = `127.0.0.1:${(await findFreePorts(1))[0]}`;
    bridge = await TestBridge.start(hasKafka ? inject('kafkaBootstrap') : closedPort, config);
    check = await openApiCheck(bridge.url);
  });

  afterAll(() => bridge?.close());

  test.for(scenarios)('$title', async (scenario) => {
    await runScenario(scenario, { url: bridge.url, client, check, names: namesOf(scenario, bridge.url, []) });
  });
});

test('every documented response was seen, except those that no scenario provokes', async () => {
  const bridge = await TestBridge.start(inject('kafkaBootstrap'));
  const { documented } = await openApiCheck(bridge.url);
  await bridge.close();
  expect(documented.filter((entry) => !seen.has(entry)).sort()).toEqual([...NOT_PROVOKED].sort());
});

/** The names of a scenario. Adds its topics to `topics`. */
function namesOf(scenario: Scenario, url: string, topics: { topic: string; numPartitions: number }[]): Names {
  const group = unique('group');
  const names: Record<string, string> = {
    group,
    c: `/consumers/${group}/instances/c`,
    nowhere: unique('nowhere'),
    host: new URL(url).host,
  };
  for (const [name, numPartitions] of Object.entries(scenario.topics ?? {})) {
    const topic = unique('topic');
    names[name] = topic;
    topics.push({ topic, numPartitions });
  }
  return names;
}
