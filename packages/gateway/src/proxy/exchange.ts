/** One request of a client, from its first byte to the end of its answer, over as many targets as it takes. */

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Readable } from 'node:stream';
import { KAFKA_V2 } from '@causeway/protocol/content-types.ts';
import { type ParsedUrl, parseUrl } from '@causeway/protocol/paths.ts';
import { GATEWAY_HEADER, parseHops } from '@causeway/protocol/routing.ts';
import { type Affinity, consumerKey } from '../consumers/affinity.ts';
import { assertNever, GatewayError, type GatewayErrorCode } from '../errors.ts';
import { canServe, hashText, type SelectionRequest, selectTarget } from '../regions/select.ts';
import type { RequestSettings, Snapshot } from '../regions/snapshot.ts';
import type { Target } from '../regions/target.ts';
import { NO_REGION, outcomeOfStatus, type RequestOutcome, type RequestStats } from '../stats.ts';
import { Attempt, type AttemptOwner } from './attempt.ts';
import { hasBody, readBody } from './body.ts';
import type { RetryBudget } from './budget.ts';
import {
  answerToRepeated,
  instanceInCreateAnswer,
  nameInCreateRequest,
  pollTimeoutMs,
  shortenPoll,
} from './consumer-requests.ts';
import { type Identity, requestHeaders, responseHeaders } from './headers.ts';
import { isFinal, isSurelyNotExecuted, isTargetsFault, type Outcome } from './outcome.ts';
import type { Peer, PeerRequest, Peers } from './peer.ts';
import { decide } from './retry.ts';
import type { TurnBatch } from './turn-batch.ts';

/** Above this, copying a body into the head's text costs more than a second write. */
const ONE_WRITE_BYTES = 16_384;

/** What all exchanges of a gateway share. */
export interface ExchangeContext {
  readonly regions: { readonly snapshot: Snapshot; suspect(target: Target): void };
  readonly affinity: Affinity;
  readonly budget: RetryBudget;
  readonly stats: RequestStats;
  readonly identity: Identity;
  /** Whose forwarding headers are believed. */
  readonly peers: Peers;
  /** Whole answers go out at the end of the turn in which they are ready. */
  readonly writes: TurnBatch;
  /** Stops taking connections: answers say so. */
  readonly isClosing: boolean;
  /** Milliseconds, never going back. */
  readonly now: () => number;
  readonly random: () => number;
}

export class Exchange implements AttemptOwner, PeerRequest, SelectionRequest {
  readonly #context: ExchangeContext;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #url: ParsedUrl;
  readonly #startMs: number;
  readonly #settings: RequestSettings;
  readonly #peer: Peer;
  readonly #tried: Target[] = [];
  readonly #failures: string[] = [];
  #path: string;
  #headers: string[] = [];
  #body: Buffer | Readable | undefined;
  #attempt: Attempt | undefined;
  #deadlineMs = 0;
  #mayHaveBeenExecuted = false;
  #isAnswerStarted = false;
  #isDone = false;
  // What `selectTarget` asks.
  consumerHash: number | undefined;
  home: Target | undefined;
  localOnly = false;
  readonly random: () => number;

  constructor(context: ExchangeContext, request: IncomingMessage, response: ServerResponse) {
    this.#context = context;
    this.#request = request;
    this.#response = response;
    this.#startMs = context.now();
    this.#settings = context.regions.snapshot.settings;
    this.random = context.random;
    this.#path = originForm(request.url ?? '/');
    this.#url = parseUrl(request.method ?? 'GET', this.#path);
    this.#peer = context.peers.of(request.socket);
  }

  start(): void {
    const { operation } = this.#url;
    this.#context.budget.requested(this.#startMs);
    this.localOnly = this.#peer.isTrusted && hasCrossedRegions(this.#request, this.#context.identity);
    this.#peer.requests.push(this);
    if (operation === 'healthy' || operation === 'ready') this.#answerForItself(operation);
    else if (!this.#path.startsWith('/')) this.onMalformed('the request target must be a path');
    else if (hasBody(this.#request)) this.#readBody();
    else this.#begin(undefined);
  }

  /** The gateway's own health. A peer gateway that asks is told about this region alone. */
  #answerForItself(operation: 'healthy' | 'ready'): void {
    const { regions, isClosing, identity } = this.#context;
    const askedByPeer = this.#peer.isTrusted && this.#request.headers[GATEWAY_HEADER] !== undefined;
    const onlyLocal = askedByPeer && identity.hop.region !== undefined;
    if (operation === 'ready' && isClosing) {
      this.#fail(new GatewayError('shuttingDown', `${this.#self} is shutting down.`));
    } else if (operation === 'ready' && !canServe(regions.snapshot, onlyLocal)) {
      const reasons = describeTargets(regions.snapshot, onlyLocal);
      this.#fail(new GatewayError('noRegionAvailable', `${this.#self} has no available target: ${reasons}.`));
    } else {
      this.#send(200, ['content-length', '0'], undefined);
      this.#finish(NO_REGION, '2xx');
    }
  }

  #readBody(): void {
    readBody(this.#request, this.#settings.request, {
      onBuffered: (body) => this.#begin(body),
      onStreamed: (body, lengthBytes) => {
        // Whatever ends the exchange ends the stream; its error has been told by then.
        body.on('error', () => {});
        this.#begin(body);
        if (lengthBytes !== undefined) this.#headers.push('content-length', String(lengthBytes));
      },
      onTooLarge: () => this.onBodyTooLarge(),
    });
  }

  #begin(body: Buffer | Readable | undefined): void {
    if (this.#isDone) return;
    this.#body = body;
    this.#headers = requestHeaders(this.#request.headers, this.#peer, this.#context.identity);
    const { request } = this.#settings;
    const isPoll = this.#url.operation === 'poll';
    const limitMs = isPoll ? pollTimeoutMs(this.#path) + request.pollMarginMs : request.deadlineMs;
    this.#deadlineMs = this.#context.now() + limitMs;
    this.#findHome();
    // A streamed body's length is pushed to the headers right after this call returns.
    if (body === undefined || Buffer.isBuffer(body)) this.#tryNext();
    else queueMicrotask(() => this.#tryNext());
  }

  #findHome(): void {
    const { group, instance, operation } = this.#url;
    if (group === undefined) return;
    const isCreate = operation === 'createConsumer';
    const name = isCreate ? nameInCreateRequest(Buffer.isBuffer(this.#body) ? this.#body : undefined) : instance;
    if (name === undefined) return;
    const key = consumerKey(group, name);
    this.consumerHash = hashText(key);
    if (!isCreate) this.home = this.#context.affinity.homeOf(key);
  }

  #tryNext(): void {
    if (this.#isDone) return;
    const target = selectTarget(this.#context.regions.snapshot, this, this.#tried);
    if (target === undefined) {
      this.#failWith('noRegionAvailable');
      return;
    }
    const { request, response } = this.#settings;
    const nowMs = this.#context.now();
    const leftMs = Math.max(1, this.#deadlineMs - nowMs);
    const isPoll = this.#url.operation === 'poll';
    const path = isPoll && this.#tried.length > 0 ? shortenPoll(this.#path, nowMs - this.#startMs) : this.#path;
    this.#tried.push(target);
    this.#attempt = new Attempt({
      target,
      request: { method: this.#request.method ?? 'GET', path, headers: this.#headers, body: this.#body },
      timeoutMs: isPoll ? leftMs : Math.min(leftMs, request.attemptTimeoutMs),
      holdBytes: response.bufferBytes,
      now: this.#context.now,
      owner: this,
    });
    this.#attempt.start();
  }

  onSettled(attempt: Attempt, outcome: Outcome): void {
    this.#judgeTarget(attempt.target, outcome);
    if (this.#isDone) return;
    if (outcome.kind !== 'answered') this.#failures.push(`region ${attempt.target.region}: ${reasonOf(outcome)}`);
    if (isFinal(outcome)) {
      this.#reply(attempt);
      return;
    }
    const { retry } = this.#settings;
    const decision = decide({
      outcome,
      operation: this.#url.operation,
      method: this.#request.method ?? 'GET',
      isBodyReplayable: this.#body === undefined || Buffer.isBuffer(this.#body),
      isAnswerStarted: this.#isAnswerStarted,
      attemptCount: this.#tried.length,
      maxAttempts: retry.maxAttempts,
      hasNextTarget: () => selectTarget(this.#context.regions.snapshot, this, this.#tried) !== undefined,
      isPastDeadline: () => this.#context.now() >= this.#deadlineMs,
      produce: retry.produce,
      takeFromBudget: () => this.#context.budget.take(retry),
    });
    switch (decision.action) {
      case 'retry':
        if (!isSurelyNotExecuted(outcome)) this.#mayHaveBeenExecuted = true;
        this.#context.stats.retried(outcome.kind === 'answered' ? `status_${outcome.status}` : outcome.kind);
        this.#tryNext();
        break;
      case 'reply':
        this.#reply(attempt);
        break;
      case 'fail':
        this.#failWith(decision.code);
        break;
      case 'destroy':
        this.#finish(attempt.target.region, 'gateway_error');
        this.#response.destroy();
        break;
      case 'drop':
        break;
      default:
        assertNever(decision);
    }
  }

  /** What the outcome says about the target, to its breaker and to its probes. */
  #judgeTarget(target: Target, outcome: Outcome): void {
    const { stats, regions } = this.#context;
    stats.attempted(target.region, outcome.kind);
    if (outcome.kind === 'clientGone') {
      target.breaker.abandoned();
    } else if (outcome.kind === 'answered') {
      // A 500 to a consumer's request speaks of that consumer ("not subscribed"), not of the target.
      const isConsumersFault = outcome.status === 500 && this.#url.instance !== undefined;
      if (outcome.status < 500 || isConsumersFault) target.breaker.succeeded();
      else target.breaker.failed(`answered ${outcome.status}`);
    } else {
      target.breaker.failed(outcome.reason);
      if (outcome.kind !== 'targetDown') regions.suspect(target);
    }
  }

  #reply(attempt: Attempt): void {
    const { status, target } = attempt;
    if (this.#isAnswerStarted) {
      this.#response.end();
      this.#finish(target.region, outcomeOfStatus(status));
      return;
    }
    const body = attempt.chunks.length === 1 ? (attempt.chunks[0] as Buffer) : Buffer.concat(attempt.chunks);
    const repeated = this.#mayHaveBeenExecuted ? this.#answerToRepeated(status) : undefined;
    this.#learnHome(target, repeated?.status ?? status, repeated?.body ?? body);
    if (repeated !== undefined) {
      const headers = repeated.body.length === 0 ? [] : ['content-type', KAFKA_V2];
      this.#sendBody(repeated.status, headers, repeated.body);
    } else {
      const headers = this.#responseHeaders(attempt);
      const declared = attempt.headers['content-length'];
      // An answer to HEAD has the length of what it leaves out (RFC 9110 §9.3.2).
      if (this.#request.method === 'HEAD' && typeof declared === 'string') headers.push('content-length', declared);
      if (this.#request.method === 'HEAD') this.#send(status, headers, undefined);
      else this.#sendBody(status, headers, body);
    }
    this.#finish(target.region, outcomeOfStatus(repeated?.status ?? status));
  }

  #answerToRepeated(status: number): ReturnType<typeof answerToRepeated> {
    const name = Buffer.isBuffer(this.#body) ? nameInCreateRequest(this.#body) : undefined;
    const forwardedProto = this.#peer.isTrusted ? this.#request.headers['x-forwarded-proto'] : undefined;
    const forwardedHost = this.#peer.isTrusted ? this.#request.headers['x-forwarded-host'] : undefined;
    const path = this.#path.split('?', 1)[0] ?? '';
    const origin = `${forwardedProto ?? 'http'}://${forwardedHost ?? this.#request.headers.host ?? ''}`;
    return answerToRepeated(this.#url.operation, status, { instance: name, baseUri: `${origin}${path}` });
  }

  /** A region that served a consumer is where it lives. */
  #learnHome(target: Target, status: number, body: Buffer): void {
    const { group, instance, operation } = this.#url;
    if (group === undefined || operation === 'unknown') return;
    const { affinity } = this.#context;
    if (operation === 'createConsumer') {
      const created = status === 200 ? instanceInCreateAnswer(body) : undefined;
      if (created !== undefined) affinity.remember(consumerKey(group, created), target);
      return;
    }
    if (instance === undefined) return;
    const key = consumerKey(group, instance);
    if (operation === 'deleteConsumer') affinity.forget(key);
    else if (status < 300 && this.home !== target) affinity.remember(key, target);
  }

  onStreamStart(attempt: Attempt): boolean {
    if (this.#isDone || isTargetsFault(attempt.status)) return false;
    this.#learnHome(attempt.target, attempt.status, Buffer.alloc(0));
    const { headers } = attempt;
    const length = headers['content-length'];
    const flat = this.#responseHeaders(attempt);
    if (typeof length === 'string') flat.push('content-length', length);
    this.#isAnswerStarted = true;
    this.#response.writeHead(attempt.status, flat);
    for (const chunk of attempt.chunks) this.#response.write(chunk);
    return true;
  }

  onStreamData(chunk: Buffer): boolean {
    const { isDone, response } = { isDone: this.#isDone, response: this.#response };
    if (isDone || response.write(chunk)) return true;
    response.once('drain', () => this.#attempt?.resume());
    return false;
  }

  onMalformed(reason: string): void {
    this.#fail(new GatewayError('malformedRequest', `The request cannot be passed on: ${reason}.`));
  }

  onBodyTooLarge(): void {
    const { maxBodyBytes } = this.#settings.request;
    this.#fail(new GatewayError('bodyTooLarge', `The request body is larger than ${maxBodyBytes} bytes.`));
  }

  #failWith(code: GatewayErrorCode): void {
    const { snapshot } = this.#context.regions;
    const what =
      this.#failures.length > 0
        ? this.#failures.join('; ')
        : describeTargets(snapshot, this.localOnly) || 'no region has weight';
    const message = {
      regionFailed: `No region answered this request: ${what}.`,
      deadlineExceeded: `No region answered this request in time: ${what}.`,
      noRegionAvailable: `No region can serve this request: ${what}.`,
      retryBudgetExhausted: `The request failed and the retry budget is used up: ${what}.`,
    }[code as 'regionFailed'];
    this.#fail(new GatewayError(code, message ?? what));
  }

  #fail(error: GatewayError): void {
    if (this.#isDone) return;
    const headers = ['content-type', KAFKA_V2];
    if (error.retryAfterSeconds !== undefined) headers.push('retry-after', String(error.retryAfterSeconds));
    // The rest of a body that is not wanted is not read: the connection cannot be used again.
    const isBodyUnread = !this.#request.complete;
    if (isBodyUnread) headers.push('connection', 'close');
    this.#sendBody(error.status, headers, Buffer.from(JSON.stringify(error.toBody())));
    if (isBodyUnread) this.#request.resume();
    const region = this.#tried.at(-1)?.region ?? NO_REGION;
    this.#finish(region, 'gateway_error');
  }

  #responseHeaders(attempt: Attempt): string[] {
    const isPeerGateway = this.#peer.isTrusted && this.#request.headers[GATEWAY_HEADER] !== undefined;
    return responseHeaders(attempt.headers, { isPeerGateway, identity: this.#context.identity });
  }

  #sendBody(status: number, headers: string[], body: Buffer): void {
    // A 204 has no length (RFC 9110 §8.6).
    if (status !== 204 && status !== 304) headers.push('content-length', String(body.length));
    this.#send(status, headers, body);
  }

  #send(status: number, headers: string[], body: Buffer | undefined): void {
    if (this.#context.isClosing && !headers.includes('connection')) headers.push('connection', 'close');
    this.#context.writes.add(() => this.#write(status, headers, body));
  }

  #write(status: number, headers: string[], body: Buffer | undefined): void {
    this.#response.writeHead(status, headers);
    // As text of one byte a character, a short body leaves in one write with its head; as bytes it would be two.
    if (body !== undefined && body.length <= ONE_WRITE_BYTES) this.#response.end(body.toString('latin1'), 'latin1');
    else this.#response.end(body);
  }

  onClientGone(): void {
    if (this.#isDone) return;
    this.#finish(this.#attempt?.target.region ?? NO_REGION, 'client_gone');
    this.#attempt?.abort({ kind: 'clientGone' });
    if (this.#body !== undefined && !Buffer.isBuffer(this.#body)) this.#body.destroy();
  }

  #finish(region: string, outcome: RequestOutcome): void {
    this.#isDone = true;
    const { requests } = this.#peer;
    if (requests.at(-1) === this) requests.pop();
    else if (requests.includes(this)) requests.splice(requests.indexOf(this), 1);
    const { stats, now } = this.#context;
    stats.record(region, this.#url.operation, outcome, now() - this.#startMs);
  }

  get #self(): string {
    const { region, name } = this.#context.identity.hop;
    return region === undefined ? `Gateway ${name}` : `Gateway ${name} of region ${region}`;
  }
}

function reasonOf(outcome: Exclude<Outcome, { kind: 'answered' }>): string {
  return outcome.kind === 'clientGone' ? 'the client went away' : outcome.reason;
}

/** Why each region cannot serve, in words, without addresses. */
function describeTargets(snapshot: Snapshot, localOnly: boolean): string {
  return snapshot.regions
    .filter((region) => !localOnly || region.isLocal)
    .map((region) => {
      if (region.weight === 0) return `region ${region.name} has weight 0`;
      const reasons = new Set(
        region.targets.map((target) =>
          target.breaker.state === 'open'
            ? 'its circuit breaker is open'
            : `${target.health.status} (${target.health.reason})`,
        ),
      );
      return `region ${region.name} is ${[...reasons].join(', ')}`;
    })
    .join('; ');
}

/** Whether another region's gateway has sent the request here: then it stays. */
function hasCrossedRegions(request: IncomingMessage, { hop }: Identity): boolean {
  if (hop.region === undefined) return false;
  const header = request.headers[GATEWAY_HEADER];
  if (header === undefined) return false;
  const text = Array.isArray(header) ? header.join(',') : header;
  return parseHops(text).some(({ region }) => region !== undefined && region !== hop.region);
}

/** The path and query of a request target in absolute form (RFC 9112 §3.2.2); anything else as it is. */
function originForm(target: string): string {
  if (target.startsWith('/')) return target;
  const match = /^https?:\/\/[^/?#]*(.*)$/i.exec(target);
  if (match === null) return target;
  const rest = match[1] ?? '';
  return rest.startsWith('/') ? rest : `/${rest}`;
}
