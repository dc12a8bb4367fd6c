/** Fastify as the bridge uses it: requests and replies over its HTTP server, with the API's errors. */
import type { RequestListener, Server } from 'node:http';
import type { Trust } from '@causeway/config/trust.ts';
import { type FastifyBaseLogger, type FastifyInstance, fastify } from 'fastify';
import type { CompressionConfig } from '../config.ts';
import { BridgeError } from '../errors.ts';
import type { Load } from './load.ts';
import type { RequestWatch } from './request-watch.ts';
import { ResponseCoding } from './response-coding.ts';
import { respondError } from './responses.ts';

declare module 'fastify' {
  interface FastifyReply {
    watch: RequestWatch | undefined;
    /** How far the request is trusted. */
    trust: Trust;
    readonly responseCoding: ResponseCoding;
    /** Counts the responses that clients do not read. */
    readonly load: Load;
  }
}

export interface RouterOptions {
  /** Takes the router's handler, and returns the server that will call it. */
  attach: (handler: RequestListener) => Server;
  compression: CompressionConfig;
  load: Load;
  log: FastifyBaseLogger;
}

export function createRouter({ attach, compression, load, log }: RouterOptions): FastifyInstance {
  const router = fastify({
    logger: false,
    // A request that arrives while the server drains is served, and its connection closed in order.
    return503OnClosing: false,
    serverFactory: attach,
    // The HTTP server has refused it already.
    clientErrorHandler: () => {},
    routerOptions: { querystringParser: () => ({}) },
    frameworkErrors: (error, _request, reply) => {
      void respondError(reply, new BridgeError('badRequest', { cause: error }));
    },
  });
  // Operations with a body read it, whatever its type; bodies of other methods are not read.
  for (const method of ['POST', 'DELETE', 'PUT', 'PATCH', 'OPTIONS', 'QUERY'])
    router.addHttpMethod(method, { hasBody: false, overrideExisting: true });
  router.setErrorHandler(async (error, _request, reply) => {
    if (error instanceof BridgeError) return await respondError(reply, error);
    log.error({ err: error }, 'a request failed unexpectedly');
    return await respondError(reply, new BridgeError('internal', { cause: error }));
  });
  const responseCoding = new ResponseCoding(compression);
  router.decorateReply('watch', undefined);
  router.decorateReply('trust', 'client');
  router.decorateReply('responseCoding', { getter: () => responseCoding });
  router.decorateReply('load', { getter: () => load });
  return router;
}
