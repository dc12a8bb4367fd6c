/** The HTTP server: which path and method is which operation, how errors are answered, what is counted. */
import type { Trust, TrustPolicy } from '@causeway/config/trust.ts';
import type { Cors } from '@causeway/http/cors.ts';
import { isPlainlyFramed } from '@causeway/protocol/http-grammar.ts';
import {
  entryOf,
  type InternalOperation,
  type NamedOperation,
  type Operation,
} from '@causeway/protocol/operations/table.ts';
import { METHODS, type ParsedUrl, parseUrl } from '@causeway/protocol/paths.ts';
import { BRIDGE_HEADER, SUSPECT_HEADER } from '@causeway/protocol/routing.ts';
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

export interface Request {
  /** The operation, and the names of the path. */
  url: ParsedUrl;
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

/** Serves the requests of one operation, before anything of them is read. */
type Route = (request: FastifyRequest, reply: FastifyReply, url: ParsedUrl) => FastifyReply | Promise<FastifyReply>;

export interface ApiServer {
  /** Adds the handler of an operation. */
  on(operation: NamedOperation, handler: Handler): void;
  /** Adds what only gateways ask: that they handed an answer with records to its client. */
  onDelivered(handler: (url: ParsedUrl, mark: string) => void): void;
  /** Adds what gateways ask in an operator's name; nobody else learns that it is there. */
  onSessions(handler: (target: string, reply: FastifyReply) => FastifyReply): void;
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
  const routes = new Map<Operation | InternalOperation, Route>();
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
  const bodyOf = (
    visit: Visit,
    request: FastifyRequest,
    maxBodyBytes: number,
  ): Promise<Buffer | undefined> | undefined =>
    readBody(request.raw, {
      maxBodyBytes,
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
  const isServed = (operation: Operation): boolean => routes.has(operation);
  // URLs are read by the grammar that gateways use, and not by Fastify's router: both take a request for the same operation.
  const route = async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    const url = parseUrl(request.method, request.url);
    const serve = routes.get(url.internal ?? url.operation);
    if (serve !== undefined) return await serve(request, reply, url);
    begin('unknown', request, reply);
    return answerUnknown(request, reply, isServed);
  };
  server.route({ method: [...METHODS], url: '*', exposeHeadRoute: false, handler: route });
  server.setNotFoundHandler(route);
  return {
    on(operation, handler) {
      const { method, kind, body: accepted } = entryOf(operation);
      // Whatever the load: they say how the bridge is.
      const isBounded = kind !== 'management';
      const maxBodyBytes = accepted?.holdsRecords === true ? limits.maxBodyBytes : maxControlBodyBytes;
      routes.set(operation, async (request, reply, url) => {
        const visit = begin(operation, request, reply);
        if (isBounded) load.checkRequests();
        // Answers to others are short, or come after a body that found room.
        if (isBounded && method === 'GET') load.checkBytes(0);
        if (!isPlainlyFramed(request.headers)) throw new BridgeError('transferCodingUnsupported');
        const { trust } = reply;
        const sender = senderOf(request.raw, trust);
        if (sender.via === 'gateway') reply.header(BRIDGE_HEADER, options.bridge);
        const body = accepted === undefined ? undefined : await bodyOf(visit, request, maxBodyBytes);
        if (sender.via === 'gateway' && request.headers[SUSPECT_HEADER] !== undefined) {
          await suspects.turn({ method, target: request.url, bodyBytes: body?.length ?? 0 });
        }
        return await handler(
          {
            url,
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
      });
    },
    onDelivered(handler) {
      routes.set('confirmDelivery', (request, reply, url) => {
        begin('unknown', request, reply);
        const sender = senderOf(request.raw, reply.trust);
        if (sender.via !== 'gateway') return answerUnknown(request, reply, isServed);
        if (sender.delivered !== undefined) handler(url, sender.delivered);
        return answerEmpty(reply, 204);
      });
    },
    onSessions(handler) {
      routes.set('listSessions', (request, reply) => {
        begin('unknown', request, reply);
        const isAllowed = isOperator(request.raw, reply.trust);
        return isAllowed ? handler(request.url, reply) : answerUnknown(request, reply, isServed);
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
    routerOptions: { querystringParser: () => ({}) },
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
