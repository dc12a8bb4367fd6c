/** The HTTP server: which path and method is which operation, how errors are answered, what is counted. */
import type { Trust, TrustPolicy } from '@causeway/config/trust.ts';
import type { Cors } from '@causeway/http/cors.ts';
import { isPlainlyFramed } from '@causeway/protocol/http-grammar.ts';
import { type Operation, routeOf } from '@causeway/protocol/paths.ts';
import { BRIDGE_HEADER, DELIVERED_PATH, SUSPECT_HEADER } from '@causeway/protocol/routing.ts';
import { type FastifyBaseLogger, type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from 'fastify';
import type { Certificates } from '../certificates.ts';
import type { CompressionConfig } from '../config.ts';
import type { Sender } from '../consumers/sender.ts';
import { BridgeError } from '../errors.ts';
import type { Metrics, Outcome } from '../metrics.ts';
import { AnswerCoding } from './answer-coding.ts';
import { answerEmpty, answerError, answerUnknown } from './answers.ts';
import { ContentDecoder } from './content-decoding.ts';
import { type HttpLimits, type ListenAddress, Listener } from './listener.ts';
import type { Load } from './load.ts';
import { readBody } from './read-body.ts';
import type { RequestWatch, Watcher } from './request-watch.ts';
import { isOperator, senderOf, trustOf } from './sender.ts';
import { SlicedWork } from './sliced-work.ts';
import { Suspects } from './suspects.ts';

/** Names in paths may be this long; the request line has its own limit. */
const MAX_NAME_LENGTH = 1_048_576;
/** Operations whose bodies are records; those of the others are small. */
const STORES_RECORDS: ReadonlySet<Operation> = new Set(['send', 'sendToPartition']);
/** What tells how the bridge is must be served when it has too much to do. */
const ALWAYS_SERVED: ReadonlySet<Operation> = new Set(['healthy', 'ready', 'metrics']);

export interface Request {
  /** Percent-decoded names of the path. */
  params: Readonly<Record<string, string>>;
  /** As received, with the query. */
  target: string;
  headers: FastifyRequest['headers'];
  /** `undefined` when there is none. */
  body: Buffer | undefined;
  sender: Sender;
  /** Whether what it says of its client is believed. */
  trust: Trust;
  raw: FastifyRequest['raw'];
  /** For work whose length the client decides. */
  slices: SlicedWork;
  /** For the access log and traces, while one of them is on. */
  watch: RequestWatch | undefined;
}

declare module 'fastify' {
  interface FastifyReply {
    watch: RequestWatch | undefined;
    /** How far the request is believed. */
    trust: Trust;
    readonly answerCoding: AnswerCoding;
    /** Where answers are counted that their clients do not read. */
    readonly load: Load;
  }
}

/** Answers a request by {@link answer}, or throws. */
export type Handler = (request: Request, reply: FastifyReply) => Promise<FastifyReply>;

export interface ApiServer {
  /** Adds an operation at its path. */
  on(operation: Exclude<Operation, 'unknown'>, handler: Handler): void;
  /** Adds what only gateways ask: that they handed an answer with records to its client. */
  onDelivered(handler: (params: Request['params'], mark: string) => void): void;
  /** Adds what gateways ask in an operator's name; nobody else learns that it is there. */
  onOperator(path: string, handler: (target: string, reply: FastifyReply) => FastifyReply): void;
  listen(address: ListenAddress): Promise<number>;
  /** Takes no more connections; every answer from now on ends its connection. */
  stopAccepting(): void;
  /** Requests that have no answer yet. */
  readonly openCount: number;
  close(): Promise<void>;
}

export interface ApiServerOptions {
  limits: HttpLimits;
  load: Load;
  certificates?: Certificates | undefined;
  cors?: Cors | undefined;
  /** This bridge, as `region/bridge`. */
  bridge: string;
  /** Whose headers are believed. */
  trust: TrustPolicy;
  metrics: Metrics;
  compression: CompressionConfig;
  log: FastifyBaseLogger;
  /** For the access log and traces; `undefined` while both are off. */
  watcher: Watcher | undefined;
}

/** What is known of a request until it has its answer. */
interface Visit {
  operation: Operation;
  startedAtMs: number;
  /** Of its body, in memory. */
  heldBytes: number;
  /** Of its body, as the client sent it. */
  receivedBytes: number;
  /** Its answer is complete, or its client is gone: it holds nothing any more. */
  isOver: boolean;
  /** For work that stops with the request; made when it is first asked for. */
  over: AbortController | undefined;
}

export function createApiServer(options: ApiServerOptions): ApiServer {
  const { limits, load, metrics, log } = options;
  const maxControlBodyBytes = Math.min(limits.maxBodyBytes, limits.maxControlBodyBytes);
  const operations = new Set<Operation>();
  const suspects = new Suspects(log);
  const slices = new SlicedWork();
  let openCount = 0;
  let isClosing = false;
  const listener = new Listener({
    limits,
    certificates: options.certificates,
    cors: options.cors,
    onAnswered: (status) => metrics.countRequest('unknown', outcomeOf(status, true), 0),
  });
  const server = createServer(listener);
  server.decorateReply('watch', undefined);
  server.decorateReply('trust', 'client');
  const answerCoding = new AnswerCoding(options.compression);
  server.decorateReply('answerCoding', { getter: () => answerCoding });
  server.decorateReply('load', { getter: () => load });
  const decoder = new ContentDecoder();
  setAnswersForErrors(server, log);
  const begin = (operation: Operation, request: FastifyRequest, reply: FastifyReply): Visit => {
    const { raw } = reply;
    const visit: Visit = {
      operation,
      startedAtMs: performance.now(),
      heldBytes: 0,
      receivedBytes: 0,
      isOver: false,
      over: undefined,
    };
    openCount += 1;
    load.requestCount += 1;
    if (isClosing) raw.setHeader('connection', 'close');
    reply.trust = trustOf(options.trust, request.raw);
    if (options.watcher !== undefined) {
      const believed = { trust: reply.trust, policy: options.trust };
      reply.watch = options.watcher.begin(operation, request.raw, believed);
    }
    raw.once('close', () => {
      openCount -= 1;
      load.requestCount -= 1;
      load.hold(-visit.heldBytes);
      visit.isOver = true;
      visit.over?.abort();
      const durationMs = performance.now() - visit.startedAtMs;
      const outcome = outcomeOf(raw.statusCode, raw.writableFinished);
      metrics.countRequest(operation, outcome, durationMs);
      reply.watch?.finished({ status: raw.statusCode, outcome, receivedBytes: visit.receivedBytes });
    });
    return visit;
  };
  const bodyOf = (visit: Visit, request: FastifyRequest): Promise<Buffer | undefined> | undefined =>
    readBody(request.raw, {
      maxBodyBytes: STORES_RECORDS.has(visit.operation) ? limits.maxBodyBytes : maxControlBodyBytes,
      load,
      decoder,
      over: () => overOf(visit),
      hold: (bytes) => {
        // What it held was given back.
        if (visit.isOver) return;
        visit.heldBytes += bytes;
        load.hold(bytes);
      },
      onReceived: (bytes) => {
        visit.receivedBytes += bytes;
      },
    });
  server.setNotFoundHandler(async (request, reply) => {
    begin('unknown', request, reply);
    return await answerUnknown(request, reply, operations);
  });
  return {
    on(operation, handler) {
      operations.add(operation);
      const { method, path } = routeOf(operation);
      const isBounded = !ALWAYS_SERVED.has(operation);
      server.route({
        method: method === 'GET' ? ['GET', 'HEAD'] : method,
        url: path,
        exposeHeadRoute: false,
        handler: async (request, reply) => {
          const visit = begin(operation, request, reply);
          if (isBounded) load.checkRequests();
          // Answers to others are short, or come after a body that found room.
          if (isBounded && method === 'GET') load.checkBytes(0);
          if (!isPlainlyFramed(request.headers)) throw new BridgeError('transferCodingUnsupported');
          const { trust } = reply;
          const sender = senderOf(request.raw, trust);
          if (sender.via === 'gateway') reply.header(BRIDGE_HEADER, options.bridge);
          // Bodies of other methods mean nothing.
          const body = method === 'POST' ? await bodyOf(visit, request) : undefined;
          if (sender.via === 'gateway' && request.headers[SUSPECT_HEADER] !== undefined) {
            await suspects.turn({ method, target: request.url, bodyBytes: body?.length ?? 0 });
          }
          return await handler(
            {
              params: request.params as Record<string, string>,
              target: request.url,
              headers: request.headers,
              body,
              sender,
              trust,
              raw: request.raw,
              slices,
              watch: reply.watch,
            },
            reply,
          );
        },
      });
    },
    onDelivered(handler) {
      const { path } = routeOf('deleteConsumer');
      server.route({
        method: 'POST',
        url: `${path}${DELIVERED_PATH}`,
        handler: async (request, reply) => {
          begin('unknown', request, reply);
          const sender = senderOf(request.raw, reply.trust);
          if (sender.via !== 'gateway') return answerUnknown(request, reply, operations);
          if (sender.delivered !== undefined) handler(request.params as Record<string, string>, sender.delivered);
          return answerEmpty(reply, 204);
        },
      });
    },
    onOperator(path, handler) {
      server.route({
        method: 'GET',
        url: path,
        exposeHeadRoute: false,
        handler: async (request, reply) => {
          begin('unknown', request, reply);
          const isAllowed = isOperator(request.raw, reply.trust);
          return isAllowed ? handler(request.url, reply) : answerUnknown(request, reply, operations);
        },
      });
    },
    async listen(address) {
      await server.ready();
      return await listener.listen(address);
    },
    stopAccepting() {
      isClosing = true;
      listener.stopAccepting();
    },
    get openCount() {
      return openCount;
    },
    async close() {
      isClosing = true;
      listener.close();
      await server.close().catch((error: unknown) => log.warn({ err: error }, 'the server did not close cleanly'));
    },
  };
}

function createServer(listener: Listener): FastifyInstance {
  const server = fastify({
    logger: false,
    // A request that comes while the server closes is served, and its connection ended in order.
    return503OnClosing: false,
    serverFactory: (handler) => listener.serveBy(handler),
    // The listener's affair.
    clientErrorHandler: () => {},
    rewriteUrl: (request) => withoutDotSegments(request.url ?? '/'),
    routerOptions: {
      ignoreTrailingSlash: true,
      ignoreDuplicateSlashes: true,
      maxParamLength: MAX_NAME_LENGTH,
      querystringParser: () => ({}),
    },
    frameworkErrors: (error, _request, reply) => {
      void answerError(reply, new BridgeError('badRequest', { cause: error }));
    },
  });
  // Bodies are read by the operations that have one, whatever their type says; those of other methods by nobody.
  for (const method of ['POST', 'DELETE', 'PUT', 'PATCH', 'OPTIONS', 'QUERY'])
    server.addHttpMethod(method, { hasBody: false, overrideExisting: true });
  return server;
}

function setAnswersForErrors(server: FastifyInstance, log: FastifyBaseLogger): void {
  server.setErrorHandler(async (error, _request, reply) => {
    if (error instanceof BridgeError) return await answerError(reply, error);
    log.error({ err: error }, 'a request failed unexpectedly');
    return await answerError(reply, new BridgeError('internal', { cause: error }));
  });
}

function overOf(visit: Visit): AbortSignal {
  visit.over ??= new AbortController();
  if (visit.isOver) visit.over.abort();
  return visit.over.signal;
}

function outcomeOf(status: number, isFinished: boolean): Outcome {
  if (!isFinished) return 'aborted';
  if (status < 400) return 'ok';
  return status < 500 ? 'clientError' : 'serverError';
}

/** `.` and `..` are resolved before the path is looked up, as in a browser; everything else stays as it came. */
function withoutDotSegments(target: string): string {
  if (!/\/(?:\.|%2e)/i.test(target)) return target;
  const queryStart = target.indexOf('?');
  const path = queryStart === -1 ? target : target.slice(0, queryStart);
  const kept: string[] = [];
  for (const segment of path.split('/').slice(1)) {
    const plain = segment.replaceAll(/%2e/gi, '.');
    if (plain === '..') kept.pop();
    else if (plain !== '.') kept.push(segment);
  }
  return `/${kept.join('/')}${queryStart === -1 ? '' : target.slice(queryStart)}`;
}
