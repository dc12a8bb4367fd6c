/** The way of a request to the router: admission, CORS, `OPTIONS *` and 100 Continue. */
import type { RequestListener } from 'node:http';
import type { Certificates } from '@causeway/http/certificates.ts';
import type { Cors } from '@causeway/http/cors.ts';
import { API_METHODS, type Refusal, refusalBody, refusalHeaders, statusOf } from '@causeway/http/refusal.ts';
import { HttpServer } from '@causeway/http/server.ts';
import { isFromGateway } from '@causeway/http/trust.ts';
import type { Arrival } from '@causeway/http/turns.ts';
import { parseUrl } from '@causeway/protocol/paths.ts';
import { FAULT_HEADER, FAULT_OF_REQUEST } from '@causeway/protocol/routing.ts';
import type { LimitsConfig } from '../config.ts';
import { bridgeChecks } from './admission.ts';
import type { Load } from './load.ts';
import type { Visits } from './visits.ts';

export type HttpLimits = Pick<
  LimitsConfig,
  | 'maxUrlBytes'
  | 'maxHeaderBytes'
  | 'maxBodyBytes'
  | 'maxControlBodyBytes'
  | 'headersTimeoutMs'
  | 'requestTimeoutMs'
  | 'answerTimeoutMs'
>;

export interface IntakeOptions {
  limits: HttpLimits;
  load: Load;
  /** Plain HTTP without. */
  certificates?: Certificates | undefined;
  /** `undefined` while no pages of other origins may use the API. */
  cors?: Cors | undefined;
  visits: Visits;
  /** Gets every request that belongs to an operation, or to none. */
  route: () => RequestListener;
}

/** The server of one port of a bridge. */
export function createHttpServer(options: IntakeOptions): HttpServer {
  const { limits, certificates, cors, load, visits } = options;
  return new HttpServer({
    limits: {
      maxUrlBytes: limits.maxUrlBytes,
      maxHeaderBytes: limits.maxHeaderBytes,
      headersTimeoutMs: limits.headersTimeoutMs,
      requestTimeoutMs: limits.requestTimeoutMs,
      bodyTimeoutMs: limits.requestTimeoutMs,
      responseTimeoutMs: () => limits.answerTimeoutMs,
    },
    certificates,
    checks: bridgeChecks(limits, load),
    serve: (arrival) => serve(arrival, options),
    refuse: (arrival, refusal) => refuse(arrival, refusal, options),
    cors: () => cors,
    onRefused: (refusal) => visits.count(statusOf(refusal)),
  });
}

function serve(arrival: Arrival, options: IntakeOptions): void {
  const { request, response, expectation } = arrival;
  const { limits, visits } = options;
  if (respondsForCors(arrival, options)) return;
  if (request.url === '*') {
    response.writeHead(204, { allow: `${API_METHODS},OPTIONS` }).end();
    visits.count(204);
    return;
  }
  // The client sends no body that would be refused unread. Unknown expectations are ignored.
  if (expectation === 'continue' && Number(request.headers['content-length'] ?? 0) <= limits.maxBodyBytes) {
    response.writeContinue();
  }
  options.route()(request, response);
}

function refuse(arrival: Arrival, refusal: Refusal, options: IntakeOptions): void {
  // A page of another origin may read the refusal, too.
  if (respondsForCors(arrival, options)) return;
  const { request, response } = arrival;
  const { operation } = parseUrl(request.method ?? 'GET', request.url ?? '/');
  const visit = options.visits.begin(operation, request, response);
  const body = refusalBody(refusal);
  const bytes = Buffer.byteLength(body);
  const headers: Record<string, string | number> = { ...refusalHeaders(refusal), 'content-length': bytes };
  if (statusOf(refusal) >= 500 && isFromGateway(visit.trust, request)) headers[FAULT_HEADER] = FAULT_OF_REQUEST;
  visit.watch?.responding(bytes);
  response.writeHead(statusOf(refusal), headers).end(body);
}

/** Responds to preflights and foreign origins, and returns true; sets the headers of every other response. */
function respondsForCors({ request, response }: Arrival, { cors, visits }: IntakeOptions): boolean {
  // The peer API sends no `Date`.
  response.sendDate = false;
  if (cors?.answers(request, response) !== true) return false;
  visits.count(response.statusCode);
  return true;
}
