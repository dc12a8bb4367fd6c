/**
 * Sends a request to one target after another, until one responds or none is left.
 *
 * A generator, not an async function: a request that leaves a target takes its place at the next one before the next request
 * in flight decides whether it can leave, too. And a request costs no promise.
 */
import { PROMOTION_HEADER } from '@causeway/protocol/clusters.ts';
import { isClusterOperation } from '@causeway/protocol/operations/table.ts';
import { pollTimeoutMs } from '@causeway/protocol/parameters.ts';
import { MAX_RESPONSE_BYTES_HEADER, SUSPECT_HEADER } from '@causeway/protocol/routing.ts';
import type { ClusterWait } from '../clusters/cluster-waits.ts';
import type { GatewayError } from '../errors.ts';
import { textOf } from '../ownership/owners.ts';
import { isKafkaUndecided, kafkaAnswersAt } from '../regions/kafka-outage.ts';
import { isHeldUpByLimit, ownRegionOnly, type SelectionRequest, selectTarget } from '../regions/select.ts';
import type { Snapshot } from '../regions/snapshot.ts';
import type { Target } from '../regions/target.ts';
import { Attempt, type AttemptOwner } from './attempt.ts';
import type { StreamedBody } from './body.ts';
import type { ClientRequest } from './client-request.ts';
import { ClusterPatience } from './cluster-patience.ts';
import { RequestedConsumer } from './consumer.ts';
import { maxResponseBytes, shortenPoll } from './consumer-requests.ts';
import type { ExchangeContext } from './context.ts';
import { isEnforced } from './enforcement.ts';
import { requestHeaders } from './headers.ts';
import { hasCrossedRegions } from './loops.ts';
import { type DecidedOutcome, isFaultOfKafka, isFinal, isRefusalOfCluster, isSurelyNotExecuted } from './outcome.ts';
import { attemptFailure, type FailureCode, requestFailure, tooManyWait } from './own-errors.ts';
import type { OwnedRequest } from './owned-request.ts';
import type { RequestWatch } from './request-watch.ts';
import { type Decision, decide, mayMove, type RetryInput } from './retry.ts';
import { isKeyed, RequestedSlot } from './slot.ts';
import { Suspicion } from './suspicion.ts';

export interface AttemptLoopOptions {
  readonly context: ExchangeContext;
  readonly request: ClientRequest;
  readonly body: Buffer | StreamedBody | undefined;
  readonly watch: RequestWatch | undefined;
  readonly owner: AttemptOwner & { readonly isResponseStarted: boolean };
}

/** What the loop waits for: the end of an attempt, a moment before it decides again, or a Kafka cluster. */
export type Step = Attempt | typeof PAUSE | ClusterWait;
export const PAUSE = 'pause';

/** How the loop ends: what the client gets. */
export type Ending =
  | { kind: 'respond'; attempt: Attempt }
  | { kind: 'fail'; error: GatewayError }
  /** The client has a part of a response that will not be completed. */
  | { kind: 'destroy'; attempt: Attempt };

/** Where the next attempt goes. */
interface Hop {
  /** `undefined`: the best one that was not tried. */
  readonly target: Target | undefined;
  readonly isFresh: boolean;
}

const NO_FAILURES: readonly string[] = [];
const NO_TARGETS: Target[] = [];
const NEXT: Hop = { target: undefined, isFresh: false };

export class AttemptLoop implements SelectionRequest {
  readonly #options: AttemptLoopOptions;
  /** The loop, stopped at what it waits for. Resume it when the attempt has its outcome, or the pause is over. */
  readonly steps: Generator<Step, Ending, void>;
  readonly #headers: string[];
  readonly #deadlineMs: number;
  readonly #isPoll: boolean;
  #failures: readonly string[] = NO_FAILURES;
  /** Targets that were selected, in turn; of those that a response 421 named, the ones that failed. */
  readonly tried: Target[] = [];
  /** Named the owner that gets the request now. If that fails, it learns so, and serves the request itself. */
  #witness: Target | undefined;
  /** `undefined`: any target can do the work. */
  readonly owned: OwnedRequest | undefined;
  /** It, if it is a consumer's. */
  readonly consumer: RequestedConsumer | undefined;
  /** It has an idempotency key. */
  readonly isKeyed: boolean = false;
  readonly ownedHash: number | undefined;
  readonly localOnly: boolean;
  /** Asks the bridges of this gateway's own region about their Kafka cluster. */
  readonly #isAboutCluster: boolean;
  readonly random: () => number;
  helps: ((target: Target) => boolean) | undefined;
  /** A target that was lost may have executed it. */
  mayHaveBeenExecuted = false;
  /** The last response by which a target refused: sent if no other target does better. */
  #refusal: Attempt | undefined;
  /** Since the first target was lost, here or at a gateway before this one. */
  #suspicion: Suspicion | undefined;
  /** Targets that got it again, over a new connection. */
  #resentTo: Target[] = NO_TARGETS;
  /** When the last attempt without a final response ended. */
  #unansweredSinceMs = 0;
  /** `undefined` without the section `clusters`. */
  readonly #patience: ClusterPatience | undefined;

  /** `nowMs`: when the first attempt starts. */
  constructor(options: AttemptLoopOptions, nowMs: number) {
    this.#options = options;
    this.steps = this.#run(nowMs);
    const { context, request, body } = options;
    const { url, path, settings } = request;
    this.#isAboutCluster = isClusterOperation(url.internal);
    this.localOnly = request.trust === 'gateway' && hasCrossedRegions(request.message.headers, context.identity);
    this.random = context.random;
    const passage = { peer: request.peer, trust: request.trust, identity: context.identity };
    this.#headers = requestHeaders(request.message.headers, passage, request.admitted);
    const suspected = request.gatewayHeader(SUSPECT_HEADER);
    if (suspected !== undefined) this.#suspicion = new Suspicion(suspected);
    this.#isPoll = url.operation === 'poll';
    const { deadlineMs, pollMarginMs } = settings.request;
    this.#deadlineMs = nowMs + (this.#isPoll ? pollTimeoutMs(path) + pollMarginMs : deadlineMs);
    if (this.#isPoll) this.#limitResponse();
    this.#patience = this.#withPromotion();
    const { localOnly } = this;
    if (url.group !== undefined) {
      const heldBody = Buffer.isBuffer(body) ? body : undefined;
      this.consumer = new RequestedConsumer({ context, request, body: heldBody, localOnly });
      this.owned = this.consumer;
    } else if (isKeyed(request, this.#isBodyKept)) {
      this.isKeyed = true;
      this.owned = new RequestedSlot({ context, request, headers: this.#headers, localOnly });
    } else {
      return;
    }
    this.ownedHash = this.owned.hash;
    this.owned.moveIfDue(this, nowMs);
    this.consumer?.addDelivered(this.#headers);
  }

  /** Where requests for the same go as long as its owner can be reached. */
  get home(): Target | undefined {
    return this.owned?.route.placeOfHome(this.#snapshot, this.tried);
  }

  /** The bridge ends its response to a poll where the gateways on the way can still hold it. */
  #limitResponse(): void {
    const { context, request } = this.#options;
    const maxBytes = maxResponseBytes(request.gatewayHeader(MAX_RESPONSE_BYTES_HEADER), {
      bufferBytes: request.settings.response.bufferBytes,
      roomBytes: context.held.roomBytes,
    });
    if (maxBytes !== undefined) this.#headers.push(MAX_RESPONSE_BYTES_HEADER, String(maxBytes));
  }

  *#run(nowMs: number): Generator<Step, Ending, void> {
    const { now, stats } = this.#options.context;
    let hop = NEXT;
    for (let startMs = nowMs; ; startMs = now()) {
      const patience = this.#patience;
      if (patience?.mustWait(this.#snapshot.clusters) === true) {
        const wait = patience.wait(this.#snapshot.clusters, this.#deadlineMs);
        yield wait;
        if (wait.isRefused) return { kind: 'fail', error: tooManyWait() };
        if (now() >= this.#deadlineMs) return this.#failAfterWait();
        patience.startOver();
        this.#startOver();
        hop = NEXT;
        continue;
      }
      const target = hop.target ?? this.#nextTarget();
      if (target === undefined) return this.#fail(this.#isHeldUpByLimit() ? 'overloaded' : 'noRegionAvailable');
      const attempt = this.#attemptAt(target, hop, startMs);
      yield attempt;
      const outcome = attempt.outcome as DecidedOutcome;
      this.#note(attempt, outcome);
      let decision = this.#decide(attempt, outcome);
      while (decision.action === 'wait') {
        yield PAUSE;
        decision = this.#decide(attempt, outcome);
      }
      switch (decision.action) {
        case 'respond':
          if (isEnforced(this.#options.request, attempt)) return { kind: 'respond', attempt };
          this.#options.context.unenforced.add(target);
          return this.#fail('rulesNotEnforced');
        case 'destroy':
          return { kind: 'destroy', attempt };
        case 'fail':
          this.#noteFailure(attempt, outcome);
          // A region's refusal is worth more to the client than the failures after it.
          if (this.#refusal === undefined || outcome.kind === 'answered') return this.#fail(decision.code);
          return { kind: 'respond', attempt: this.#refusal };
        case 'retry':
          this.#noteFailure(attempt, outcome);
          stats.retried(outcome.kind === 'answered' ? `status_${outcome.status}` : outcome.kind);
          hop = this.#hopAfter(target);
          break;
        case 'awaitCluster':
          this.#noteFailure(attempt, outcome);
          patience?.waitAfter(outcome, now());
          break;
        case 'resend':
          this.#resentTo = [...this.#resentTo, target];
          hop = { target, isFresh: true };
          break;
        case 'follow':
          stats.retried('misdirected');
          this.owned?.route.follow(decision.misdirection);
          // The owner that it named has released it since: it may take it now.
          if (decision.misdirection.to === 'anyone') this.#forgetAttempt(this.#witness);
          this.#witness = decision.misdirection.to === 'owner' ? target : undefined;
          hop = decision.misdirection.to === 'anyone' ? NEXT : { target: decision.misdirection.target, isFresh: false };
          break;
      }
      if (decision.action !== 'follow' && !isSurelyNotExecuted(outcome)) this.mayHaveBeenExecuted = true;
    }
  }

  /** Whether the request could go elsewhere if its attempt ended with `outcome`. */
  mayMove(attempt: Attempt, outcome: DecidedOutcome): boolean {
    return mayMove(outcome, this.#retryInput(attempt, outcome), () => this.#nextTarget());
  }

  /** Targets that were lost soon after they got the request, those behind other gateways included. */
  get lossCount(): number {
    return this.#suspicion?.lossCount ?? 0;
  }

  /** Those that this gateway and the ones behind it lost. */
  get ownLossCount(): number {
    return this.#suspicion?.ownLossCount ?? 0;
  }

  #attemptAt(target: Target, hop: Hop, nowMs: number): Attempt {
    const { context, request, body, owner, watch } = this.#options;
    const { method, settings, startMs } = request;
    const isAgain = this.tried.length > 0 || this.#patience?.hasWaited === true;
    const path = this.#isPoll && isAgain ? shortenPoll(request.path, nowMs - startMs) : request.path;
    if (hop.target === undefined) this.tried.push(target);
    if (this.#patience?.update(this.#snapshot.clusters) === true) this.owned?.route.forgetOwner();
    const routed = this.owned?.route.headersAt(target, this.#headers) ?? this.#headers;
    const marked = this.#suspicion?.mark(routed) ?? routed;
    const headers = watch?.attempting(target, marked) ?? marked;
    const leftMs = Math.max(1, this.#deadlineMs - nowMs);
    return new Attempt({
      target,
      request: { method, path, headers, body },
      startedMs: nowMs,
      timeoutMs: this.#isPoll ? leftMs : Math.min(leftMs, settings.request.attemptTimeoutMs),
      isFresh: hop.isFresh,
      holdBytes: settings.response.bufferBytes,
      now: context.now,
      owner,
    });
  }

  /** Notes what later decisions depend on. */
  #note(attempt: Attempt, outcome: DecidedOutcome): void {
    if (isFinal(outcome)) return;
    if (outcome.kind === 'answered') this.#refusal = attempt;
    if (outcome.kind === 'answered' && outcome.fault === 'cluster') {
      if (isRefusalOfCluster(outcome) && this.#patience !== undefined) this.#patience.refusedCount += 1;
      const { target, headers } = attempt;
      this.#options.context.regions.heardOfPromotion(textOf(headers[PROMOTION_HEADER]), `region ${target.region}`);
    }
    const nowMs = this.#options.context.now();
    this.#suspicion ??= new Suspicion(undefined);
    this.#suspicion.ended(attempt, outcome, { nowMs, settings: this.#options.request.settings });
    this.#unansweredSinceMs = nowMs;
  }

  /** Notes what the client reads if no other attempt does better. */
  #noteFailure({ target }: Attempt, outcome: DecidedOutcome): void {
    if (outcome.kind === 'answered') return;
    const failure = attemptFailure(target, outcome, { isBodyKept: this.#isBodyKept });
    this.#failures = [...this.#failures, failure];
  }

  #decide(attempt: Attempt, outcome: DecidedOutcome): Decision {
    return decide(outcome, () => this.#retryInput(attempt, outcome));
  }

  #retryInput({ target, headers }: Attempt, outcome: DecidedOutcome): RetryInput {
    const { context, request, owner } = this.#options;
    const { now, budget } = context;
    const { url, method, settings } = request;
    const { owned } = this;
    this.helps = isFaultOfKafka(outcome) ? (other) => kafkaAnswersAt(target, other, now()) === 'answers' : undefined;
    return {
      operation: url.operation,
      method,
      isBodyKept: this.#isBodyKept,
      isResponseStarted: owner.isResponseStarted,
      attemptCount: this.tried.length - (this.#patience?.refusedCount ?? 0),
      maxAttempts: settings.retry.maxAttempts,
      hasNextTarget: () => this.#nextTarget() !== undefined,
      isPastDeadline: () => now() >= this.#deadlineMs,
      targetAnswersProbes: target.answersProbes,
      isKeyed: this.isKeyed,
      isOwned: this.isKeyed || url.instance !== undefined,
      misdirection: owned && (() => owned.misdirected({ target, headers }, this, this.tried)),
      lossCount: this.lossCount,
      ownLossCount: this.ownLossCount,
      wasResent: this.#resentTo.includes(target),
      isKafkaUndecided: () =>
        isKafkaUndecided(this.#snapshot, target, { request: this, sinceMs: this.#unansweredSinceMs, nowMs: now() }),
      mayAwaitCluster: () => this.#patience?.mayWaitAfter(outcome, this.#snapshot.clusters) === true,
      isHeldUpByLimit: () => this.#isHeldUpByLimit(),
      produce: settings.retry.produce,
      takeFromBudget: () => budget.take(settings.retry),
    };
  }

  /** The body can be sent again. */
  get #isBodyKept(): boolean {
    const { body } = this.#options;
    return body === undefined || Buffer.isBuffer(body);
  }

  /** Where a retry goes after `failed`. */
  #hopAfter(failed: Target): Hop {
    const witness = this.#witness;
    if (witness === undefined) return NEXT;
    const hop = this.#nextTarget() === witness ? { target: witness, isFresh: false } : NEXT;
    this.#witness = undefined;
    this.tried.push(failed);
    return hop;
  }

  #nextTarget(): Target | undefined {
    if (this.owned?.isHeldUp(this.tried) === true) return undefined;
    if (this.#witness?.isAvailable === true && this.helps?.(this.#witness) !== false) return this.#witness;
    return selectTarget(this.#snapshot, this, this.tried);
  }

  get #snapshot(): Snapshot {
    const { snapshot } = this.#options.context.regions;
    return this.#isAboutCluster ? ownRegionOnly(snapshot) : snapshot;
  }

  /** The request gets the highest promotion that this gateway and those before it know; without the section `clusters` that of those before it. */
  #withPromotion(): ClusterPatience | undefined {
    const { context, request } = this.#options;
    const received = request.gatewayHeader(PROMOTION_HEADER);
    if (received !== undefined) context.regions.heardOfPromotion(received, 'another gateway');
    const known = this.#snapshot.clusters;
    if (known !== undefined) return new ClusterPatience(known, this.#headers, request);
    if (received !== undefined) this.#headers.push(PROMOTION_HEADER, received);
    return undefined;
  }

  /** The target may be asked again. */
  #forgetAttempt(target: Target | undefined): void {
    const index = target === undefined ? -1 : this.tried.indexOf(target);
    if (index !== -1) this.tried.splice(index, 1);
  }

  /** The targets that were tried may do better now. */
  #startOver(): void {
    this.tried.length = 0;
    this.#witness = undefined;
    this.helps = undefined;
  }

  /** No cluster served in time: the client gets what it would have got without the wait. */
  #failAfterWait(): Ending {
    if (this.#refusal !== undefined) return { kind: 'respond', attempt: this.#refusal };
    return this.#fail(this.mayHaveBeenExecuted ? 'deadlineExceeded' : 'noRegionAvailable');
  }

  #isHeldUpByLimit(): boolean {
    return isHeldUpByLimit(this.#snapshot, this, this.tried);
  }

  #fail(code: FailureCode): Ending {
    const error = requestFailure(code, {
      failures: this.#failures,
      snapshot: this.#snapshot,
      localOnly: this.localOnly,
    });
    return { kind: 'fail', error };
  }
}
