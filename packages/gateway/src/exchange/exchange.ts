/**
 * One request of a client, from its first byte to the end of its response: `intake.ts` takes it in, `attempt-loop.ts` sends it to
 * targets, `client-response.ts` responds. This file receives the events that move it from one to the next, and ends it.
 */
import { probeHalfClosed } from '@causeway/http/half-closed.ts';
import type { RequestMessage, ResponseMessage } from '@causeway/http/message.ts';
import { takenBytesOf } from '@causeway/http/reading-timeouts.ts';
import type { Refusal } from '@causeway/http/refusal.ts';
import type { Expectation } from '@causeway/http/turns.ts';
import { outcomeOfStatus } from '@causeway/metrics/request-outcome.ts';
import { assertNever } from '@causeway/protocol/assert-never.ts';
import type { ClusterWait } from '../clusters/cluster-waits.ts';
import { GatewayError } from '../errors.ts';
import { redirectedFrom } from '../regions/belonging.ts';
import type { Target } from '../regions/target.ts';
import { type ExchangeOutcome, NO_REGION } from '../stats.ts';
import type { Admission } from './admission.ts';
import { applyVerdict } from './apply-verdict.ts';
import { Attempt, type AttemptOwner } from './attempt.ts';
import { AttemptLoop, type Ending, PAUSE } from './attempt-loop.ts';
import { type BodyReceiver, type BytesKept, bodyBytes, hasBody, readBody, type StreamedBody } from './body.ts';
import { type PeerRequest, unwatchClient, watchClient } from './client-peer.ts';
import { ClientRequest } from './client-request.ts';
import { ClientResponse } from './client-response.ts';
import type { ExchangeContext } from './context.ts';
import { isEnforced } from './enforcement.ts';
import { HeldShare } from './held-share.ts';
import { takeIn } from './intake.ts';
import { type DecidedOutcome, isTargetsFault, type Outcome, type RequestFault } from './outcome.ts';
import { bodyTooSlow, errorOfRequest, overloaded } from './own-errors.ts';
import type { RequestWatch } from './request-watch.ts';

/** Time between two decisions while it is unknown whether another target reaches Kafka. */
const PAUSE_MS = 100;

export class Exchange implements AttemptOwner, BodyReceiver, PeerRequest {
  readonly #context: ExchangeContext;
  readonly #request: ClientRequest;
  readonly #http: ResponseMessage;
  readonly #response: ClientResponse;
  readonly #held: HeldShare;
  readonly #watch: RequestWatch | undefined;
  #body: Buffer | StreamedBody | undefined;
  #stopReading: (() => void) | undefined;
  #loop: AttemptLoop | undefined;
  #attempt: Attempt | undefined;
  /** It waits for a Kafka cluster. */
  #wait: ClusterWait | undefined;
  #isDone = false;
  /** Of a body that is kept. */
  #arrivedBytes = 0;
  #paidBytes = 0;
  /** Of a streamed response, as the last look at its client found them. */
  #takenBytes = -1;

  constructor(context: ExchangeContext, message: RequestMessage, response: ResponseMessage) {
    this.#context = context;
    this.#http = response;
    const request = new ClientRequest(message, context);
    this.#request = request;
    this.#response = new ClientResponse({ context, request, response, owner: this });
    this.#held = new HeldShare(context.held, this);
    this.#watch = context.watcher?.begin(request);
  }

  /** `expectation`: of the client, before it sends its body; `refusal`: why the head is not acceptable. */
  start(expectation?: Expectation, refusal?: Refusal): void {
    try {
      this.#takeIn(expectation, refusal);
    } catch (error) {
      this.onBug(error);
    }
  }

  #takeIn(expectation: Expectation | undefined, refusal: Refusal | undefined): void {
    const context = this.#context;
    const { message, peer } = this.#request;
    watchClient(this, this.#http, peer);
    this.#response.addCorsHeaders(message);
    const intake = takeIn(this.#request, { context, refusal, expectation });
    switch (intake.kind) {
      case 'respond':
        this.#response.sendEmpty(intake.status, intake.headers);
        this.#finish(NO_REGION, '2xx');
        break;
      case 'fail':
        this.#fail(intake.error, intake.headers);
        break;
      case 'passOn':
        this.#admit(expectation);
        break;
    }
  }

  /** Asks the gatekeeper, if there is one, before the body is read. */
  #admit(expectation: Expectation | undefined): void {
    const admission = this.#context.gatekeeper?.admit(this.#request);
    if (admission === undefined) {
      this.#receive(expectation);
    } else if (admission instanceof Promise) {
      admission.then(
        (decided) => this.#onAdmission(decided, expectation),
        (error: unknown) => this.onBug(error),
      );
    } else {
      this.#onAdmission(admission, expectation);
    }
  }

  #onAdmission(admission: Admission, expectation: Expectation | undefined): void {
    // The client left meanwhile.
    if (this.#isDone) {
      if (admission.kind === 'admitted') admission.usage?.end();
      return;
    }
    try {
      if (admission.kind === 'refused') {
        if (admission.endsConnection === true) this.#http.shouldKeepAlive = false;
        this.#fail(admission.error, admission.headers);
        return;
      }
      this.#request.admitted = admission;
      this.#response.addQuotaHeaders(admission.responseHeaders);
      this.#receive(expectation);
    } catch (error) {
      this.onBug(error);
    }
  }

  #receive(expectation: Expectation | undefined): void {
    this.#context.budget.requested(this.#request.startMs);
    if (hasBody(this.#request.message)) this.#readBody(expectation);
    else this.#send(undefined);
  }

  #readBody(expectation: Expectation | undefined): void {
    const { message, settings } = this.#request;
    const stop = readBody(message, settings.request, this);
    if (this.#isDone) stop();
    else this.#stopReading = stop;
    if (expectation === 'continue' && !this.#isDone) this.#http.writeContinue();
  }

  onBodyBytes(bytes: number, isLast: boolean): BytesKept {
    if (this.#isDone) return 'dropped';
    this.#arrivedBytes += bytes;
    if (this.#held.take(bytes)) {
      if (!isLast) this.#held.awaitMore(bytes);
      return 'kept';
    }
    // What large bodies leave free is enough to stream one.
    if (this.#context.held.hasRoomFor(bytes)) return this.#isDone ? 'dropped' : 'streamed';
    this.#fail(overloaded());
    return 'dropped';
  }

  onBodyStreaming(): void {
    this.#pay();
  }

  onBodyTaken(bytes: number): void {
    this.#held.give(bytes);
  }

  onBodyTooLarge(): void {
    this.#fail(errorOfRequest({ kind: 'bodyTooLarge' }, this.#request.settings));
  }

  onBuffered(body: Buffer): void {
    this.#send(body);
  }

  onStreamed(body: StreamedBody): void {
    // The stream ends with the exchange, which has reported the error by then.
    body.stream.on('error', () => {});
    this.#send(body);
  }

  onEvicted(): void {
    this.#fail(bodyTooSlow());
    this.#held.release();
  }

  /** Starts the first attempt; a consumer's request after the response before it, whose delivery it confirms. */
  #send(body: Buffer | StreamedBody | undefined): void {
    this.#held.stopAwaiting();
    if (this.#isDone) return;
    this.#body = body;
    const { url, isFromGateway, principal } = this.#request;
    const { group, instance } = url;
    if (group !== undefined && instance !== undefined && !isFromGateway) {
      const begin = (): void => this.#begin(body);
      if (this.#context.deliveries.awaitDeparture({ group, instance, principal: principal?.name }, begin)) return;
    }
    this.#begin(body);
  }

  #begin(body: Buffer | StreamedBody | undefined): void {
    if (this.#isDone) return;
    try {
      const context = this.#context;
      const request = this.#request;
      // The records of a poll must not go to a client that is gone.
      if (request.url.operation === 'poll') probeHalfClosed(this.#http);
      const nowMs = context.now();
      this.#loop = new AttemptLoop({ context, request, body, watch: this.#watch, owner: this }, nowMs);
    } catch (error) {
      this.onBug(error);
    }
    this.#advance();
  }

  /** Resumes the loop, starts what it waits for next, or ends the exchange. */
  #advance(): void {
    const loop = this.#loop;
    if (this.#isDone || loop === undefined) return;
    try {
      const step = loop.steps.next();
      if (step.done === true) {
        this.#end(step.value, loop);
      } else if (step.value === PAUSE) {
        setTimeout(() => this.#advance(), PAUSE_MS);
      } else if (step.value instanceof Attempt) {
        this.#attempt = step.value;
        step.value.start();
      } else {
        this.#awaitCluster(step.value);
      }
    } catch (error) {
      this.onBug(error);
    }
  }

  #awaitCluster(wait: ClusterWait): void {
    const { clusterWaits, regions } = this.#context;
    this.#attempt = undefined;
    this.#wait = wait;
    // The wait ends with the client, also where it has only ended its side.
    probeHalfClosed(this.#http);
    clusterWaits.add(wait, regions.snapshot.clusters?.maxWaiting ?? 0, () => {
      this.#wait = undefined;
      this.#advance();
    });
  }

  onSettled(attempt: Attempt): void {
    const outcome = attempt.outcome as Outcome;
    try {
      applyVerdict(attempt, outcome, { request: this.#request, context: this.#context });
      this.#watch?.attempted(outcome);
    } catch (error) {
      this.onBug(error);
    }
    this.#advance();
  }

  mayMove(attempt: Attempt, outcome: DecidedOutcome): boolean {
    try {
      return this.#loop?.mayMove(attempt, outcome) === true;
    } catch (error) {
      this.onBug(error);
      return false;
    }
  }

  #end(ending: Ending, loop: AttemptLoop): void {
    switch (ending.kind) {
      case 'respond': {
        const { attempt } = ending;
        this.#finishWithResponse(loop, attempt.target, this.#response.send(attempt, loop));
        break;
      }
      case 'fail':
        this.#fail(ending.error);
        break;
      case 'destroy':
        this.#breakOff(ending.attempt.target, 'gatewayError');
        break;
      default:
        assertNever(ending);
    }
  }

  onHeldBytes(bytes: number): boolean {
    return this.#held.take(bytes);
  }

  awaitRoom(bytes: number, onEnd: (hasRoom: boolean) => void): () => void {
    return this.#held.takeInTurn(bytes, onEnd);
  }

  onDroppedBytes(bytes: number): void {
    this.#held.give(bytes);
  }

  get isResponseStarted(): boolean {
    return this.#response.isStreaming;
  }

  onStreamStart(attempt: Attempt): boolean {
    const loop = this.#loop;
    if (this.#isDone || loop === undefined || isTargetsFault(attempt.status)) return false;
    if (!isEnforced(this.#request, attempt)) return false;
    this.#response.startStream(attempt, loop);
    this.#held.giveWhenRead(this.#http);
    return true;
  }

  onStreamData(chunk: Buffer): boolean {
    this.#pay();
    return this.#response.writeChunk(chunk, () => this.#attempt?.resume());
  }

  isClientReading(): boolean {
    const outlet = this.#http.outlet ?? this.#http.socket;
    const takenBytes = outlet === null ? this.#takenBytes : takenBytesOf(outlet);
    const isReading = takenBytes !== this.#takenBytes;
    this.#takenBytes = takenBytes;
    return isReading;
  }

  onRequestFault(attempt: Attempt, fault: RequestFault): void {
    if (fault.kind === 'stalled' && this.isResponseStarted) this.#breakOff(attempt.target, 'clientGone');
    else this.#fail(errorOfRequest(fault, this.#request.settings));
    this.#abandon(attempt);
  }

  /** Responds 500 and reports the error to the operator; other requests are not affected. */
  onBug(error: unknown): void {
    this.#context.onFault(error);
    this.#fail(new GatewayError('internal', 'The gateway failed at this request; its log says how.'));
    if (this.#attempt !== undefined) this.#abandon(this.#attempt);
  }

  onClientGone(): void {
    if (this.#isDone) return;
    this.#finishWithoutResponse(this.#attempt?.target.region, 'clientGone');
    if (this.#wait !== undefined) this.#context.clusterWaits.remove(this.#wait);
    if (this.#attempt !== undefined) this.#abandon(this.#attempt);
    this.#stopReading?.();
    this.#held.stopAwaiting();
    this.#held.release();
  }

  #fail(error: GatewayError, headers?: readonly string[]): void {
    if (this.#isDone) return;
    this.#stopReading?.();
    this.#held.stopAwaiting();
    this.#response.sendError(error, { losses: this.#loop, headers });
    // A client can cause the others by itself.
    const outcome = error.status >= 500 ? 'gatewayError' : outcomeOfStatus(error.status);
    this.#finishWithoutResponse(this.#loop?.tried.at(-1)?.region, outcome);
  }

  /** Ends a response of which the client has a part only. */
  #breakOff({ region }: Target, outcome: ExchangeOutcome): void {
    if (this.#isDone) return;
    this.#finishWithoutResponse(region, outcome);
    this.#response.breakOff();
  }

  /** Ends an attempt for which no client waits. */
  #abandon(attempt: Attempt): void {
    attempt.abort({ kind: 'clientGone' });
    if (this.#body !== undefined && !Buffer.isBuffer(this.#body)) this.#body.stream.destroy();
  }

  #finishWithResponse(loop: AttemptLoop, target: Target, status: number): void {
    const bucket = this.#finish(target.region, outcomeOfStatus(status));
    // The client chooses how long a poll takes.
    if (this.#request.url.operation !== 'poll') target.traffic.took(bucket);
    const { snapshot } = this.#context.regions;
    const { tried } = loop;
    if (snapshot.isWhole && tried.length < 2) return;
    const from = redirectedFrom(snapshot, loop, { tried, servedBy: target.region });
    if (from !== undefined) this.#context.stats.redirected(from, target.region);
  }

  /** Counts an exchange whose client got no whole response of a target. */
  #finishWithoutResponse(region: string | undefined, outcome: ExchangeOutcome): void {
    this.#loop?.owned?.onNoResponse();
    this.#finish(region ?? NO_REGION, outcome);
  }

  /** Counts the exchange; returns the index of its duration's bucket. */
  #finish(region: string, outcome: ExchangeOutcome): number {
    this.#isDone = true;
    const { stats, now } = this.#context;
    const { url, startMs } = this.#request;
    const bucket = stats.record(region, url.operation, outcome, now() - startMs);
    const { principal, admitted } = this.#request;
    if (principal !== undefined) stats.ofPrincipal(principal.name, outcome);
    this.#pay();
    admitted?.usage?.end();
    this.#watch?.finished({
      region,
      outcome,
      status: this.#response.status,
      receivedBytes: bodyBytes(this.#body),
      sentBytes: this.#response.sentBytes,
    });
    return bucket;
  }

  /** Counts the bytes of both bodies that moved since the last time. */
  #pay(): void {
    const usage = this.#request.admitted?.usage;
    if (usage === undefined) return;
    // Of a body that did not arrive as a whole, what arrived.
    const movedBytes = Math.max(this.#arrivedBytes, bodyBytes(this.#body)) + this.#response.sentBytes;
    usage.moved(movedBytes - this.#paidBytes);
    this.#paidBytes = movedBytes;
  }

  /** The connection is free for the next request. */
  onResponseEnded(): void {
    this.#held.giveWhenRead(this.#http);
    unwatchClient(this, this.#http, this.#request.peer);
  }
}
