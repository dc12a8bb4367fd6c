/** The operators' port: access, health, metrics, and the routes of the admin API. */
import type { RequestListener } from 'node:http';
import type { TrustPolicy } from '@causeway/config/trust.ts';
import type { Certificates } from '@causeway/http/certificates.ts';
import { headChecks } from '@causeway/http/head.ts';
import { HttpServer } from '@causeway/http/server.ts';
import { AdminAccess, type System } from '@causeway/protocol/admin/model.ts';
import Fastify, { type FastifyInstance } from 'fastify';
import type { buildConnector } from 'undici';
import type { AdminSection } from '../config/admin.ts';
import { GatewayError } from '../errors.ts';
import type { EventLog } from '../events.ts';
import type { Registry } from '../regions/registry.ts';
import { answerError, answerErrors } from './answer-error.ts';
import { Audit } from './audit.ts';
import { Access } from './auth.ts';
import { addClusterRoutes, type ClusterRoutesOptions } from './cluster-routes.ts';
import { addConfigRoutes, type ConfigRoutesOptions } from './config-routes.ts';
import type { Consumers } from './consumers.ts';
import { checkOrigins } from './cross-site.ts';
import type { RateHistory } from './history.ts';
import { checkHosts } from './hosts.ts';
import { addOpenApi } from './openapi.ts';
import { addPage } from './page-files.ts';
import { addRegionRoutes, addRelay } from './region-routes.ts';
import type { RegionalGateways } from './regional-gateways.ts';
import { addSystemRoutes, type Streams } from './system-routes.ts';

declare module 'fastify' {
  interface FastifySchema {
    operationId?: string;
    summary?: string;
  }
  interface FastifyContextConfig {
    /** Error statuses of the route, in addition to those of all routes. */
    errors?: readonly number[];
    /** Media type of a text body. */
    textBody?: string;
  }
}

export interface AdminOptions extends ConfigRoutesOptions, ClusterRoutesOptions {
  host: string;
  port: number;
  /** Of HTTPS; plain HTTP without. */
  certificates: Certificates | undefined;
  /** As configured now: another object after each reload. */
  settings: () => AdminSection;
  /** The token that this gateway shows to other gateways. */
  token: () => string | undefined;
  registry: Registry;
  events: EventLog;
  history: RateHistory;
  regional: RegionalGateways;
  consumers: Consumers;
  /** Opens connections to regional gateways. */
  connect: buildConnector.connector;
  topology: () => System;
  /** Returns the exposition and its content type. */
  metrics: () => Promise<{ contentType: string; text: string }>;
  /** How long a client may read no byte of its response. */
  answerTimeoutMs: () => number;
  /** Returns why the gateway cannot serve, or `undefined` if it can. */
  whyNotReady: () => string | undefined;
  /** As configured now. */
  trust: () => TrustPolicy;
  /** Milliseconds, never going back. */
  now: () => number;
}

/** A line of the event `reload`. */
const TOKEN_CHANGE = /^admin\.tokens?\b/;

/** The limits of Node; bodies are configurations. */
const LIMITS = {
  maxUrlBytes: 16_384,
  maxHeaderBytes: 16_384,
  headersTimeoutMs: 60_000,
  requestTimeoutMs: 300_000,
  bodyTimeoutMs: 10_000,
} as const;

/** Of operators, their pages and scrapers: a flood takes no more files from the clients. */
const MAX_CONNECTIONS = 1_000;

export class AdminServer {
  readonly #options: AdminOptions;
  readonly #app: FastifyInstance;
  readonly #access: Access;
  readonly #audit: Audit;
  readonly #http: HttpServer;
  #streams: Streams | undefined;
  #unsubscribe: () => void = () => {};
  #url = '';

  constructor(options: AdminOptions) {
    this.#options = options;
    this.#access = new Access(options);
    this.#audit = new Audit(options);
    let route: RequestListener = () => {};
    this.#http = new HttpServer({
      limits: { ...LIMITS, responseTimeoutMs: options.answerTimeoutMs },
      certificates: options.certificates,
      entrance: { maxConnections: MAX_CONNECTIONS },
      checks: headChecks(LIMITS),
      serve: ({ request, response, expectation }) => {
        if (expectation === 'continue') response.writeContinue();
        route(request, response);
      },
    });
    this.#app = Fastify({
      serverFactory: (handler) => {
        route = handler;
        return this.#http.node;
      },
      // The HTTP server has already refused the request.
      clientErrorHandler: () => {},
      routerOptions: { ignoreTrailingSlash: true },
    });
    // Removes Fastify's parser for text: JSON sent as text/plain is an unsupported type.
    this.#app.removeContentTypeParser('text/plain');
    // Schemas of responses are documentation, which a test compares with real responses; they do not filter them.
    this.#app.setSerializerCompiler(() => (value) => JSON.stringify(value));
    answerErrors(this.#app);
    this.#audit.addTo(this.#app);
    const { host, settings } = options;
    checkHosts(this.#app, { host, allowedHosts: () => settings().allowedHosts });
    checkOrigins(this.#app, { scheme: this.#http.scheme, allowedOrigins: () => settings().allowedOrigins });
    this.#access.addTo(this.#app);
    this.#addRoutes();
  }

  /** What the topology shows about tokens. */
  get access(): System['adminAccess'] {
    return this.#access.description;
  }

  /** Empty until it listens. */
  get url(): string {
    return this.#url;
  }

  get connectionCount(): number {
    return this.#http.connections.count;
  }

  /** Changes, and refused requests. */
  get counts(): Audit['counts'] {
    return this.#audit.counts;
  }

  /** Errors: those of `net.Server`, such as `EADDRINUSE`. */
  async start(): Promise<{ url: string }> {
    await this.#app.ready();
    const { url } = await this.#http.listen({ host: this.#options.host, port: this.#options.port });
    this.#url = url;
    return { url };
  }

  async close(): Promise<void> {
    this.#unsubscribe();
    this.#streams?.close();
    this.#http.close();
    await this.#app.close();
  }

  #addRoutes(): void {
    const app = this.#app;
    const options = this.#options;
    addOpenApi(app);
    addPage(app);
    const config = { isPublic: true, isProbe: true };
    const nothing = { 200: { description: 'Yes.' } };
    const healthy = { operationId: 'healthy', summary: 'Whether the process is alive.', response: nothing };
    app.get('/healthy', { config, schema: healthy }, (_, reply) => reply.code(200).send());
    const ready = { operationId: 'ready', summary: 'Whether any target is available.', response: nothing };
    app.get('/ready', { config: { ...config, errors: [503] }, schema: ready }, (_, reply) => {
      const reason = options.whyNotReady();
      if (reason === undefined) return reply.code(200).send();
      return answerError(reply, new GatewayError('noRegionAvailable', reason));
    });
    const exposition = { description: 'Exposition.', content: { 'text/plain': { schema: { type: 'string' } } } };
    const metrics = { operationId: 'metrics', summary: 'Metrics for Prometheus.', response: { 200: exposition } };
    app.get('/metrics', { schema: metrics }, async (_, reply) => {
      const { contentType, text } = await options.metrics();
      return reply.type(contentType).send(text);
    });
    const access = {
      operationId: 'access',
      summary: 'Who you are, and what you may do.',
      response: { 200: AdminAccess },
    };
    app.get('/api/access', { schema: access }, (request) => this.#access.describe(request));
    const streams = addSystemRoutes(app, options);
    this.#streams = streams;
    addConfigRoutes(app, options);
    addClusterRoutes(app, options);
    addRegionRoutes(app, options);
    const relays = addRelay(app, options);
    // Their listeners come back, and a token that is no longer valid is refused then.
    this.#unsubscribe = options.events.subscribe((event) => {
      if (event.type !== 'reload' || !event.changes.some((change) => TOKEN_CHANGE.test(change))) return;
      streams.end();
      relays.endReading();
    });
  }
}
