/** Requests that wait for a Kafka that is silent, over upstreams that stand where bridges would; real ones are in test/. */
import { FAULT_HEADER, KAFKA_ANSWERED_HEADER, KAFKA_CLUSTER_HEADER, KAFKA_HEADER } from '@causeway/protocol/routing.ts';
import { request } from 'undici';
import { afterEach, expect, test } from 'vitest';
import { startGateway, type TestGateway } from '../../../test/harness/gateway.ts';
import { until } from '../../../test/harness/until.ts';
import { answerJson, startUpstream, type Upstream, type UpstreamHandler } from '../../../test/harness/upstream.ts';

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** A Kafka that may fall silent, to all or to one bridge. */
class Kafka {
  readonly id: string;
  #silentSinceMs: number | undefined;

  constructor(id: string) {
    this.id = id;
  }

  fallSilent(): void {
    this.#silentSinceMs = performance.now();
  }

  /** How long ago it answered. */
  get agoMs(): number {
    return this.#silentSinceMs === undefined ? 0 : performance.now() - this.#silentSinceMs;
  }
}

async function bridge(name: string, kafka: Kafka, handle: UpstreamHandler): Promise<Upstream> {
  const upstream = await startUpstream(handle);
  cleanups.push(() => upstream.kill());
  upstream.bridge = name;
  upstream.kafkaHeaders = {
    [KAFKA_CLUSTER_HEADER]: kafka.id,
    get [KAFKA_HEADER]() {
      const isUp = kafka.agoMs < 500;
      upstream.readyStatus = isUp ? 200 : 503;
      return isUp ? 'up' : 'down';
    },
    get [KAFKA_ANSWERED_HEADER]() {
      return String(Math.ceil(kafka.agoMs));
    },
  };
  return upstream;
}

async function start(east: Upstream, west: Upstream): Promise<TestGateway> {
  const gw = await startGateway({
    breaker: { minRequests: 2, errorPercent: 1 },
    regions: [
      { name: 'east', priority: 0, targets: [{ url: east.url }] },
      { name: 'west', priority: 1, targets: [{ url: west.url }] },
    ],
  });
  cleanups.push(gw.close);
  return gw;
}

const produce = { method: 'POST', body: '{"records":[{"value":"v"}]}' } as const;
const never: UpstreamHandler = () => {};
const silent: UpstreamHandler = (_, response) => {
  response.writeHead(503, { [FAULT_HEADER]: 'kafka', 'content-type': 'application/json' }).end('{"error_code":503}');
};

function isDown({ gateway }: TestGateway, region: string): boolean {
  return gateway.events
    .recent()
    .some((event) => event.type === 'health' && event.region === region && event.to === 'unhealthy');
}

test('that all regions share leaves requests where they are: they are answered there, and no breaker opens', async () => {
  const kafka = new Kafka('shared');
  const answers: (() => void)[] = [];
  const waiting: UpstreamHandler = (received, response) =>
    answers.push(() => answerJson({ from: 'east' })(received, response));
  const [east, west] = [
    await bridge('east/b', kafka, waiting),
    await bridge('west/b', kafka, answerJson({ from: 'west' })),
  ];
  const gw = await start(east, west);
  const pending = Array.from({ length: 5 }, () => request(`${gw.url}/topics/t`, produce));
  await until('they wait in east', () => answers.length === 5);
  kafka.fallSilent();
  await until('both regions are down', () => isDown(gw, 'east') && isDown(gw, 'west'));
  const probes = gw.gateway;
  await until('the silence is certain', () => kafka.agoMs > 3_500);
  expect(probes.events.recent().filter(({ type }) => type === 'failover' || type === 'breaker')).toEqual([]);
  for (const answer of answers) answer();
  for (const answer of await Promise.all(pending)) expect(await answer.body.json()).toEqual({ from: 'east' });
  expect(west.requests).toEqual([]);
});

test('that all regions share is reported by the first response, once it is certain', async () => {
  const kafka = new Kafka('shared');
  const [east, west] = [await bridge('east/b', kafka, silent), await bridge('west/b', kafka, silent)];
  const gw = await start(east, west);
  kafka.fallSilent();
  for (let count = 0; count < 4; count += 1) {
    const answer = await request(`${gw.url}/consumers/g/instances/c/records`);
    expect([answer.statusCode, await answer.body.json()]).toEqual([503, { error_code: 503 }]);
  }
  expect([east.requests.length + west.requests.length]).toEqual([4]);
  expect(gw.gateway.events.recent().filter(({ type }) => type === 'breaker')).toEqual([]);
});

test('of which a part is silent is reported at once: it responds to the bridges, and is the same elsewhere', async () => {
  const kafka = new Kafka('shared');
  const [east, west] = [await bridge('east/b', kafka, silent), await bridge('west/b', kafka, never)];
  const gw = await start(east, west);
  const answers = await Promise.all(Array.from({ length: 5 }, () => request(`${gw.url}/topics`)));
  for (const answer of answers)
    expect([answer.statusCode, await answer.body.json()]).toEqual([503, { error_code: 503 }]);
  expect(east.requests).toHaveLength(5);
  expect(west.requests).toEqual([]);
});

test.each([
  ['that another region has as well, from which the first one is cut off', 'shared'],
  ['that the other region does not have', 'of-west'],
])('%s: requests go there, those that wait and those that were refused', async (_, westsId) => {
  const easts = new Kafka('shared');
  const [east, west] = [
    await bridge('east/b', easts, never),
    await bridge('west/b', new Kafka(westsId), answerJson({ from: 'west' })),
  ];
  const gw = await start(east, west);
  const waiting = request(`${gw.url}/topics/t`, produce);
  await until('it waits in east', () => east.requests.length === 1);
  east.handle = silent;
  easts.fallSilent();
  const refused = request(`${gw.url}/topics/t`, produce);
  for (const answer of await Promise.all([waiting, refused]))
    expect(await answer.body.json()).toEqual({ from: 'west' });
  expect(gw.gateway.events.recent().filter(({ type }) => type === 'breaker')).toEqual([]);
});
