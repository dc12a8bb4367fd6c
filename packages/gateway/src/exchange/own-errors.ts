/** The errors of the gateway itself: for requests that no region responds to, with the regions and the reasons. */
import { GatewayError, type GatewayErrorCode } from '../errors.ts';
import { isReady } from '../regions/select.ts';
import type { RequestSettings, Snapshot } from '../regions/snapshot.ts';
import type { Target } from '../regions/target.ts';
import type { Identity } from './identity.ts';
import type { DecidedOutcome, RequestFault } from './outcome.ts';
import { MAX_LOSSES } from './suspicion.ts';

/** Why a request ended without a response of a region. */
export type FailureCode = Extract<
  GatewayErrorCode,
  | 'regionFailed'
  | 'targetsLost'
  | 'outOfConnections'
  | 'deadlineExceeded'
  | 'noRegionAvailable'
  | 'consumerMoving'
  | 'slotMoving'
  | 'overloaded'
  | 'retryBudgetExhausted'
  | 'rulesNotEnforced'
>;

const WHAT_HAPPENED: Readonly<Record<FailureCode, string>> = {
  regionFailed: 'No region answered this request',
  targetsLost: 'Two targets failed while this request was in flight on them, and it is not sent to a third',
  outOfConnections: 'The gateway cannot make connections to any region now; try again',
  deadlineExceeded: 'No region answered this request in time',
  consumerMoving: 'The consumer is being moved to another bridge; try again',
  slotMoving: 'The bridge that has this idempotency key cannot take the request now; try again with the same key',
  noRegionAvailable: 'No region can serve this request',
  overloaded: 'The regions that could serve this request have as many as they may; try again',
  retryBudgetExhausted: 'The request failed and the retry budget is used up',
  rulesNotEnforced: 'The region does not apply what this gateway knows of its clients, and its response is withheld',
};

/** `failures` are the outcomes of the attempts, in words; without any, the error has the state of the regions. */
export function requestFailure(
  code: FailureCode,
  { failures, snapshot, localOnly }: { failures: readonly string[]; snapshot: Snapshot; localOnly: boolean },
): GatewayError {
  // Bridges keep naming each other as the owner: no region is at fault.
  if (code === 'consumerMoving' || code === 'slotMoving' || code === 'rulesNotEnforced')
    return new GatewayError(code, `${WHAT_HAPPENED[code]}.`);
  const reasons = failures.length > 0 ? failures.join('; ') : describeRegions(snapshot, localOnly);
  return new GatewayError(code, `${WHAT_HAPPENED[code]}: ${reasons}.`);
}

/**
 * Whether a gateway before this one must not send the request to another region either: it gets `error` with
 * `causeway-fault: request`.
 */
export function isFaultOfRequest(error: GatewayError, lossCount: number): boolean {
  return error.isOfRequest || lossCount >= MAX_LOSSES;
}

/** The memory for requests and responses is used up. */
export function overloaded(): GatewayError {
  return new GatewayError(
    'overloaded',
    'The gateway holds as many bytes of requests and responses as it may; try again.',
  );
}

/** As many requests wait for a Kafka cluster as could be in flight on targets. */
export function tooManyWait(): GatewayError {
  return new GatewayError('overloaded', 'Too many requests wait for a Kafka cluster; try again.');
}

/** Other clients need the memory of a body that arrives too slowly. */
export function bodyTooSlow(): GatewayError {
  return new GatewayError(
    'overloaded',
    'The request body arrived too slowly while the gateway was short of memory; send the request again.',
  );
}

/** The error for a fault of the client. */
export function errorOfRequest(fault: RequestFault, { request }: Pick<RequestSettings, 'request'>): GatewayError {
  switch (fault.kind) {
    case 'malformed':
      return new GatewayError('malformedRequest', `The request cannot be passed on: ${fault.reason}.`);
    case 'bodyTooLarge':
      return new GatewayError('bodyTooLarge', `The request body is larger than ${request.maxBodyBytes} bytes.`);
    case 'stalled':
      return new GatewayError('requestTimeout', 'The request body did not arrive in time.');
  }
}

/** Why an attempt failed, in words. */
export function attemptFailure(
  target: Target,
  outcome: Exclude<DecidedOutcome, { kind: 'answered' }>,
  { isBodyKept }: { isBodyKept: boolean },
): string {
  const isLost = !isBodyKept && outcome.kind !== 'connectFailed';
  const consequence = isLost ? ', and the body was too large to be kept and sent twice' : '';
  return `region ${target.region}: ${outcome.reason}${consequence}`;
}

/** Why the gateway is not ready; `undefined`: it is. With `localOnly`, its own region alone counts. */
export function whyNotReady(options: {
  snapshot: Snapshot;
  localOnly: boolean;
  isClosing: boolean;
  identity: Identity;
}): GatewayError | undefined {
  const { region, name } = options.identity.hop;
  const self = region === undefined ? `Gateway ${name}` : `Gateway ${name} of region ${region}`;
  if (options.isClosing) return new GatewayError('shuttingDown', `${self} is shutting down.`);
  if (isReady(options.snapshot, options.localOnly)) return undefined;
  const reasons = describeRegions(options.snapshot, options.localOnly);
  return new GatewayError('noRegionAvailable', `${self} has no available target: ${reasons}.`);
}

/** Why each region cannot serve; without addresses, which are not for clients. */
function describeRegions(snapshot: Snapshot, localOnly: boolean): string {
  const sentences = snapshot.regions
    .filter((region) => !localOnly || region.isLocal)
    .map(({ name, weight, standsBy, targets }) => {
      if (standsBy) return `region ${name} stands by: Kafka cluster ${snapshot.clusters?.active} is active`;
      if (weight === 0) return `region ${name} has weight 0`;
      const reasons = new Set(
        targets.map(({ breaker, health, isFull }) => {
          if (isFull) return 'at its limit of requests in flight';
          if (breaker.state === 'open') return 'not used, its circuit breaker is open';
          return `${health.status} (${health.publicReason})`;
        }),
      );
      return `region ${name} is ${[...reasons].join(', ')}`;
    });
  return sentences.join('; ') || 'the request came from another region, and this gateway stands in none';
}
