/** One request of a client, from its first byte to the end of its answer, over as many targets as it takes. */

import type { IncomingMessage, ServerResponse } from 'node:http';
import { clientAddress } from '@causeway/config/client-address.ts';
import type { Trust } from '@causeway/config/trust.ts';
import { peerOf } from '@causeway/http/connection.ts';
import { type Cors, REJECTED } from '@causeway/http/cors.ts';
import { probeHalfClosed } from '@causeway/http/half-closed.ts';
import type { HeldClient } from '@causeway/http/held-bytes.ts';
import { API_METHODS, type Refusal } from '@causeway/http/refusal.ts';
import { gatewayHeader, isFromGateway, trustOf } from '@causeway/http/trust.ts';
import type { Expectation } from '@causeway/http/turns.ts';
import { assertNever } from '@causeway/protocol/assert-never.ts';
import { KAFKA_V2 } from '@causeway/protocol/content-types.ts';
import { pollTimeoutMs } from '@causeway/protocol/parameters.ts';
import { type ParsedUrl, parseUrl } from '@causeway/protocol/paths.ts';
import { FAULT_HEADER, FAULT_OF_REQUEST, SUSPECT_HEADER } from '@causeway/protocol/routing.ts';
import { GatewayError } from '../errors.ts';
import type { ClientPeer, PeerRequest } from '../listen/peer.ts';
import { redirectedFrom } from '../regions/belonging.ts';
import { isKafkaUndecided, kafkaAnswersAt } from '../regions/kafka-outage.ts';
import { isHeldUpByLimit, type SelectionRequest, selectTarget } from '../regions/select.ts';
import type { RequestSettings } from '../regions/snapshot.ts';
import type { Target } from '../regions/target.ts';
import { NO_REGION, outcomeOfStatus, type RequestOutcome } from '../stats.ts';
import { Answer } from './answer.ts';
import { Attempt, type AttemptOwner } from './attempt.ts';
import { type BodyReceiver, bodyBytes, hasBody, readBody, type StreamedBody } from './body.ts';
import { MISDIRECTED, RequestedConsumer } from './consumer.ts';
import { shortenPoll } from './consumer-requests.ts';
import type { ExchangeContext } from './context.ts';
import { requestHeaders, responseHeaders } from './headers.ts';
import { examine, malformed } from './intake.ts';
import { kafkaWord } from './kafka-word.ts';
import { hasCrossedRegions } from './loops.ts';
import { isFinal, isSurelyNotExecuted, isTargetsFault, type Outcome } from './outcome.ts';
import {
  attemptFailure,
  bodyTooSlow,
  consumerMoving,
  type FailureCode,
  overloaded,
  requestFailure,
} from './own-answers.ts';
import type { RequestWatch } from './request-watch.ts';
import { type Decision, decide, isFaultOfKafka, MAX_LOSSES } from './retry.ts';
import { Suspicion } from './suspicion.ts';
import { judgeTarget } from './verdict.ts';

/** Between two looks at whether another target reaches Kafka. */
const KAFKA_LOOK_MS = 100;

export class Exchange implements AttemptOwner, BodyReceiver, HeldClient, PeerRequest, SelectionRequest {
  readonly #context: ExchangeContext;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #answer: Answer;
  readonly #url: ParsedUrl;
  readonly #startMs: number;
  readonly #settings: RequestSettings;
  readonly #peer: ClientPeer;
  readonly #trust: Trust;
  readonly #tried: Target[] = [];
  readonly #failures: string[] = [];
  readonly #watch: RequestWatch | undefined;
  #path: string;
  #headers: string[] = [];
  #body: Buffer | StreamedBody | undefined;
  #attempt: Attempt | undefined;
  #deadlineMs = 0;
  #mayHaveBeenExecuted = false;
  #consumer: RequestedConsumer | undefined;
  /** The last answer by which a target refused, in case that nobody does better. */
  #refusal: Attempt | undefined;
  /** Made when the first target is lost, or a gateway before this one has lost some. */
  #suspicion: Suspicion | undefined;
  #wasResent = false;
  /** When Kafka had not answered the request, as its target said. */
  #unansweredSinceMs = 0;
  #isDone = false;
  /** For pages of other origins, on every answer. */
  #corsHeaders: readonly string[] = [];
  #stopReading: (() => void) | undefined;
  /** Of the body and of answers, as {@link HeldBytes} counts them. */
  heldBytes = 0;
  // While its body arrives.
  pacedUntilMs = 0;
  // What `selectTarget` asks.
  consumerHash: number | undefined;
  home: Target | undefined;
  localOnly = false;
  helps: ((target: Target) => boolean) | undefined;
  readonly random: () => number;

  constructor(context: ExchangeContext, request: IncomingMessage, response: ServerResponse) {
    this.#context = context;
    this.#request = request;
    this.#response = response;
    this.#startMs = context.now();
    this.#settings = context.regions.snapshot.settings;
    this.random = context.random;
    this.#path = request.url ?? '/';
    this.#url = parseUrl(request.method ?? 'GET', this.#path);
    this.#peer = peerOf(request.socket);
    this.#trust = trustOf(context.trust, request);
    this.#watch = context.watcher?.begin({
      request,
      url: this.#url,
      path: this.#path,
      peer: this.#peer,
      trust: this.#trust,
      client: this.#client,
    });
    this.#answer = new Answer({ request, response, gateway: context, owner: this });
  }

  /** `expectation`: the client waits for a word before it sends its body; `refusal`: what is wrong with its head. */
  start(expectation?: Expectation, refusal?: Refusal): void {
    try {
      this.#start(expectation, refusal);
    } catch (error) {
      this.#crash(error);
    }
  }

  #start(expectation: Expectation | undefined, refusal: Refusal | undefined): void {
    const context = this.#context;
    context.budget.requested(this.#startMs);
    this.#peer.requests.push(this);
    this.localOnly = this.#trust === 'gateway' && hasCrossedRegions(this.#request.headers, context.identity);
    if (context.cors !== undefined && this.#answersForCors(context.cors)) return;
    const found = examine({
      request: this.#request,
      url: this.#url,
      path: this.#path,
      refusal,
      expectation,
      isFromGateway: this.#isFromGateway,
      gateway: context,
    });
    if (found === 'well') {
      this.#answer.send(200, this.#wordForProbe, Buffer.alloc(0), '0');
      this.#finish(NO_REGION, '2xx');
    } else if (found === 'methods') {
      this.#answer.send(204, ['allow', `${API_METHODS},OPTIONS`], Buffer.alloc(0));
      this.#finish(NO_REGION, '2xx');
    } else if (found !== 'passOn') {
      this.#fail(found, this.#wordForProbe);
    } else if (hasBody(this.#request)) {
      this.#readBody(expectation);
    } else {
      this.#begin(undefined);
    }
  }

  /** What a gateway that probes this one learns beside the status. */
  get #wordForProbe(): string[] {
    const isProbe = this.#url.operation === 'ready' && this.#isFromGateway;
    return isProbe ? kafkaWord(this.#context.regions.snapshot, this.#context.now()) : [];
  }

  /** A preflight, also while no region can be reached, and an origin that may not. */
  #answersForCors(cors: Cors): boolean {
    this.#corsHeaders = cors.headersFor(this.#request);
    switch (cors.decide(this.#request)) {
      case 'passOn':
        return false;
      case 'preflight':
        this.#answer.send(204, [...this.#corsHeaders, ...cors.preflightHeaders], Buffer.alloc(0));
        this.#finish(NO_REGION, '2xx');
        return true;
      case 'rejected':
        this.#fail(new GatewayError('originRejected', REJECTED));
        return true;
    }
  }

  #readBody(expectation: Expectation | undefined): void {
    const stop = readBody(this.#request, this.#settings.request, this);
    if (this.#isDone) stop();
    else this.#stopReading = stop;
    if (expectation === 'continue' && !this.#isDone) this.#response.writeContinue();
  }

  onBodyBytes(bytes: number, isLast: boolean): boolean {
    if (this.#isDone) return false;
    if (!this.onHeldBytes(bytes)) {
      this.#fail(overloaded());
      return false;
    }
    if (!isLast) this.#context.held.awaiting(this, bytes);
    return true;
  }

  onHeldBytes(bytes: number): boolean {
    if (!this.#context.held.take(bytes, this.heldBytes)) return false;
    this.heldBytes += bytes;
    return true;
  }

  onEvicted(): void {
    this.#fail(bodyTooSlow());
    this.#release();
  }

  #release(): void {
    this.#context.held.give(this.heldBytes);
    this.heldBytes = 0;
  }

  onBodyTaken(bytes: number): void {
    const takenBytes = Math.min(bytes, this.heldBytes);
    this.heldBytes -= takenBytes;
    this.#context.held.give(takenBytes);
  }

  onBuffered(body: Buffer): void {
    this.#begin(body);
  }

  onStreamed(body: StreamedBody): void {
    // Whatever ends the exchange ends the stream; its error has been told by then.
    body.stream.on('error', () => {});
    this.#begin(body);
  }

  #begin(body: Buffer | StreamedBody | undefined): void {
    if (this.pacedUntilMs > 0) this.#context.held.arrived(this);
    if (this.#isDone) return;
    try {
      this.#send(body);
    } catch (error) {
      this.#crash(error);
    }
  }

  #send(body: Buffer | StreamedBody | undefined): void {
    this.#body = body;
    this.#headers = requestHeaders(this.#request.headers, {
      peer: this.#peer,
      trust: this.#trust,
      identity: this.#context.identity,
    });
    const suspected = gatewayHeader(this.#trust, this.#request, SUSPECT_HEADER);
    if (suspected !== undefined) this.#suspicion = new Suspicion(suspected);
    const { request } = this.#settings;
    const isPoll = this.#url.operation === 'poll';
    // Its records must not go to a client that is gone.
    if (isPoll) probeHalfClosed(this.#response);
    const limitMs = isPoll ? pollTimeoutMs(this.#path) + request.pollMarginMs : request.deadlineMs;
    const nowMs = this.#context.now();
    this.#deadlineMs = nowMs + limitMs;
    if (this.#url.group !== undefined) this.#findHome(nowMs);
    this.#tryNext(nowMs);
  }

  #findHome(nowMs: number): void {
    const consumer = new RequestedConsumer({
      gateway: this.#context,
      url: this.#url,
      request: this.#request,
      body: this.#keptBody,
      trust: this.#trust,
      isFromGateway: this.#isFromGateway,
    });
    this.#consumer = consumer;
    this.consumerHash = consumer.hash;
    this.home = consumer.home?.target;
    consumer.moveIfDue(this, nowMs);
    consumer.addDelivered(this.#headers);
  }

  /** It can be sent again. One that is streamed can as long as no connection has taken of it. */
  get #isBodyKept(): boolean {
    return this.#body === undefined || Buffer.isBuffer(this.#body);
  }

  /** The body, if it was small enough to be kept. */
  get #keptBody(): Buffer | undefined {
    return Buffer.isBuffer(this.#body) ? this.#body : undefined;
  }

  /** `chosen`: where the consumer's owner is known to be. */
  #tryNext(nowMs: number, chosen?: Target, isFresh = false): void {
    if (this.#isDone) return;
    const target = chosen ?? selectTarget(this.#context.regions.snapshot, this, this.#tried);
    if (target === undefined) {
      this.#failWith(this.#isHeldUpByLimit ? 'overloaded' : 'noRegionAvailable');
      return;
    }
    const { request, response } = this.#settings;
    const leftMs = Math.max(1, this.#deadlineMs - nowMs);
    const isPoll = this.#url.operation === 'poll';
    const path = isPoll && this.#tried.length > 0 ? shortenPoll(this.#path, nowMs - this.#startMs) : this.#path;
    if (chosen === undefined) this.#tried.push(target);
    const consumersHeaders = this.#consumer?.headersAt(target, this.#headers) ?? this.#headers;
    const markedHeaders = this.#suspicion?.mark(consumersHeaders) ?? consumersHeaders;
    const headers = this.#watch?.attempting(target, markedHeaders) ?? markedHeaders;
    this.#attempt = new Attempt({
      target,
      request: { method: this.#request.method ?? 'GET', path, headers, body: this.#body },
      timeoutMs: isPoll ? leftMs : Math.min(leftMs, request.attemptTimeoutMs),
      isFresh,
      holdBytes: response.bufferBytes,
      now: this.#context.now,
      owner: this,
    });
    this.#attempt.start(nowMs);
  }

  onSettled(attempt: Attempt, outcome: Outcome): void {
    try {
      this.#goOn(attempt, outcome);
    } catch (error) {
      this.#crash(error);
    }
  }

  #goOn(attempt: Attempt, outcome: Outcome): void {
    judgeTarget(attempt, outcome, {
      isOfConsumer: this.#url.instance !== undefined,
      client: () => this.#client,
      gateway: this.#context,
    });
    this.#watch?.attempted(outcome);
    if (this.#isDone) return;
    if (isFinal(outcome)) {
      if (attempt.status !== MISDIRECTED || this.#consumer === undefined) this.#reply(attempt);
      else this.#follow(attempt, this.#consumer);
      return;
    }
    if (outcome.kind === 'answered') this.#refusal = attempt;
    this.#suspicion ??= new Suspicion(undefined);
    const nowMs = this.#context.now();
    this.#suspicion.ended(attempt, outcome, { nowMs, settings: this.#settings });
    this.#unansweredSinceMs = nowMs;
    this.#followUp(attempt, outcome);
  }

  /** What is done about an attempt that has no answer for the client. */
  #followUp(attempt: Attempt, outcome: Outcome): void {
    if (this.#isDone) return;
    const decision = this.#decide(attempt, outcome, () => this.#context.budget.take(this.#settings.retry));
    if (outcome.kind !== 'answered' && decision.action !== 'resend' && decision.action !== 'wait') {
      this.#failures.push(attemptFailure(attempt.target, outcome, { isBodyKept: this.#isBodyKept }));
    }
    switch (decision.action) {
      case 'resend':
        this.#wasResent = true;
        this.#mayHaveBeenExecuted = true;
        this.#tryNext(this.#context.now(), attempt.target, true);
        break;
      case 'wait':
        setTimeout(() => this.#lookAgain(attempt, outcome), KAFKA_LOOK_MS);
        break;
      case 'retry':
        if (!isSurelyNotExecuted(outcome)) this.#mayHaveBeenExecuted = true;
        this.#context.stats.retried(outcome.kind === 'answered' ? `status_${outcome.status}` : outcome.kind);
        this.#tryNext(this.#context.now());
        break;
      case 'reply':
        this.#reply(attempt);
        break;
      case 'fail':
        // What a region said is worth more than what became of the attempts after it.
        if (this.#refusal === undefined) this.#failWith(this.#failureCode(decision.code, outcome));
        else this.#reply(this.#refusal);
        break;
      case 'destroy':
        this.#finish(attempt.target.region, 'gateway_error');
        this.#answer.breakOff();
        break;
      case 'drop':
        break;
      default:
        assertNever(decision);
    }
  }

  /** Where the target that could not be reached is not the only one, and the others work to their limits. */
  #failureCode(code: FailureCode, outcome: Outcome): FailureCode {
    const isUnsent = code === 'regionFailed' && outcome.kind === 'connectFailed' && !this.#suspicion?.ownLossCount;
    return isUnsent && this.#isHeldUpByLimit ? 'overloaded' : code;
  }

  get #isHeldUpByLimit(): boolean {
    return isHeldUpByLimit(this.#context.regions.snapshot, this, this.#tried);
  }

  #lookAgain(attempt: Attempt, outcome: Outcome): void {
    try {
      this.#followUp(attempt, outcome);
    } catch (error) {
      this.#crash(error);
    }
  }

  /** The consumer's owner is another bridge. */
  #follow(attempt: Attempt, consumer: RequestedConsumer): void {
    const answer = consumer.follow(attempt, this, this.#tried);
    this.#context.stats.retried('misdirected');
    const nowMs = this.#context.now();
    if (answer.action === 'passUp') this.#reply(attempt);
    else if (answer.action === 'giveUp' || !this.#isBodyKept || nowMs >= this.#deadlineMs) this.#fail(consumerMoving());
    else this.#tryNext(nowMs, answer.action === 'goTo' ? answer.target : undefined);
  }

  /** The address of the client, as far as trusted proxies and gateways tell it. */
  get #client(): string {
    const { headers } = this.#request;
    return clientAddress(this.#context.trust, { peerAddress: this.#peer.address, trust: this.#trust, headers });
  }

  get #isFromGateway(): boolean {
    return isFromGateway(this.#trust, this.#request);
  }

  #decide({ target }: Attempt, outcome: Outcome, takeFromBudget: () => boolean): Decision {
    const { retry } = this.#settings;
    const { regions, now } = this.#context;
    this.helps = isFaultOfKafka(outcome) ? (other) => kafkaAnswersAt(target, other, now()) === 'answers' : undefined;
    return decide({
      outcome,
      operation: this.#url.operation,
      method: this.#request.method ?? 'GET',
      isBodyReplayable: this.#isBodyKept || outcome.kind === 'connectFailed',
      isAnswerStarted: this.#answer.isStreaming,
      attemptCount: this.#tried.length,
      maxAttempts: retry.maxAttempts,
      hasNextTarget: () => selectTarget(regions.snapshot, this, this.#tried) !== undefined,
      targetAnswersProbes: target.answersProbes,
      isOfConsumer: this.#url.instance !== undefined,
      lossCount: this.#suspicion?.lossCount ?? 0,
      wasResent: this.#wasResent,
      isKafkaUndecided: () =>
        isKafkaUndecided(regions.snapshot, target, {
          request: this,
          sinceMs: this.#unansweredSinceMs,
          nowMs: now(),
        }),
      isPastDeadline: () => this.#context.now() >= this.#deadlineMs,
      produce: retry.produce,
      takeFromBudget,
    });
  }

  mayMove(attempt: Attempt, outcome: Outcome): boolean {
    if (this.#decide(attempt, outcome, () => true).action !== 'retry') return false;
    return selectTarget(this.#context.regions.snapshot, this, this.#tried)?.isAvailable === true;
  }

  #reply(attempt: Attempt): void {
    const { status, target } = attempt;
    if (this.#answer.isStreaming) {
      this.#answer.endStream();
      this.#finishAnswered(target, status);
      return;
    }
    if (attempt.isCut) {
      const body = { error_code: status, message: `Region ${target.region} answered ${status}.` };
      this.#answer.send(status, ['content-type', KAFKA_V2, ...this.#corsHeaders], Buffer.from(JSON.stringify(body)));
      this.#finishAnswered(target, status);
      return;
    }
    const body = attempt.chunks.length === 1 ? (attempt.chunks[0] as Buffer) : Buffer.concat(attempt.chunks);
    this.#consumer?.watchDelivery(attempt, this.#response);
    const repeated = this.#mayHaveBeenExecuted ? this.#consumer?.answerToRepeated(status) : undefined;
    this.#consumer?.learn(attempt, this, { status: repeated?.status ?? status, body: repeated?.body ?? body });
    if (repeated !== undefined) {
      const headers = [...this.#corsHeaders, ...(repeated.body.length === 0 ? [] : ['content-type', KAFKA_V2])];
      this.#answer.send(repeated.status, headers, repeated.body);
    } else {
      const declared = attempt.headers['content-length'];
      const length = typeof declared === 'string' ? declared : undefined;
      this.#answer.send(status, this.#responseHeaders(attempt), body, length);
    }
    this.#finishAnswered(target, repeated?.status ?? status);
  }

  onStreamStart(attempt: Attempt): boolean {
    if (this.#isDone || isTargetsFault(attempt.status)) return false;
    this.#consumer?.learn(attempt, this, { status: attempt.status, body: Buffer.alloc(0) });
    this.#consumer?.watchDelivery(attempt, this.#response);
    const headers = this.#responseHeaders(attempt);
    const length = attempt.headers['content-length'];
    if (typeof length === 'string') headers.push('content-length', length);
    this.#answer.startStream(attempt.status, headers, attempt.chunks);
    this.#giveWhenRead();
    return true;
  }

  onStreamData(chunk: Buffer): boolean {
    return this.#answer.writeChunk(chunk, () => this.#attempt?.resume());
  }

  onClientStalled(attempt: Attempt): void {
    if (!this.#answer.isStreaming) {
      this.#fail(new GatewayError('requestTimeout', 'The request body did not arrive in time.'));
    } else if (!this.#isDone) {
      this.#finish(attempt.target.region, 'client_gone');
      this.#answer.breakOff();
    }
    this.#abandon(attempt);
  }

  onMalformed(reason: string): void {
    this.#fail(malformed(reason));
  }

  onBodyTooLarge(): void {
    const { maxBodyBytes } = this.#settings.request;
    this.#fail(new GatewayError('bodyTooLarge', `The request body is larger than ${maxBodyBytes} bytes.`));
  }

  #failWith(code: FailureCode): void {
    const { snapshot } = this.#context.regions;
    this.#fail(requestFailure(code, { failures: this.#failures, snapshot, localOnly: this.localOnly }));
  }

  #fail(error: GatewayError, moreHeaders: readonly string[] = []): void {
    if (this.#isDone) return;
    this.#stopReading?.();
    if (this.pacedUntilMs > 0) this.#context.held.arrived(this);
    const headers = ['content-type', KAFKA_V2, ...this.#corsHeaders, ...moreHeaders];
    if (error.retryAfterSeconds !== undefined) headers.push('retry-after', String(error.retryAfterSeconds));
    if (this.#isFromGateway) this.#tellGateway(error, headers);
    if (error.allow !== undefined) headers.push('allow', error.allow);
    const body = Buffer.from(JSON.stringify(error.toBody()));
    this.#answer.send(error.status, headers, body, String(body.length));
    this.#finish(this.#tried.at(-1)?.region ?? NO_REGION, 'gateway_error');
  }

  /** What the gateway before this one is to make of an error: where the request is at fault, it goes nowhere else. */
  #tellGateway(error: GatewayError, headers: string[]): void {
    const { lossCount = 0, ownLossCount = 0 } = this.#suspicion ?? {};
    if (error.isOfRequest || lossCount >= MAX_LOSSES) headers.push(FAULT_HEADER, FAULT_OF_REQUEST);
    if (ownLossCount > 0) headers.push(SUSPECT_HEADER, String(ownLossCount));
  }

  onFault(error: unknown): void {
    this.#crash(error);
  }

  /** A bug: the client is told, and nobody else notices. */
  #crash(error: unknown): void {
    this.#context.onFault(error);
    this.#fail(new GatewayError('internal', 'The gateway failed at this request; its log says how.'));
    if (this.#attempt !== undefined) this.#abandon(this.#attempt);
  }

  #responseHeaders(attempt: Attempt): string[] {
    const headers = responseHeaders(attempt.headers, {
      isPeerGateway: this.#isFromGateway,
      identity: this.#context.identity,
    });
    // A bridge that has a word on it itself is not contradicted.
    if (this.#corsHeaders.length > 0 && attempt.headers['access-control-allow-origin'] === undefined) {
      headers.push(...this.#corsHeaders);
    }
    return headers;
  }

  onClientGone(): void {
    if (this.#isDone) return;
    this.#finish(this.#attempt?.target.region ?? NO_REGION, 'client_gone');
    if (this.#attempt !== undefined) this.#abandon(this.#attempt);
    this.#stopReading?.();
    if (this.pacedUntilMs > 0) this.#context.held.arrived(this);
    this.#release();
  }

  /** Nobody waits for the attempt any more. */
  #abandon(attempt: Attempt): void {
    attempt.abort({ kind: 'clientGone' });
    if (this.#body !== undefined && !Buffer.isBuffer(this.#body)) this.#body.stream.destroy();
  }

  #finishAnswered(target: Target, status: number): void {
    const bucket = this.#finish(target.region, outcomeOfStatus(status));
    // How long a poll takes is what its client asked for.
    if (this.#url.operation !== 'poll') target.traffic.took(bucket);
    const { snapshot } = this.#context.regions;
    if (snapshot.isWhole && this.#tried.length < 2) return;
    const from = redirectedFrom(snapshot, this, { tried: this.#tried, servedBy: target.region });
    if (from !== undefined) this.#context.stats.redirected(from, target.region);
  }

  /** The index of the duration's bucket. */
  #finish(region: string, outcome: RequestOutcome): number {
    this.#isDone = true;
    const { stats, now } = this.#context;
    if (outcome === 'gateway_error' || outcome === 'client_gone') this.#consumer?.onUnanswered();
    const bucket = stats.record(region, this.#url.operation, outcome, now() - this.#startMs);
    this.#watch?.finished({
      region,
      outcome,
      status: this.#answer.status,
      receivedBytes: bodyBytes(this.#body),
      sentBytes: this.#answer.sentBytes,
    });
    return bucket;
  }

  /** The connection is free for the next one. */
  onAnswerEnded(): void {
    this.#giveWhenRead();
    const { requests } = this.#peer;
    if (requests.at(-1) === this) requests.pop();
    else if (requests.includes(this)) requests.splice(requests.indexOf(this), 1);
  }

  /** The request is not sent again: what is held for it goes with what the client reads of its answer. */
  #giveWhenRead(): void {
    const bytes = this.heldBytes;
    this.heldBytes = 0;
    if (bytes > 0) this.#context.held.giveWhenRead(this.#response, bytes);
  }
}
