/** An admin port with the content that a test gives it, over real HTTP and with the real page: for states that are rare in a real system. */
import type { AddressInfo } from 'node:net';
import { addPage } from '@causeway/gateway/admin/page-files.ts';
import type {
  AdminAccess,
  Consumer,
  History,
  Rates,
  RecordedEvent,
  System,
  Target,
} from '@causeway/protocol/admin/model.ts';
import { matchesFilter } from '@causeway/protocol/sessions.ts';
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';

export interface FixtureState {
  system: System;
  events: RecordedEvent[];
  history: History;
  consumers: Consumer[];
}

/** A running fixture. Another one may start on its port later, as a gateway that restarts. */
export class AdminFixture {
  readonly state: FixtureState;
  /** Changes with the right token, as `METHOD path`. */
  readonly changes: string[] = [];
  readonly #token: string | undefined;
  readonly #needsTokenToRead: boolean;
  readonly #app: FastifyInstance = Fastify({ forceCloseConnections: true });
  readonly #streams = new Set<FastifyReply>();
  port = 0;
  /** The responses to the next changes of clusters, in turn. */
  readonly clusterAnswers: { status: number; body: object }[] = [];
  /** Of the token. */
  role: 'operator' | 'viewer' = 'operator';

  constructor(
    state: FixtureState,
    { token, needsTokenToRead = false }: { token?: string; needsTokenToRead?: boolean } = {},
  ) {
    this.state = state;
    this.#token = token;
    this.#needsTokenToRead = needsTokenToRead;
    this.#addRoutes();
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/`;
  }

  async start(port = 0): Promise<this> {
    await this.#app.listen({ host: '127.0.0.1', port });
    this.port = (this.#app.server.address() as AddressInfo).port;
    return this;
  }

  async close(): Promise<void> {
    for (const { raw } of this.#streams) raw.end();
    await this.#app.close();
  }

  tell(change: Partial<System>): void {
    Object.assign(this.state.system, change, { at: new Date().toISOString() });
    this.#send('system', this.state.system);
  }

  emit(event: RecordedEvent): void {
    this.state.events.push(event);
    this.#send('event', event);
  }

  #send(type: string, value: unknown): void {
    for (const { raw } of this.#streams) raw.write(`event: ${type}\ndata: ${JSON.stringify(value)}\n\n`);
  }

  #addRoutes(): void {
    const app = this.#app;
    addPage(app);
    app.addHook('onRequest', (request, reply, done) => {
      const isOpen = request.url === '/' || request.url.startsWith('/page/');
      const isGiven = request.headers.authorization !== undefined;
      const needsToken = request.method !== 'GET' || (!isOpen && (this.#needsTokenToRead || isGiven));
      if (!needsToken || request.headers.authorization === `Bearer ${this.#token}`) return done();
      void reply.code(401).send({ error_code: 401, message: 'The token is not the one of admin.token.' });
    });
    app.get('/api/live', (_, reply) => this.#stream(reply));
    app.get('/api/access', (request) => this.#access(request));
    app.get('/api/events', () => ({ events: this.state.events }));
    app.get('/api/history', () => this.state.history);
    app.get('/api/consumers', (request) => this.#consumers(request));
    app.post('/api/regions/:region/:change', (request) => this.#change(request));
    app.put('/api/regions/:region/:change', (request) => this.#change(request));
    app.post('/api/clusters/:cluster/:change', (request, reply) => {
      this.#change(request);
      const { status, body } = this.clusterAnswers.shift() ?? { status: 500, body: { message: 'no answer is left' } };
      return reply.code(status).send(body);
    });
  }

  #stream(reply: FastifyReply): void {
    reply.hijack();
    reply.raw.writeHead(200, { 'content-type': 'text/event-stream' });
    this.#streams.add(reply);
    reply.raw.once('close', () => this.#streams.delete(reply));
    reply.raw.write(`event: system\ndata: ${JSON.stringify(this.state.system)}\n\n`);
    const ticks = setInterval(() => this.tell({}), 1_000);
    reply.raw.once('close', () => clearInterval(ticks));
  }

  #access({ headers }: FastifyRequest): AdminAccess {
    const reason = 'as the test says';
    const role = headers.authorization === `Bearer ${this.#token}` ? this.role : null;
    return { name: role === null ? null : 'alice', role, canChange: role === 'operator', reason };
  }

  #consumers(request: FastifyRequest) {
    const query = request.query as Record<string, string>;
    const filter = (query['filter'] ?? '').toLowerCase();
    const found = this.state.consumers.filter(
      (consumer) => matchesFilter(consumer, filter) && consumer.home.startsWith(query['region'] ?? ''),
    );
    const offset = Number(query['offset'] ?? 0);
    const consumers = found.slice(offset, offset + Number(query['limit'] ?? 200));
    return { total: this.state.consumers.length, matching: found.length, consumers, incomplete: [] };
  }

  #change(request: FastifyRequest) {
    const body = request.body === undefined || request.body === null ? '' : ` ${JSON.stringify(request.body)}`;
    this.changes.push(`${request.method} ${request.url}${body}`);
    return this.state.system.regions[0];
  }
}

const HEALTHY_RATES: Rates = { requestsPerSecond: 42, errorsPerSecond: 0, p50Ms: 2.5, p99Ms: 25 };

const KAFKA_RATES: Rates = { requestsPerSecond: 310, errorsPerSecond: 0, p50Ms: 2.5, p99Ms: 10 };

/** A system of the given regions, healthy for an hour. */
export function fixtureState(regionNames: string[], consumerCount = 40): FixtureState {
  const now = Date.now();
  const since = new Date(now - 3_600_000).toISOString();
  const health = { status: 'healthy' as const, since, reason: 'answered 200' };
  const breaker = { state: 'closed' as const, since };
  const common = {
    isAvailable: true,
    inFlight: 3,
    rates: HEALTHY_RATES,
    health,
    breaker,
    discoveredBy: null,
    kafkaRates: null,
    behindError: null,
    behindAt: null,
  };
  const system: System = {
    at: new Date(now).toISOString(),
    gateway: { name: 'tier1', region: null, startedAt: since },
    state: 'up',
    summary: `All ${regionNames.length} regions are up.`,
    isPanic: false,
    clients: {
      connectionCount: 24,
      listeners: [
        {
          name: '127.0.0.1:8080',
          url: 'http://127.0.0.1:8080',
          protocols: ['http/1.1'],
          connectionCount: 24,
          tls: null,
        },
      ],
      rates: { ...HEALTHY_RATES, requestsPerSecond: 42 * regionNames.length },
    },
    regions: regionNames.map((name, index) => ({
      name,
      weight: 50,
      configuredWeight: 50,
      weightIsOverridden: false,
      shareRatio: 1 / regionNames.length,
      priority: 0,
      isDrained: false,
      cluster: null,
      standsBy: false,
      isLocal: false,
      state: 'up' as const,
      since,
      reason: 'its target answered 200',
      inFlight: 3,
      consumerCount: Math.floor(consumerCount / regionNames.length),
      rates: HEALTHY_RATES,
      targets: [
        {
          ...common,
          url: `http://10.0.${index}.1:8180`,
          name: null,
          kind: 'gateway' as const,
          behind: [
            {
              ...common,
              url: `http://10.0.${index}.2:8282`,
              name: `${name}/bridge`,
              kind: 'bridge' as const,
              kafkaRates: KAFKA_RATES,
              behind: null,
            },
          ],
        } satisfies Target,
      ],
      dnsNames: [],
    })),
    redirects: [],
    kafka: { state: 'up', since, reason: 'answers' },
    clusters: null,
    consumers: { count: consumerCount },
    retryBudget: { remainingCount: 500, usedCount: 0 },
    config: { file: 'tier1.yaml', loadedAt: since, lastError: null },
    upstreamTls: null,
    admin: { name: 'admin', url: 'http://127.0.0.1:8081', protocols: ['http/1.1'], connectionCount: 0, tls: null },
    adminAccess: { canChange: true, reason: 'with the token' },
  };
  return {
    system,
    events: [],
    history: fixtureHistory(regionNames, now),
    consumers: fixtureConsumers(regionNames, consumerCount),
  };
}

function fixtureHistory(regionNames: string[], nowMs: number): History {
  const stepMs = 5_000;
  const atSeconds = Array.from({ length: 180 }, (_, index) => Math.floor(nowMs / 1_000) - (180 - index) * 5);
  const wave = (offset: number, height: number) =>
    atSeconds.map((_, index) => height * (1 + Math.sin((index + offset) / 9) / 5));
  const regions: History['regions'] = {};
  for (const [index, name] of regionNames.entries()) {
    const zero = atSeconds.map(() => 0);
    regions[name] = {
      requestsPerSecond: wave(index * 7, 42),
      errorsPerSecond: zero,
      p50Ms: wave(index * 3, 3),
      p99Ms: wave(index * 5, 22),
    };
  }
  return { stepMs, atSeconds, regions };
}

function fixtureConsumers(regionNames: string[], count: number): Consumer[] {
  const at = new Date(Date.now() - 600_000).toISOString();
  return Array.from({ length: count }, (_, index) => ({
    group: `group-${String(index % 97).padStart(2, '0')}`,
    instance: `consumer-${String(index).padStart(5, '0')}`,
    principal: index % 5 === 0 ? null : `tenant-${index % 5}/worker`,
    home: `${regionNames[index % regionNames.length]}/bridge`,
    state: 'subscribed',
    since: at,
    adoptions: 0,
    lastPollAt: at,
    lag: index % 13,
  }));
}
