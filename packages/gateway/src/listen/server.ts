/** The listener for clients: each request that is admitted becomes an exchange. */
import type { Check } from '@causeway/http/admission.ts';
import { headChecks, transferCoding } from '@causeway/http/head.ts';
import type { HeadLimits } from '@causeway/http/refusal.ts';
import { HttpServer } from '@causeway/http/server.ts';
import { type ClientPeer, meetClient } from '../exchange/client-peer.ts';
import type { ExchangeContext } from '../exchange/context.ts';
import { Exchange } from '../exchange/exchange.ts';

export interface ClientServerOptions extends HeadLimits {
  headersTimeoutMs: number;
  bodyTimeoutMs: number;
  /** Read at each sweep: how long a client may read nothing of its response. */
  responseTimeoutMs: () => number;
  context: ExchangeContext;
}

/** How long a body may take that makes progress: Node's own default. */
const MAX_REQUEST_MS = 300_000;

export function createClientServer(options: ClientServerOptions): HttpServer<ClientPeer> {
  const { context, maxUrlBytes, maxHeaderBytes, headersTimeoutMs, bodyTimeoutMs, responseTimeoutMs } = options;
  return new HttpServer({
    limits: {
      maxUrlBytes,
      maxHeaderBytes,
      headersTimeoutMs,
      bodyTimeoutMs,
      responseTimeoutMs,
      requestTimeoutMs: MAX_REQUEST_MS,
    },
    meet: meetClient,
    checks: checks(options),
    serve: ({ request, response, expectation }) => new Exchange(context, request, response).start(expectation),
    refuse: ({ request, response, expectation }, refusal) =>
      new Exchange(context, request, response).start(expectation, refusal),
    cors: () => context.cors,
    onUnread: () => {
      context.held.counts.unread += 1;
    },
  });
}

/** What every request passes before it becomes an exchange, in order. */
function checks(limits: HeadLimits): readonly Check<ClientPeer>[] {
  return [...headChecks(limits), transferCoding];
}
