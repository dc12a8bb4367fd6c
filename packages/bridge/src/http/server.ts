/** The API over HTTP: operations at their paths, each with its body, its sender and its account. */
import type { RequestListener } from 'node:http';
import type { Trust, TrustPolicy } from '@causeway/config/trust.ts';
import type { Certificates } from '@causeway/http/certificates.ts';
import type { Cors } from '@causeway/http/cors.ts';
import type { ListenAddress } from '@causeway/http/server.ts';
import { gatewayHeader } from '@causeway/http/trust.ts';
import { PROMOTION_HEADER } from '@causeway/protocol/clusters.ts';
import type { RetryClass, Right } from '@causeway/protocol/operations/operation.ts';
import {
  entryOf,
  type InternalOperation,
  isEnforcedByBridge,
  type NamedOperation,
  type Operation,
} from '@causeway/protocol/operations/table.ts';
import { METHODS, type ParsedUrl, parseUrl } from '@causeway/protocol/paths.ts';
import { BRIDGE_HEADER, ENFORCED_HEADER, SUSPECT_HEADER } from '@causeway/protocol/routing.ts';
import type { FastifyBaseLogger, FastifyReply, FastifyRequest } from 'fastify';
import type { ClusterGate } from '../cluster-gate.ts';
import type { CompressionConfig } from '../config.ts';
import type { Sender } from '../consumers/sender.ts';
import { BridgeError } from '../errors.ts';
import type { Metrics } from '../metrics.ts';
import { ContentDecoder } from './content-decoding.ts';
import { createHttpServer, type HttpLimits } from './intake.ts';
import { type KafkaAccess, type KafkaAccessSource, senderIn } from './kafka-access.ts';
import type { Load } from './load.ts';
import { readBody } from './read-body.ts';
import type { RequestWatch, Watcher } from './request-watch.ts';
import { respondEmpty, respondUnknown } from './responses.ts';
import { createRouter } from './router.ts';
import { isFromOperator, senderOf } from './sender.ts';
import { SlicedWork } from './sliced-work.ts';
import { Suspects } from './suspects.ts';
import { type Visit, Visits } from './visits.ts';

export interface Request {
  /** The operation, and the names of the path. */
  url: ParsedUrl;
  /** As received, with the query. */
  target: string;
  headers: FastifyRequest['headers'];
  /** `undefined` for a request without one. */
  body: Buffer | undefined;
  sender: Sender;
  /** As whom it uses Kafka. */
  kafka: KafkaAccess;
  /** The term of the cluster in which it began; see `ClusterGate`. */
  term: number;
  /** How far its headers are trusted. */
  trust: Trust;
  raw: FastifyRequest['raw'];
  /** Whether it is over, for work that waits. */
  visit: Pick<Visit, 'over'>;
  /** For work whose length the client determines. */
  slices: SlicedWork;
  /** For the access log and traces; `undefined` while both are off. */
  watch: RequestWatch | undefined;
}

/** Responds by {@link respond} and its kind, or throws. */
export type Handler = (request: Request, reply: FastifyReply) => Promise<FastifyReply>;

export type ClusterOperation =
  | 'clusterStatus'
  | 'promoteCluster'
  | 'rejoinCluster'
  | 'prepareReplication'
  | 'endReplication'
  | 'readTail';
export type ClusterHandler = (body: Buffer | undefined, reply: FastifyReply) => Promise<FastifyReply>;

/** What a bridge with several clusters asks of each request, and learns from it. */
export interface RequestGate extends ClusterGate {
  /** A gateway sent this promotion with a request. */
  hear(promotion: string | undefined): void;
}

/** Serves the requests of one operation, before its body is read. */
type Route = (request: FastifyRequest, reply: FastifyReply, url: ParsedUrl) => FastifyReply | Promise<FastifyReply>;

export interface ApiServer {
  /** Adds the handler of an operation. */
  on(operation: NamedOperation, handler: Handler): void;
  /** Adds the report by which a gateway confirms that a response with records reached its client. */
  onDelivered(handler: (url: ParsedUrl, mark: string) => void): void;
  /** Adds the list of sessions, for gateways on behalf of an operator; for every other sender it does not exist. */
  onSessions(handler: (target: string, reply: FastifyReply) => FastifyReply): void;
  /** Adds an operation on clusters, for gateways on behalf of an operator or in their own name; for every other sender it does not exist. */
  onClusters(operation: ClusterOperation, handler: ClusterHandler): void;
  /** Returns the port. Errors: as `net.Server`, such as `EADDRINUSE`. */
  listen(address: ListenAddress): Promise<number>;
  readonly scheme: 'http' | 'https';
  /** Accepts no more connections; every response from now on closes its connection. */
  stopAccepting(): void;
  /** Resolves when every request has its response and every connection is closed. */
  drained(): Promise<void>;
  /** Breaks what is left. */
  close(): Promise<void>;
}

export interface ApiServerOptions {
  limits: HttpLimits;
  load: Load;
  certificates?: Certificates | undefined;
  cors?: Cors | undefined;
  /** This bridge, as `region/bridge`. */
  bridge: string;
  /** Which peers are trusted. */
  trust: TrustPolicy;
  metrics: Metrics;
  compression: CompressionConfig;
  log: FastifyBaseLogger;
  /** For the access log and traces; `undefined` while both are off. */
  watcher: Watcher | undefined;
  /** As whom requests use Kafka. */
  kafka: KafkaAccessSource;
  /** `undefined` while there is one cluster. */
  gate: RequestGate | undefined;
}

/** Rights of operations that the active cluster alone serves; the others read what a standby has, too. */
const RIGHTS_OF_ACTIVE: ReadonlySet<Right | undefined> = new Set(['produce', 'consume', 'createTopics']);

export function createApiServer(options: ApiServerOptions): ApiServer {
  const { limits, load, log, gate } = options;
  const maxControlBodyBytes = Math.min(limits.maxBodyBytes, limits.maxControlBodyBytes);
  const routes = new Map<Operation | InternalOperation, Route>();
  const suspects = new Suspects(log);
  const slices = new SlicedWork();
  const decoder = new ContentDecoder();
  const visits = new Visits(options);
  let handle: RequestListener = () => {};
  let onDelivered: ((url: ParsedUrl, mark: string) => void) | undefined;
  const http = createHttpServer({
    limits,
    load,
    visits,
    certificates: options.certificates,
    cors: options.cors,
    route: () => handle,
  });
  const router = createRouter({
    compression: options.compression,
    load,
    log,
    attach: (handler) => {
      handle = handler;
      return http.node;
    },
  });
  const begin = (operation: Operation, request: FastifyRequest, reply: FastifyReply): Visit => {
    const visit = visits.begin(operation, request.raw, reply.raw);
    reply.trust = visit.trust;
    reply.watch = visit.watch;
    return visit;
  };
  const isServed = (operation: Operation): boolean => routes.has(operation);
  // URLs are read by the grammar that gateways use, and not by Fastify's router: both take a request for the same operation.
  const serve = async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    const url = parseUrl(request.method, request.url);
    const route = routes.get(url.internal ?? url.operation);
    if (route !== undefined) return await route(request, reply, url);
    begin('unknown', request, reply);
    return respondUnknown(request, reply, isServed);
  };
  router.route({ method: [...METHODS], url: '*', exposeHeadRoute: false, handler: serve });
  router.setNotFoundHandler(serve);
  return {
    on(operation, handler) {
      const { method, kind, retry, right, body: accepted } = entryOf(operation);
      const needsActive = RIGHTS_OF_ACTIVE.has(right);
      const serving = gate === undefined || !needsActive ? handler : gated(handler, gate, retry);
      const usesKafka = kind !== 'management' && kind !== 'service';
      const maxBodyBytes = accepted?.holdsRecords === true ? limits.maxBodyBytes : maxControlBodyBytes;
      routes.set(operation, async (request, reply, url) => {
        const visit = begin(operation, request, reply);
        const { trust, watch } = visit;
        const from = senderOf(request.raw, trust);
        if (from.via === 'gateway') {
          reply.header(BRIDGE_HEADER, options.bridge);
          const isOfPrincipal = from.principal !== undefined || from.topics !== undefined;
          if (isOfPrincipal && isEnforcedByBridge(operation)) reply.header(ENFORCED_HEADER, '1');
          gate?.hear(gatewayHeader(trust, request.raw, PROMOTION_HEADER));
        }
        try {
          const entering = needsActive ? gate?.enter() : undefined;
          if (entering !== undefined) await entering;
        } catch (error) {
          // Its gateway does not confirm the delivery again.
          if (from.via === 'gateway' && from.delivered !== undefined && url.instance !== undefined) {
            onDelivered?.(url, from.delivered);
          }
          throw error;
        }
        const term = gate?.term ?? 0;
        const access = usesKafka ? options.kafka.of(request.raw, reply.raw) : options.kafka.own;
        const kafka = access instanceof Promise ? await access : access;
        const sender = senderIn(kafka, from);
        const body =
          accepted === undefined ? undefined : await readBody(request.raw, { maxBodyBytes, load, decoder, visit });
        if (sender.via === 'gateway' && request.headers[SUSPECT_HEADER] !== undefined) {
          await suspects.turn({ method, target: request.url, bodyBytes: body?.length ?? 0 });
        }
        const { headers, raw } = request;
        return await serving(
          { url, target: request.url, headers, body, sender, kafka, term, trust, raw, visit, slices, watch },
          reply,
        );
      });
    },
    onDelivered(handler) {
      onDelivered = handler;
      routes.set('confirmDelivery', (request, reply, url) => {
        begin('unknown', request, reply);
        const sender = senderOf(request.raw, reply.trust);
        if (sender.via !== 'gateway') return respondUnknown(request, reply, isServed);
        if (sender.delivered !== undefined) handler(url, sender.delivered);
        return respondEmpty(reply, 204);
      });
    },
    onSessions(handler) {
      routes.set('listSessions', (request, reply) => {
        begin('unknown', request, reply);
        const isAllowed = isFromOperator(request.raw, reply.trust);
        return isAllowed ? handler(request.url, reply) : respondUnknown(request, reply, isServed);
      });
    },
    onClusters(operation, handler) {
      routes.set(operation, async (request, reply) => {
        const visit = begin('unknown', request, reply);
        if (!isFromOperator(request.raw, reply.trust)) return respondUnknown(request, reply, isServed);
        gate?.hear(gatewayHeader(reply.trust, request.raw, PROMOTION_HEADER));
        const isRead = request.method === 'GET';
        const body = isRead
          ? undefined
          : await readBody(request.raw, { maxBodyBytes: maxControlBodyBytes, load, decoder, visit });
        return await handler(body, reply);
      });
    },
    async listen(address) {
      await router.ready();
      return (await http.listen(address)).port;
    },
    scheme: http.scheme,
    stopAccepting: () => http.stopAccepting(),
    drained: () => http.drained(),
    async close() {
      http.close();
      await router.close().catch((error: unknown) => log.warn({ err: error }, 'the server did not close cleanly'));
    },
  };
}

/** What fails in an operation that may be repeated while the cluster stops serving clients, fails for that: a gateway repeats it elsewhere. */
function gated(handler: Handler, gate: ClusterGate, retry: RetryClass): Handler {
  if (retry !== 'repeatable') return handler;
  return async (request, reply) => {
    try {
      return await handler(request, reply);
    } catch (error) {
      const refusal = gate.refusal();
      if (refusal !== undefined) throw refusal;
      if (!(error instanceof BridgeError) || error.code !== 'clusterLost') throw error;
      // Repeated in the cluster that is active now, the operation has its effect there.
      const { message, retryAfterSeconds = 1, promotion } = error;
      throw new BridgeError('clusterInactive', { message, retryAfterSeconds, promotion, cause: error });
    }
  };
}
