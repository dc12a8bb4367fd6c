/** The HTTP server: which path and method is which operation, how errors are answered, what is counted. */
import type { OutgoingHttpHeaders, Server } from 'node:http';
import { KAFKA_V2 } from '@causeway/protocol/content-types.ts';
import type { ErrorBody } from '@causeway/protocol/errors.ts';
import { type Operation, parseUrl, routeOf } from '@causeway/protocol/paths.ts';
import {
  type FastifyBaseLogger,
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  fastify,
} from 'fastify';
import { BridgeError } from '../errors.ts';
import type { Metrics, Outcome } from '../metrics.ts';

/** Longer than load balancers keep idle connections, so that they close first. */
const KEEP_ALIVE_TIMEOUT_MS = 75_000;
/** Names in paths may be this long; the request line has its own limit. */
const MAX_NAME_LENGTH = 8192;
const METHODS = ['POST', 'GET', 'DELETE'] as const;

export interface Request {
  /** Percent-decoded names of the path. */
  params: Readonly<Record<string, string>>;
  /** As received, with the query. */
  target: string;
  headers: FastifyRequest['headers'];
  /** `undefined` when there is none. */
  body: Buffer | undefined;
  raw: FastifyRequest['raw'];
}

/** Answers a request by {@link answer}, or throws. */
export type Handler = (request: Request, reply: FastifyReply) => Promise<FastifyReply>;

export interface ApiServer {
  /** Adds an operation at its path. */
  on(operation: Exclude<Operation, 'unknown'>, handler: Handler): void;
  listen(address: { host: string; port: number }): Promise<number>;
  /** Takes no more connections; every answer from now on ends its connection. */
  stopAccepting(): void;
  /** Requests that have no answer yet. */
  readonly openCount: number;
  close(): Promise<void>;
}

export interface ApiServerOptions {
  maxBodyBytes: number;
  metrics: Metrics;
  log: FastifyBaseLogger;
}

export function createApiServer(options: ApiServerOptions): ApiServer {
  const { metrics, log } = options;
  const operations = new Set<Operation>();
  let openCount = 0;
  let isClosing = false;
  const server = createServer(options);
  setAnswersForErrors(server, options);
  const count = (operation: Operation, reply: FastifyReply): void => {
    const { raw } = reply;
    const startedAtMs = performance.now();
    openCount += 1;
    if (isClosing) raw.setHeader('connection', 'close');
    raw.once('close', () => {
      openCount -= 1;
      metrics.countRequest(operation, outcomeOf(raw.statusCode, raw.writableFinished), performance.now() - startedAtMs);
    });
  };
  server.setNotFoundHandler(async (request, reply) => {
    count('unknown', reply);
    return await answerUnknown(request, reply, operations);
  });
  return {
    on(operation, handler) {
      operations.add(operation);
      const { method, path } = routeOf(operation);
      server.route({
        method,
        url: path,
        exposeHeadRoute: false,
        onRequest: (_request, reply, done) => {
          count(operation, reply);
          done();
        },
        handler: async (request, reply) =>
          await handler(
            {
              params: request.params as Record<string, string>,
              target: request.url,
              headers: request.headers,
              body: request.body as Buffer | undefined,
              raw: request.raw,
            },
            reply,
          ),
      });
    },
    async listen(address) {
      await server.listen(address);
      const bound = server.server.address();
      if (bound === null || typeof bound === 'string') throw new TypeError('no port');
      return bound.port;
    },
    stopAccepting() {
      isClosing = true;
      stopListening(server.server);
    },
    get openCount() {
      return openCount;
    },
    async close() {
      isClosing = true;
      await server.close().catch((error: unknown) => log.warn({ err: error }, 'the server did not close cleanly'));
    },
  };
}

function createServer({ maxBodyBytes }: ApiServerOptions): FastifyInstance {
  const server = fastify({
    logger: false,
    bodyLimit: maxBodyBytes,
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    // A request that comes while the server closes is served, and its connection ended in order.
    return503OnClosing: false,
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
  server.removeAllContentTypeParsers();
  server.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  return server;
}

function setAnswersForErrors(server: FastifyInstance, { log, maxBodyBytes }: ApiServerOptions): void {
  server.setErrorHandler(async (error: FastifyError | BridgeError, _request, reply) => {
    const known = knownError(error, maxBodyBytes);
    if (known.code === 'internal' && known !== error) log.error({ err: error }, 'a request failed unexpectedly');
    return await answerError(reply, known);
  });
}

function knownError(error: FastifyError | BridgeError, maxBodyBytes: number): BridgeError {
  if (error instanceof BridgeError) return error;
  switch (error.code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return new BridgeError('bodyTooLarge', {
        message: `The request body is larger than the limit of ${maxBodyBytes} bytes`,
        cause: error,
      });
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return new BridgeError('bodyTypeUnsupported', { cause: error });
    case 'FST_ERR_CTP_INVALID_CONTENT_LENGTH':
      return new BridgeError('badRequest', { cause: error });
    default:
      return new BridgeError('internal', { cause: error });
  }
}

/** Answers with text. Past Fastify, which would add a charset to its type and send head and body apart. */
export function answer(reply: FastifyReply, text: string | Buffer, contentType: string = KAFKA_V2): FastifyReply {
  reply.hijack();
  const headers = reply.getHeaders() as OutgoingHttpHeaders;
  headers['content-type'] = contentType;
  headers['content-length'] = Buffer.byteLength(text);
  reply.raw.writeHead(reply.statusCode, headers).end(text);
  return reply;
}

export function answerEmpty(reply: FastifyReply, status: 200 | 204): FastifyReply {
  return reply.code(status).send();
}

function answerError(reply: FastifyReply, error: BridgeError): FastifyReply {
  const body: ErrorBody = { error_code: error.status, message: error.message };
  if (error.validationErrors !== undefined) body.validation_errors = error.validationErrors;
  if (error.retryAfterSeconds !== undefined) reply.header('retry-after', String(error.retryAfterSeconds));
  reply.code(error.status);
  return answer(reply, JSON.stringify(body));
}

/** 405 for a path that another method has, 404 otherwise. */
function answerUnknown(request: FastifyRequest, reply: FastifyReply, operations: ReadonlySet<Operation>): FastifyReply {
  const allowed = METHODS.filter((method) => operations.has(parseUrl(method, request.url).operation));
  if (allowed.length === 0) return answerError(reply, new BridgeError('notFound'));
  reply.header('allow', allowed.join(','));
  return reply.code(405).send();
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

/**
 * Stops listening, and leaves every connection as it is. `http.Server.close()` would also end idle ones, under requests
 * that are on their way.
 */
function stopListening(server: Server): void {
  Object.getPrototypeOf(Object.getPrototypeOf(server)).close.call(server);
}
