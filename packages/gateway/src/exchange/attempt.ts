/** Sends a request to one target, and settles with one outcome. */
import type { Trial } from '../regions/breaker.ts';
import type { InFlight } from '../regions/in-flight.ts';
import type { Target } from '../regions/target.ts';
import { UpstreamError } from '../upstream/errors.ts';
import type { ResponseHeaders } from '../upstream/response-head.ts';
import type { UpstreamControl, UpstreamHandler, UpstreamRequest } from '../upstream/transport.ts';
import { type FailedConnection, outcomeOfFailure, outcomeOfResponse, outcomeOfUnsent } from './attempt-outcome.ts';
import { BodyTooLargeError, type StreamedBody } from './body.ts';
import type { DecidedOutcome, Outcome, RequestFault } from './outcome.ts';

export interface AttemptRequest extends UpstreamRequest {
  readonly body: Buffer | StreamedBody | undefined;
}

export interface AttemptOptions {
  readonly target: Target;
  readonly request: AttemptRequest;
  /** When it starts, on the clock of `now`. */
  readonly startedMs: number;
  readonly timeoutMs: number;
  /** Over a new connection: one that was idle has just failed. */
  readonly isFresh: boolean;
  /** Milliseconds, never going back. */
  readonly now: () => number;
  /** A response up to this size is held until it is complete. */
  readonly holdBytes: number;
  readonly owner: AttemptOwner;
}

/** Who runs the attempt. */
export interface AttemptOwner {
  /** The response is too long to be held; its head and first chunks have arrived. `false` refuses it. */
  onStreamStart(attempt: Attempt): boolean;
  /** `bytes` more of a response are to be held; `false`: there is no room. */
  onHeldBytes(bytes: number): boolean;
  /** As {@link onHeldBytes}, when there is room: `onEnd` says whether there was. Returns a function that ends the wait. */
  awaitRoom(bytes: number, onEnd: (hasRoom: boolean) => void): () => void;
  /** `bytes` of a response are no longer held. */
  onDroppedBytes(bytes: number): void;
  /** A chunk of a streamed response; `false` asks for a pause until `resume`. */
  onStreamData(chunk: Buffer): boolean;
  /** Whether the client has taken bytes of a streamed response since the last question. */
  isClientReading(): boolean;
  /** Whether the request could be sent to another target, if this one was lost. */
  mayMove(attempt: Attempt, outcome: DecidedOutcome): boolean;
  /** The attempt has its outcome. Called once, unless `onRequestFault` or `onBug` is called. */
  onSettled(attempt: Attempt): void;
  /** The client ended the request by what it sent, or did not send. */
  onRequestFault(attempt: Attempt, fault: RequestFault): void;
  /** A bug of the gateway ended the attempt. */
  onBug(error: unknown): void;
}

export class Attempt implements UpstreamHandler, InFlight {
  readonly target: Target;
  listIndex = -1;
  deadlineMs = Number.POSITIVE_INFINITY;
  readonly startedMs: number;
  status = 0;
  headers: ResponseHeaders = {};
  /** The chunks of a response that is held. */
  chunks: Buffer[] = [];
  heldBytes = 0;
  /** As the target declared it; 0: it did not. */
  #lengthBytes = 0;
  /** Bytes for which there is room, at least {@link heldBytes} unless it waits for room. */
  #takenBytes = 0;
  /** Ends its wait for room. */
  #endWait: (() => void) | undefined;
  /** How it ended; `undefined` while it is in flight. */
  outcome: Outcome | undefined;
  /** The body was too long to be held, and was dropped. */
  isCut = false;
  /** The breaker's trial that this attempt is; 0: none. */
  trial: Trial = 0;
  readonly #options: AttemptOptions;
  #controller: UpstreamControl | undefined;
  #isStreaming = false;
  #isPaused = false;
  /** It has its outcome, or never will. */
  #isOver = false;

  constructor(options: AttemptOptions) {
    this.target = options.target;
    this.startedMs = options.startedMs;
    this.#options = options;
  }

  start(): void {
    const { request, target, timeoutMs, isFresh } = this.#options;
    target.inFlight.add(this);
    this.trial = target.breaker.started();
    this.deadlineMs = this.startedMs + timeoutMs;
    // A body that is streamed cannot be sent again: it does not leave on a connection that may just be closing.
    target.transport.dispatch(request, this, { isFresh: isFresh || this.#isStreamed });
  }

  /** Ends the attempt: the client left, or the target is down. */
  abort(outcome: Outcome): void {
    if (this.#isOver) return;
    this.#settle(this.#controller === undefined ? outcomeOfUnsent(outcome) : outcome);
    this.#controller?.abort();
  }

  resume(): void {
    // Another attempt may use the connection by now.
    if (this.#isOver) return;
    this.#isPaused = false;
    this.#extend();
    this.#controller?.resume();
  }

  targetDeclaredDown(reason: string, isOfKafka: boolean): boolean {
    if (this.#isOver) return false;
    const down = { kind: 'targetDown', reason, isOfKafka } as const;
    if (!this.#options.owner.mayMove(this, this.#controller === undefined ? outcomeOfUnsent(down) : down)) return false;
    this.abort(down);
    return true;
  }

  onRequestStart(controller: UpstreamControl): boolean {
    // Settled while it waited for a connection.
    if (this.#isOver) return false;
    this.#controller = controller;
    return true;
  }

  onResponseStart(status: number, headers: ResponseHeaders): void {
    this.status = status;
    this.headers = headers;
    this.#lengthBytes = Number(headers['content-length'] ?? 0);
    if (this.#lengthBytes > this.#options.holdBytes) this.#startStreaming();
  }

  onResponseData(chunk: Buffer): boolean {
    if (this.#isStreaming) {
      this.#extend();
      this.#isPaused = !this.#options.owner.onStreamData(chunk);
      return !this.#isPaused;
    }
    this.chunks.push(chunk);
    this.heldBytes += chunk.length;
    if (this.#endWait !== undefined) return false;
    if (this.heldBytes <= this.#options.holdBytes) return this.heldBytes <= this.#takenBytes || this.#takeRoom();
    // It counts until the client has read it.
    this.#options.owner.onHeldBytes(chunk.length);
    this.#startStreaming();
    return true;
  }

  /** For the whole response at once, if its length is known: two that are held in part could wait for each other. */
  #takeRoom(): boolean {
    const { owner } = this.#options;
    const bytes = Math.max(this.heldBytes, this.#lengthBytes) - this.#takenBytes;
    if (owner.onHeldBytes(bytes)) {
      this.#takenBytes += bytes;
      return true;
    }
    this.#extend();
    this.#endWait = owner.awaitRoom(bytes, (hasRoom) => {
      this.#endWait = undefined;
      if (hasRoom) this.#takenBytes += bytes;
      else this.#startStreaming();
      this.resume();
    });
    return false;
  }

  /** The deadline starts again: a long upload does not make a target silent. */
  onUploadProgress(): void {
    this.#extend();
  }

  onResponseEnd(): void {
    if (!this.#isOver) this.#settle(outcomeOfResponse(this.status, this.headers));
  }

  onResponseError(error: Error): void {
    if (this.#isOver) return;
    const code = error instanceof UpstreamError ? error.code : undefined;
    if (error instanceof BodyTooLargeError) this.#endAtFault({ kind: 'bodyTooLarge' });
    else if (code === 'BAD_REQUEST') this.#endAtFault({ kind: 'malformed', reason: error.message });
    else if (code === 'FAULT') this.#endByBug(error.cause);
    else this.#settle(outcomeOfFailure(error, this.#failedConnection));
  }

  get #failedConnection(): FailedConnection {
    return { connection: this.#controller, status: this.status, isStreamed: this.#isStreamed };
  }

  get #isStreamed(): boolean {
    const { body } = this.#options.request;
    return body !== undefined && !Buffer.isBuffer(body);
  }

  #startStreaming(): void {
    this.#isStreaming = this.#options.owner.onStreamStart(this);
    this.chunks = [];
    // The client has them.
    if (this.#isStreaming) {
      this.#takenBytes = 0;
      return;
    }
    this.isCut = true;
    this.abort(outcomeOfResponse(this.status, this.headers));
  }

  #extend(): void {
    this.deadlineMs = this.#options.now() + this.#options.timeoutMs;
  }

  onDeadline(): void {
    if (this.#endWait !== undefined) {
      this.#extend();
      return;
    }
    if (this.#isPaused && this.#options.owner.isClientReading()) {
      this.#extend();
      return;
    }
    if (this.#isPaused || this.#isWaitingForClient) {
      this.#options.owner.onRequestFault(this, { kind: 'stalled' });
      return;
    }
    this.abort({ kind: 'timedOut', reason: `no response within ${Math.round(this.#options.timeoutMs)} ms` });
  }

  get #isWaitingForClient(): boolean {
    const { body } = this.#options.request;
    return body !== undefined && !Buffer.isBuffer(body) && body.isWaitingForClient;
  }

  #settle(outcome: Outcome): void {
    this.#leave();
    this.outcome = outcome;
    if (outcome.kind !== 'answered' || this.isCut) this.#drop();
    this.#options.owner.onSettled(this);
  }

  #endAtFault(fault: RequestFault): void {
    this.#leave();
    this.target.breaker.abandoned(this.trial);
    this.#options.owner.onRequestFault(this, fault);
  }

  #endByBug(error: unknown): void {
    this.#leave();
    this.target.breaker.abandoned(this.trial);
    this.#options.owner.onBug(error);
  }

  /** No client gets what is held of the response. */
  #drop(): void {
    this.chunks = [];
    const bytes = this.#takenBytes;
    this.#takenBytes = 0;
    if (bytes > 0) this.#options.owner.onDroppedBytes(bytes);
  }

  #leave(): void {
    this.#isOver = true;
    this.#endWait?.();
    this.#endWait = undefined;
    this.target.inFlight.remove(this);
  }
}
