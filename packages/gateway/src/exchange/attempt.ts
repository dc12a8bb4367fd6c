/** Sends a request to one target and turns whatever happens into one outcome. */
import { FAULT_HEADER, FAULT_OF_KAFKA, FAULT_OF_REQUEST } from '@causeway/protocol/routing.ts';
import type { Trial } from '../regions/breaker.ts';
import { describeConnectionFailure, isGatewaysOwn } from '../regions/connection-failure.ts';
import type { InFlight } from '../regions/in-flight.ts';
import type { Target } from '../regions/target.ts';
import { UpstreamError } from '../upstream/errors.ts';
import type { ResponseHeaders } from '../upstream/response-head.ts';
import { isStale, type UpstreamControl, type UpstreamHandler, type UpstreamRequest } from '../upstream/transport.ts';
import { BodyTooLargeError, type StreamedBody } from './body.ts';
import type { Outcome } from './outcome.ts';

const SERVER_ERROR = 500;

export interface AttemptRequest extends UpstreamRequest {
  readonly body: Buffer | StreamedBody | undefined;
}

export interface AttemptOptions {
  readonly target: Target;
  readonly request: AttemptRequest;
  readonly timeoutMs: number;
  /** Over a connection that carries nothing else: one that was used before has just failed. */
  readonly isFresh: boolean;
  /** Milliseconds, never going back. */
  readonly now: () => number;
  /** An answer up to this size is held until it is complete. */
  readonly holdBytes: number;
  readonly owner: AttemptOwner;
}

/** Who runs the attempt. */
export interface AttemptOwner {
  /** The answer is too long to be held: its head and what has come so far. `false` refuses it. */
  onStreamStart(attempt: Attempt): boolean;
  /** So many more bytes of an answer are to be held; `false`: there is no room, and the answer is not held. */
  onHeldBytes(bytes: number): boolean;
  /** More of a streamed answer; `false` asks for a pause until `resume`. */
  onStreamData(chunk: Buffer): boolean;
  /** Whether the request could be sent to another target, were this one lost. */
  mayMove(attempt: Attempt, outcome: Outcome): boolean;
  /** The client has neither sent nor taken anything for the whole time limit. */
  onClientStalled(attempt: Attempt): void;
  /** The end, exactly once. */
  onSettled(attempt: Attempt, outcome: Outcome): void;
  /** The request cannot be sent to any target. */
  onMalformed(reason: string): void;
  onBodyTooLarge(): void;
  /** A bug of ours ended the attempt. */
  onFault(error: unknown): void;
}

export class Attempt implements UpstreamHandler, InFlight {
  readonly target: Target;
  listIndex = -1;
  deadlineMs = Number.POSITIVE_INFINITY;
  startedMs = 0;
  status = 0;
  headers: ResponseHeaders = {};
  /** What has come of an answer that is held. */
  chunks: Buffer[] = [];
  heldBytes = 0;
  /** The answer's body was too long to be held, and is not there. */
  isCut = false;
  /** The try of a half-open breaker that this is. */
  trial: Trial = 0;
  readonly #options: AttemptOptions;
  #controller: UpstreamControl | undefined;
  #isStreaming = false;
  #isPaused = false;
  #isSettled = false;

  constructor(options: AttemptOptions) {
    this.target = options.target;
    this.#options = options;
  }

  /** `nowMs`: what the clock says. */
  start(nowMs: number): void {
    const { request, target, timeoutMs, isFresh } = this.#options;
    target.inFlight.add(this);
    this.trial = target.breaker.started();
    this.startedMs = nowMs;
    this.deadlineMs = nowMs + timeoutMs;
    target.transport.dispatch(request, this, { isFresh });
  }

  /** Ends the attempt from outside: the client left, or the target is out of use. */
  abort(outcome: Outcome): void {
    if (this.#isSettled) return;
    this.#settle(this.#asSeen(outcome));
    this.#controller?.abort();
  }

  resume(): void {
    // The connection may be another one's by now.
    if (this.#isSettled) return;
    this.#isPaused = false;
    this.#extend();
    this.#controller?.resume();
  }

  targetDeclaredDown(reason: string, isOfKafka: boolean): boolean {
    if (this.#isStreaming || this.#isSettled) return false;
    const outcome = this.#asSeen({ kind: 'targetDown', reason, ...(isOfKafka && { isOfKafka }) });
    if (!this.#options.owner.mayMove(this, outcome)) return false;
    this.abort(outcome);
    return true;
  }

  onRequestStart(controller: UpstreamControl): boolean {
    // Settled while it waited for a connection.
    if (this.#isSettled) return false;
    this.#controller = controller;
    return true;
  }

  onResponseStart(status: number, headers: ResponseHeaders): void {
    this.status = status;
    this.headers = headers;
    if (Number(headers['content-length'] ?? 0) > this.#options.holdBytes) this.#startStreaming();
  }

  onResponseData(chunk: Buffer): boolean {
    if (this.#isStreaming) {
      this.#extend();
      this.#isPaused = !this.#options.owner.onStreamData(chunk);
      return !this.#isPaused;
    }
    this.chunks.push(chunk);
    this.heldBytes += chunk.length;
    const isHeld = this.#options.owner.onHeldBytes(chunk.length);
    if (!isHeld || this.heldBytes > this.#options.holdBytes) this.#startStreaming();
    return true;
  }

  /** A long upload is not a silent target. */
  onUploadProgress(): void {
    this.#extend();
  }

  onResponseEnd(): void {
    if (!this.#isSettled) this.#settle(this.#answered);
  }

  onResponseError(error: Error): void {
    if (this.#isSettled) return;
    if (error instanceof BodyTooLargeError) {
      this.#release();
      this.target.breaker.abandoned(this.trial);
      this.#options.owner.onBodyTooLarge();
      return;
    }
    if (error instanceof UpstreamError && error.code === 'BAD_REQUEST') {
      this.#release();
      this.target.breaker.abandoned(this.trial);
      this.#options.owner.onMalformed(error.message);
      return;
    }
    if (error instanceof UpstreamError && error.code === 'FAULT') {
      this.#release();
      this.target.breaker.abandoned(this.trial);
      this.#options.owner.onFault(error.cause);
      return;
    }
    const reason = describeConnectionFailure(error);
    if (this.status !== 0) this.#settle({ kind: 'brokenMidBody', reason });
    else if (this.#controller === undefined) {
      this.#settle({ kind: 'connectFailed', reason, ...(isGatewaysOwn(error) && { culprit: 'gateway' }) });
    } else {
      const isReused = isStale(this.#controller);
      this.#settle({ kind: 'brokenBeforeHeaders', reason, ...(isReused && { isReused }) });
    }
  }

  #startStreaming(): void {
    if (!this.#options.owner.onStreamStart(this)) {
      this.isCut = true;
      this.chunks = [];
      this.abort(this.#answered);
      return;
    }
    this.#isStreaming = true;
    this.chunks = [];
  }

  #extend(): void {
    this.deadlineMs = this.#options.now() + this.#options.timeoutMs;
  }

  onDeadline(): void {
    if (this.#isPaused || this.#isWaitingForClient) {
      this.#options.owner.onClientStalled(this);
      return;
    }
    this.abort({ kind: 'timedOut', reason: `no answer within ${Math.round(this.#options.timeoutMs)} ms` });
  }

  get #isWaitingForClient(): boolean {
    const { body } = this.#options.request;
    return body !== undefined && !Buffer.isBuffer(body) && body.isWaitingForClient;
  }

  get #answered(): Outcome {
    const { status } = this;
    if (status < SERVER_ERROR) return { kind: 'answered', status };
    const fault = this.headers[FAULT_HEADER];
    return fault === FAULT_OF_REQUEST || fault === FAULT_OF_KAFKA
      ? { kind: 'answered', status, fault }
      : { kind: 'answered', status };
  }

  /** Before there is a connection nothing was sent, whatever ended the attempt. */
  #asSeen(outcome: Outcome): Outcome {
    if (this.#controller !== undefined) return outcome;
    const { kind } = outcome;
    // The request's time was over before that of a connection.
    if (kind === 'timedOut') return { kind: 'connectFailed', reason: outcome.reason, culprit: 'request' };
    return kind === 'targetDown' ? { kind: 'connectFailed', reason: outcome.reason } : outcome;
  }

  #settle(outcome: Outcome): void {
    this.#release();
    this.#options.owner.onSettled(this, outcome);
  }

  #release(): void {
    this.#isSettled = true;
    this.target.inFlight.remove(this);
  }
}
