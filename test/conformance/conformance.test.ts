/**
 * The conformance suite against a bridge, a regional gateway in front of it, and a tier-1 gateway in front of that: over HTTP/1.1,
 * over TLS, and over HTTP/2. `CAUSEWAY_CONFORMANCE=full` runs it in every combination, else each hop once and each protocol once.
 */
import process from 'node:process';
import type { ClientTls } from '@causeway/lab/secure/client-tls.ts';
import { createTopics } from '@causeway/lab/stack/kafka.ts';
import { independentClient, type KafkaAccess } from '@causeway/lab/stack/kafka-client.ts';
import { findFreePorts } from '@causeway/lab/stack/ports.ts';
import type { OperationEntry } from '@causeway/protocol/operations/operation.ts';
import { OPERATIONS } from '@causeway/protocol/operations/table.ts';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { stringify } from 'yaml';
import { TestBridge } from '../harness/bridge.ts';
import { refusedToBridges } from '../harness/kafka-refusals.ts';
import { unique } from '../harness/kafka-view.ts';
import { OpenApiCheck, type OpenApiDocument } from '../harness/openapi-check.ts';
import { startSecureTestStack, startTestStack, type TestStack } from '../harness/stack.ts';
import { type Client, Http2Client, PlainClient } from './client.ts';
import { conformance, GROUPS } from './conformance.ts';
import { type Names, type RunContext, runScenario, type Scenario } from './scenario.ts';
import { MAX_BLOCK_MS } from './scenarios/produce.ts';
import { LIMITED, SWITCHED_OFF, WITHOUT_KAFKA, WITHOUT_KEYS } from './scenarios/refusals.ts';

const IS_FULL = process.env['CAUSEWAY_CONFORMANCE'] === 'full';
const BRIDGE_CONFIG = { producer: { maxBlockMs: MAX_BLOCK_MS } };
const STACK_OPTIONS = { bridgeYaml: stringify(BRIDGE_CONFIG), isBehindProxy: true };

type Hop = 'bridge' | 'regional gateway' | 'tier-1 gateway';

/** A system that runs, as the suite sees it. */
interface RunningSystem {
  kafka: KafkaAccess;
  urls: Partial<Record<Hop, string>>;
  /** For the clients of a secure one. */
  tls?: ClientTls | undefined;
  /** What its Kafka refused bridges, if it checks rights. */
  refusals?: (() => string[]) | undefined;
  close(): Promise<void>;
}

interface Target {
  hop: Hop;
  protocol: 'HTTP/1.1' | 'HTTP/2';
}

interface SystemUnderTest {
  name: string;
  start(): Promise<RunningSystem>;
  targets: readonly Target[];
}

const PLAIN: SystemUnderTest = IS_FULL
  ? {
      name: 'a plain system',
      start: async () => seenFrom(await startTestStack(inject('kafkaBootstrap'), STACK_OPTIONS)),
      targets: [over1('bridge'), over1('regional gateway'), over1('tier-1 gateway')],
    }
  : { name: 'a plain system', start: startPlainBridge, targets: [over1('bridge')] };

const SECURE: SystemUnderTest = {
  name: 'a secure system',
  start: async () => seenFrom(await startSecureTestStack(STACK_OPTIONS)),
  targets: [
    over1('regional gateway'),
    over2('tier-1 gateway'),
    ...(IS_FULL ? [over1('bridge'), over2('regional gateway'), over1('tier-1 gateway')] : []),
  ],
};

function over1(hop: Hop): Target {
  return { hop, protocol: 'HTTP/1.1' };
}

function over2(hop: Hop): Target {
  return { hop, protocol: 'HTTP/2' };
}

async function startPlainBridge(): Promise<RunningSystem> {
  const kafka = inject('kafkaBootstrap');
  const bridge = await TestBridge.start(kafka, BRIDGE_CONFIG);
  return { kafka, urls: { bridge: bridge.url }, close: () => bridge.close() };
}

async function seenFrom(system: TestStack): Promise<RunningSystem> {
  await system.untilWell();
  const { kafka, regions, tier1, credentials } = system.stack;
  const { bridge, gateway } = regions.east;
  return {
    kafka: kafka.access,
    urls: { bridge: bridge.url, 'regional gateway': gateway.url, 'tier-1 gateway': tier1.url },
    tls: credentials?.lab,
    refusals: credentials && (() => refusedToBridges(system.stack)),
    close: () => system.close(),
  };
}

/** Bridges that cannot serve, and their responses. */
const REFUSING = [
  {
    name: 'a bridge without Kafka',
    scenarios: WITHOUT_KAFKA,
    hasKafka: false,
    config: {
      kafka: { requestTimeoutMs: 200, connectTimeoutMs: 200 },
      producer: { maxBlockMs: 200, deliveryTimeoutMs: 200 },
    },
  },
  {
    name: 'a bridge with producer and consumer switched off',
    scenarios: SWITCHED_OFF,
    hasKafka: true,
    config: { producer: { isEnabled: false }, consumers: { isEnabled: false } },
  },
  {
    name: 'a bridge without idempotency keys',
    scenarios: WITHOUT_KEYS,
    hasKafka: false,
    config: { producer: { idempotencyKeys: false } },
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
  // Needs rules of a gateway, or another principal (test/access-rules.test.ts).
  ...['createConsumer', 'deleteConsumer', 'unsubscribe', 'listSubscriptions', 'listAssignments', 'listTopics'],
]
  .map((operation) => `${operation} 403`)
  .concat([
    // Needs a Kafka that knows clients (packages/bridge/test/client-identity.test.ts).
    ...OPERATIONS.flatMap(({ operation, right }: OperationEntry) => (right === undefined ? [] : [`${operation} 401`])),
    // Needs a quota of a gateway (packages/bridge/test/principals.test.ts).
    'createConsumer 429',
    // Needs an overloaded bridge (packages/bridge/src/http/overload.test.ts).
    'info 503',
    'openapi 503',
    'openapiv3 503',
    // Needs a consumer with too many waiting requests (packages/bridge/src/http/consumer-turns.test.ts).
    ...['poll', 'commit', 'seek', 'seekToBeginning', 'seekToEnd', 'unsubscribe'].map((operation) => `${operation} 409`),
    // Needs a request whose transaction does not end (packages/bridge/test/idempotency-answers.ts).
    'send 409',
    'sendToPartition 409',
    // Needs another bridge that owns the key's slot, and no gateway (the same).
    'send 421',
    'sendToPartition 421',
    // Needs a Kafka cluster that stops being the active one (packages/bridge/test/clusters.test.ts).
    'send 504',
    'sendToPartition 504',
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

const plainClient = new PlainClient();
/** `operation status` of all responses. */
const seen = new Set<string>();

async function openApiCheck(url: string, client: Client): Promise<OpenApiCheck> {
  const { json } = await client.send(url, { method: 'GET', target: '/openapi', headers: {}, body: undefined });
  return new OpenApiCheck(json as OpenApiDocument, seen);
}

afterAll(() => plainClient.close());

describe.each([PLAIN, SECURE])('$name', ({ start, targets }) => {
  let system: RunningSystem;

  beforeAll(async () => {
    system = await start();
  });

  afterAll(() => system?.close());

  describe.each(targets)('$hop over $protocol', ({ hop, protocol }) => {
    const names = new Map<Scenario, Names>();
    let url: string;
    let client: Client;
    let check: OpenApiCheck;

    beforeAll(async () => {
      url = system.urls[hop] ?? '';
      client = protocol === 'HTTP/2' ? new Http2Client(system.tls) : new PlainClient(system.tls);
      check = await openApiCheck(url, client);
      const topics: { topic: string; numPartitions: number }[] = [];
      for (const scenario of Object.values(GROUPS).flat()) names.set(scenario, namesOf(scenario, url, topics));
      const admin = independentClient(system.kafka).admin();
      await admin.connect();
      await createTopics(admin, topics);
      await admin.disconnect();
    });

    afterAll(() => client?.close());

    const kind = hop === 'bridge' ? 'bridge' : 'gateway';
    conformance({ kind }, (scenario): RunContext => ({ url, client, check, names: names.get(scenario) ?? {} }));
  });

  test('bridges have every right that they need', () => {
    expect(system.refusals?.() ?? []).toEqual([]);
  });
});

describe.each(REFUSING)('$name', ({ scenarios, hasKafka, config }) => {
  let bridge: TestBridge;
  let check: OpenApiCheck;

  beforeAll(async () => {
    const closedPort = `127.0.0.1:${(await findFreePorts(1))[0]}`;
    bridge = await TestBridge.start(hasKafka ? inject('kafkaBootstrap') : closedPort, config);
    check = await openApiCheck(bridge.url, plainClient);
  });

  afterAll(() => bridge?.close());

  test.for(scenarios)('$title', async (scenario) => {
    await runScenario(scenario, {
      url: bridge.url,
      client: plainClient,
      check,
      names: namesOf(scenario, bridge.url, []),
    });
  });
});

test('every documented response was seen, except those that no scenario provokes', async () => {
  const bridge = await TestBridge.start(inject('kafkaBootstrap'));
  const { documented } = await openApiCheck(bridge.url, plainClient);
  await bridge.close();
  expect(documented.filter((entry) => !seen.has(entry)).sort()).toEqual([...NOT_PROVOKED].sort());
});

/** The names of a scenario. Adds its topics to `topics`. */
function namesOf(scenario: Scenario, url: string, topics: { topic: string; numPartitions: number }[]): Names {
  const group = unique('group');
  const isSecure = url.startsWith('https:');
  const names: Record<string, string> = {
    group,
    c: `/consumers/${group}/instances/c`,
    nowhere: unique('nowhere'),
    host: new URL(url).host,
    scheme: isSecure ? 'https' : 'http',
    usualPort: isSecure ? '443' : '80',
  };
  for (const [name, numPartitions] of Object.entries(scenario.topics ?? {})) {
    const topic = unique('topic');
    names[name] = topic;
    topics.push({ topic, numPartitions });
  }
  return names;
}
