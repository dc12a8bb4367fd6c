/** The listener for clients: each request that is admitted becomes an exchange. */
import type { Check } from '@causeway/http/admission.ts';
import type { Certificates } from '@causeway/http/certificates.ts';
import { headChecks, transferCoding } from '@causeway/http/head.ts';
import type { RequestMessage, ResponseMessage } from '@causeway/http/message.ts';
import type { HeadLimits, Refusal } from '@causeway/http/refusal.ts';
import { HttpServer, type HttpServerOptions, type ServerLimits } from '@causeway/http/server.ts';
import type { Arrival } from '@causeway/http/turns.ts';
import { type ClientPeer, meetClient } from '../exchange/client-peer.ts';
import type { ExchangeContext } from '../exchange/context.ts';
import { Exchange } from '../exchange/exchange.ts';

export interface ClientServerOptions extends HeadLimits {
  headersTimeoutMs: number;
  bodyTimeoutMs: number;
  /** Read at each sweep: how long a client may read nothing of its response. */
  responseTimeoutMs: () => number;
  /** HTTP/1.1 alone without. */
  http2: { maxConcurrentStreams: number } | undefined;
  /** Plain HTTP without. */
  certificates: Certificates | undefined;
  entrance: HttpServerOptions['entrance'];
  context: ExchangeContext;
}

/** Over HTTP/1.1 or HTTP/2. */
type AnyArrival = Arrival<ClientPeer, RequestMessage, ResponseMessage>;

/** How long a body may take that makes progress: Node's own default. */
const MAX_REQUEST_MS = 300_000;

export function createClientServer(options: ClientServerOptions): HttpServer<ClientPeer> {
  const { context, http2, certificates, entrance } = options;
  const serve = ({ request, response, expectation }: AnyArrival): void =>
    new Exchange(context, request, response).start(expectation);
  const refuse = ({ request, response, expectation }: AnyArrival, refusal: Refusal): void =>
    new Exchange(context, request, response).start(expectation, refusal);
  return new HttpServer({
    limits: serverLimits(options),
    certificates,
    entrance,
    meet: meetClient,
    checks: checks(options),
    serve,
    refuse,
    http2: http2 && { maxConcurrentStreams: http2.maxConcurrentStreams, checks: [], serve, refuse },
    cors: () => context.cors,
    onUnread: () => {
      context.held.counts.unread += 1;
    },
  });
}

export function serverLimits(options: Omit<ServerLimits, 'requestTimeoutMs'>): ServerLimits {
  const { maxUrlBytes, maxHeaderBytes, headersTimeoutMs, bodyTimeoutMs, responseTimeoutMs } = options;
  return {
    maxUrlBytes,
    maxHeaderBytes,
    headersTimeoutMs,
    bodyTimeoutMs,
    responseTimeoutMs,
    requestTimeoutMs: MAX_REQUEST_MS,
  };
}

/** What every request passes before it becomes an exchange, in order. */
function checks(limits: HeadLimits): readonly Check<ClientPeer>[] {
  return [...headChecks(limits), transferCoding];
}
