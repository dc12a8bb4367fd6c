/** The audit of the admin API: each change has one event and log line; refused requests are counted, and reported once a minute. */
import type { IncomingMessage } from 'node:http';
import { clientAddress } from '@causeway/config/client-address.ts';
import { plainAddress, UNKNOWN_ADDRESS } from '@causeway/config/networks.ts';
import { ReportPaces } from '@causeway/config/report-pace.ts';
import type { TrustPolicy } from '@causeway/config/trust.ts';
import { ASKED_BY_HEADER } from '@causeway/protocol/routing.ts';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { GatewayError, type GatewayErrorCode } from '../errors.ts';
import type { EventLog } from '../events.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The route has a method of changes, and changes nothing. */
    changesNothing?: boolean;
  }
  interface FastifyRequest {
    /** What the request changes, in words; set by the route. Default: the name of the operation. */
    change: string | undefined;
    /** Why the request failed. */
    failure: string | undefined;
    /** It has its line. */
    isInAudit: boolean;
    /** The address of the client: what a proxy of `trust.proxies` says counts. */
    sender: string;
  }
}

/** Why a request is refused before its route sees it. */
const REFUSALS = {
  unauthorized: 'no_token',
  tokenUnknown: 'unknown_token',
  notPermitted: 'viewer',
  changesOff: 'no_tokens_configured',
  crossSite: 'cross_site',
  hostNotAllowed: 'host',
} as const satisfies Partial<Record<GatewayErrorCode, string>>;
export type RefusalReason = (typeof REFUSALS)[keyof typeof REFUSALS];

/** As nginx logs a client that did not wait for its response. */
const CLIENT_LEFT = 499;
const ABANDONED = 'the client did not wait for the response: the change may have been made';
/** Paths and headers of clients can be long. */
const MAX_TEXT_LENGTH = 200;

export interface AuditOptions {
  events: EventLog;
  /** As configured now. */
  trust: () => TrustPolicy;
  /** Milliseconds, never going back. */
  now: () => number;
}

export class Audit {
  readonly counts = {
    changes: { done: 0, failed: 0 },
    refusals: Object.fromEntries(Object.values(REFUSALS).map((reason) => [reason, 0])) as Record<RefusalReason, number>,
  };
  readonly #options: AuditOptions;
  readonly #paces = new ReportPaces<RefusalReason>();

  constructor(options: AuditOptions) {
    this.#options = options;
  }

  /** Must be called before the hooks that refuse requests, and before routes are added. */
  addTo(app: FastifyInstance): void {
    app.decorateRequest('change', undefined);
    app.decorateRequest('failure', undefined);
    app.decorateRequest('isInAudit', false);
    app.decorateRequest('sender', UNKNOWN_ADDRESS);
    app.addHook('onRequest', async (request) => {
      request.sender = this.#senderOf(request.raw);
    });
    app.addHook('onError', async (request, _, error) => {
      request.failure = error.message;
      if (error instanceof GatewayError && error.code in REFUSALS) this.#refused(request, error);
    });
    // Before the response is sent: a client that has it finds the line.
    app.addHook('onSend', async (request, reply) => {
      if (isAudited(request)) this.#changed(request, reply.statusCode);
    });
    // A relay has no response then, and the region has made the change all the same.
    app.addHook('onRequestAbort', async (request) => {
      if (!isAudited(request) || request.change === undefined) return;
      request.failure = ABANDONED;
      this.#changed(request, CLIENT_LEFT);
    });
  }

  #senderOf({ socket, headers }: IncomingMessage): string {
    const policy = this.#options.trust();
    const address = plainAddress(socket.remoteAddress);
    // A peer of this port shows a token, and no secret.
    const trust = policy.of({ address }, undefined, false);
    return clientAddress(policy, { peerAddress: address, trust, headers });
  }

  #changed(request: FastifyRequest, status: number): void {
    if (request.isInAudit) return;
    request.isInAudit = true;
    const { caller, change, failure = null } = request;
    const isDone = status < 400;
    this.counts.changes[isDone ? 'done' : 'failed'] += 1;
    this.#options.events.emit({
      type: 'audit',
      who: caller?.name ?? 'unknown',
      what: change ?? operationOf(request),
      request: requestLine(request),
      address: request.sender,
      askedBy: askedBy(request) ?? null,
      status,
      reason: isDone ? null : failure,
    });
  }

  #refused(request: FastifyRequest, { code, message, status }: GatewayError): void {
    const reason = REFUSALS[code as keyof typeof REFUSALS];
    this.counts.refusals[reason] += 1;
    // The page asks like that before its operator enters a token.
    if (reason === 'no_token' && isReading(request)) return;
    const requestCount = this.#paces.count(reason, this.#options.now());
    if (requestCount === undefined) return;
    this.#options.events.emit({
      type: 'accessRefused',
      who: request.caller?.name ?? null,
      request: requestLine(request),
      address: request.sender,
      requestCount,
      status,
      reason: message,
    });
  }
}

/** Who asked the gateway that relayed a request, as that gateway says; `undefined` for requests that no gateway relayed. */
export function askedBy({ caller, headers }: Pick<FastifyRequest, 'caller' | 'headers'>): string | undefined {
  const said = headers[ASKED_BY_HEADER];
  // The token of an operator makes it credible: gateways show one.
  return caller?.role === 'operator' && typeof said === 'string' ? printable(said) : undefined;
}

/** The value of {@link ASKED_BY_HEADER} that this gateway, `self`, sends with a request that it relays. */
export function describeAsker(request: FastifyRequest, self: string): string {
  const said = askedBy(request);
  // Its own caller comes first: an operator who sends this header cannot hide behind it.
  const asker = `${request.caller?.name ?? 'no token'} at ${request.sender}`;
  return printable(`${asker}${said === undefined ? '' : ` (for ${said})`} through ${self}`);
}

function isReading({ method }: FastifyRequest): boolean {
  return method === 'GET' || method === 'HEAD';
}

/** Requests that `Access` admitted as changes. */
function isAudited(request: FastifyRequest): boolean {
  const { caller, routeOptions } = request;
  if (isReading(request) || routeOptions.url === undefined) return false;
  return caller?.role === 'operator' && routeOptions.config.changesNothing !== true;
}

function operationOf({ routeOptions, params }: FastifyRequest): string {
  const { operationId = 'relay' } = routeOptions.schema ?? {};
  const { region = '' } = (params ?? {}) as { region?: string };
  return printable(`${operationId} ${region}`.trim());
}

function requestLine({ method, url }: FastifyRequest): string {
  return printable(`${method} ${url.split('?', 1)[0]}`);
}

/** Without control characters, which would break lines of logs and terminals. */
function printable(text: string): string {
  return text.replaceAll(/[^\x20-\x7e]/g, '?').slice(0, MAX_TEXT_LENGTH);
}
