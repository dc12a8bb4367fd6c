/** The operators' port: health, metrics, topology and events as JSON, and the same of each region's own gateway. */
import type { AddressInfo } from 'node:net';
import { KAFKA_V2 } from '@causeway/protocol/content-types.ts';
import httpProxy from '@fastify/http-proxy';
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { GatewayError } from '../errors.ts';
import type { EventLog, RecordedEvent } from '../events.ts';
import type { Registry } from '../regions/registry.ts';
import { addPage } from './page-files.ts';
import type { RegionTopology, Topology } from './topology.ts';

export interface AdminOptions {
  host: string;
  port: number;
  registry: Registry;
  events: EventLog;
  topology: () => Topology;
  /** Exposition and its content type. */
  metrics: () => Promise<{ contentType: string; text: string }>;
  /** Why the gateway cannot serve; `undefined` when it can. */
  whyNotReady: () => string | undefined;
}

/** A comment line this often shows both ends of an event stream that the other one lives. */
const HEARTBEAT_INTERVAL_MS = 15_000;

export class AdminServer {
  readonly #options: AdminOptions;
  readonly #app: FastifyInstance;
  readonly #streams = new Set<FastifyReply>();

  constructor(options: AdminOptions) {
    this.#options = options;
    this.#app = Fastify({ forceCloseConnections: true, routerOptions: { ignoreTrailingSlash: true } });
    this.#addRoutes();
  }

  /** Errors: as `net.Server`, for a port that is taken (`EADDRINUSE`). */
  async start(): Promise<{ host: string; port: number }> {
    await this.#app.listen({ host: this.#options.host, port: this.#options.port });
    const { address, port } = this.#app.server.address() as AddressInfo;
    return { host: address, port };
  }

  async close(): Promise<void> {
    for (const { raw } of this.#streams) raw.end();
    await this.#app.close();
  }

  #addRoutes(): void {
    const app = this.#app;
    const { topology, metrics, whyNotReady } = this.#options;
    app.setErrorHandler((error: Error, _, reply) => sendError(reply, toGatewayError(error)));
    app.setNotFoundHandler((_, reply) =>
      reply.code(404).type(KAFKA_V2).send('{"error_code":404,"message":"Not Found"}'),
    );
    addPage(app);
    app.get('/healthy', (_, reply) => reply.code(200).send());
    app.get('/ready', (_, reply) => {
      const reason = whyNotReady();
      if (reason === undefined) return reply.code(200).send();
      return sendError(reply, new GatewayError('noRegionAvailable', reason));
    });
    app.get('/metrics', async (_, reply) => {
      const { contentType, text } = await metrics();
      return reply.type(contentType).send(text);
    });
    app.get('/api/topology', () => topology());
    app.post<{ Params: { region: string } }>('/api/regions/:region/drain', ({ params: { region } }) =>
      this.#setDrained(region, true),
    );
    app.post<{ Params: { region: string } }>('/api/regions/:region/undrain', ({ params: { region } }) =>
      this.#setDrained(region, false),
    );
    app.get('/api/events', (request, reply) => this.#streamEvents(request, reply));
    void app.register(httpProxy, {
      upstream: '',
      prefix: '/api/regions/:region',
      rewritePrefix: '/api',
      replyOptions: {
        getUpstream: (request) => this.#adminUrlOf((request.params as { region: string }).region),
        onError: (reply, { error }) => {
          const reason = error.message || String(error);
          sendError(
            reply as FastifyReply,
            new GatewayError('regionFailed', `The region's gateway did not answer: ${reason}.`),
          );
        },
      },
      preHandler: (request, _, done) => {
        // Throws for a region that is not there, before anything is sent.
        this.#adminUrlOf((request.params as { region: string }).region);
        done();
      },
    });
  }

  #setDrained(region: string, isDrained: boolean): RegionTopology | undefined {
    const { registry, topology } = this.#options;
    this.#assertKnown(region);
    if (isDrained) registry.drain(region);
    else registry.undrain(region);
    return topology().regions.find(({ name }) => name === region);
  }

  #assertKnown(region: string): void {
    const { registry } = this.#options;
    if (!registry.config.regions.some(({ name }) => name === region)) {
      const known = registry.config.regions.map(({ name }) => name).join(', ');
      throw new GatewayError('unknownRegion', `There is no region ${region} (there: ${known}).`);
    }
  }

  #adminUrlOf(region: string): string {
    const { registry } = this.#options;
    this.#assertKnown(region);
    const url = registry.adminUrlOf(region);
    if (url === undefined) {
      throw new GatewayError('noAdminAddress', `Region ${region} has no adminUrl in this gateway's configuration.`);
    }
    return url;
  }

  /** Server-sent events (WHATWG HTML §9.2): the kept ones after `Last-Event-ID`, then each as it happens. */
  #streamEvents(request: FastifyRequest, reply: FastifyReply): void {
    const { events } = this.#options;
    reply.hijack();
    reply.raw.writeHead(200, {
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
    });
    const send = (event: RecordedEvent): void => {
      reply.raw.write(`id: ${event.id}\nevent: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`);
    };
    const lastId = Number(request.headers['last-event-id'] ?? 0);
    reply.raw.write(': connected\n\n');
    for (const event of events.recent(Number.isFinite(lastId) ? lastId : 0)) send(event);
    const unsubscribe = events.subscribe(send);
    const heartbeat = setInterval(() => reply.raw.write(': alive\n\n'), HEARTBEAT_INTERVAL_MS);
    this.#streams.add(reply);
    reply.raw.once('close', () => {
      clearInterval(heartbeat);
      unsubscribe();
      this.#streams.delete(reply);
    });
  }
}

function toGatewayError(error: Error & { statusCode?: number }): GatewayError {
  if (error instanceof GatewayError) return error;
  const code = error.statusCode !== undefined && error.statusCode < 500 ? 'malformedRequest' : 'internal';
  return new GatewayError(code, error.message, { cause: error });
}

function sendError(reply: FastifyReply, error: GatewayError): FastifyReply {
  if (error.retryAfterSeconds !== undefined) void reply.header('retry-after', error.retryAfterSeconds);
  return reply.code(error.status).type(KAFKA_V2).send(JSON.stringify(error.toBody()));
}
