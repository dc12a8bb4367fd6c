/** Decides whether a region gets a request, or the gateway responds by itself. */
import { REJECTED } from '@causeway/http/cors.ts';
import { examineMethod } from '@causeway/http/methods.ts';
import { API_METHODS, type Refusal } from '@causeway/http/refusal.ts';
import type { Expectation } from '@causeway/http/turns.ts';
import { GatewayError, type GatewayErrorCode } from '../errors.ts';
import type { ClientRequest } from './client-request.ts';
import { clusterHeaders } from './cluster-headers.ts';
import type { ExchangeContext } from './context.ts';
import { kafkaHeaders } from './kafka-headers.ts';
import { whyLooping } from './loops.ts';
import { whyNotReady } from './own-errors.ts';

export interface IntakeOptions {
  context: Pick<ExchangeContext, 'regions' | 'identity' | 'isClosing' | 'cors' | 'now'>;
  /** Why the head is not acceptable. */
  refusal: Refusal | undefined;
  expectation: Expectation | undefined;
}

export type Intake =
  /** A region responds. */
  | { kind: 'passOn' }
  /** The gateway itself responds, without a body. */
  | { kind: 'respond'; status: 200 | 204; headers: readonly string[] }
  | { kind: 'fail'; error: GatewayError; headers: readonly string[] };

const PASS_ON: Intake = { kind: 'passOn' };
const NO_HEADERS: readonly string[] = [];

/** Health, readiness, preflights, loops and malformed heads end here. */
export function takeIn(request: ClientRequest, options: IntakeOptions): Intake {
  const { cors } = options.context;
  switch (cors?.decide(request.message)) {
    case 'preflight':
      // Also while no region is available.
      return { kind: 'respond', status: 204, headers: cors?.preflightHeaders ?? NO_HEADERS };
    case 'rejected':
      return { kind: 'fail', error: new GatewayError('originRejected', REJECTED), headers: NO_HEADERS };
    default:
      return examine(request, options);
  }
}

function examine(request: ClientRequest, { context, refusal, expectation }: IntakeOptions): Intake {
  const { url, path, message, isFromGateway } = request;
  const error = errorInHead(request, { refusal, expectation });
  if (error !== undefined) return { kind: 'fail', error, headers: probeHeaders(request, context) };
  if (url.operation === 'healthy') return { kind: 'respond', status: 200, headers: NO_HEADERS };
  if (url.operation === 'ready') return examineReadiness(request, context);
  if (url.operation === 'metrics') return fail('notServedHere', 'Metrics are on the admin port.');
  const loop = whyLooping(message.headers, { isFromGateway, identity: context.identity });
  if (loop !== undefined) {
    return fail(
      'loopDetected',
      `The request goes round in a circle between gateways: ${loop}. Their targets name each other.`,
    );
  }
  return url.operation === 'unknown' ? examineUnknown(request.method, path) : PASS_ON;
}

function errorInHead(
  { url, message, isFromGateway, keyProblem }: ClientRequest,
  { refusal, expectation }: Pick<IntakeOptions, 'refusal' | 'expectation'>,
): GatewayError | undefined {
  if (refusal !== undefined) return errorOf(refusal);
  if (expectation === 'unknown') {
    return new GatewayError('expectationFailed', `This gateway cannot meet the expectation ${message.headers.expect}.`);
  }
  if (keyProblem !== undefined) return new GatewayError('malformedRequest', keyProblem);
  const isForbidden = url.internal !== undefined && !isFromGateway;
  return isForbidden ? new GatewayError('notServedHere', 'Not Found') : undefined;
}

/** A gateway that probes this one learns the readiness of this region alone. */
function examineReadiness(request: ClientRequest, context: IntakeOptions['context']): Intake {
  const { regions, identity, isClosing } = context;
  const { snapshot } = regions;
  const headers = probeHeaders(request, context);
  const localOnly = request.isFromGateway && identity.hop.region !== undefined;
  const error = whyNotReady({ snapshot, localOnly, isClosing, identity });
  return error === undefined ? { kind: 'respond', status: 200, headers } : { kind: 'fail', error, headers };
}

/** For a gateway that probes this one. */
function probeHeaders(request: ClientRequest, { regions, now }: IntakeOptions['context']): readonly string[] {
  const isProbe = request.url.operation === 'ready' && request.isFromGateway;
  if (!isProbe) return NO_HEADERS;
  return [...kafkaHeaders(regions.snapshot, now()), ...clusterHeaders(regions.snapshot, regions.promotion)];
}

function fail(code: GatewayErrorCode, message: string): Intake {
  return { kind: 'fail', error: new GatewayError(code, message), headers: NO_HEADERS };
}

/** A bridge responds to unknown paths and to preflights; methods that the API does not have end here. */
function examineUnknown(method: string, path: string): Intake {
  if (method === 'OPTIONS') {
    if (path !== '*') return PASS_ON;
    return { kind: 'respond', status: 204, headers: ['allow', `${API_METHODS},OPTIONS`] };
  }
  const refusal = examineMethod(method, path);
  if (refusal !== undefined) return { kind: 'fail', error: errorOf(refusal), headers: NO_HEADERS };
  return API_METHODS.split(',').includes(method) ? PASS_ON : fail('notFound', 'Not Found');
}

function errorOf({ code, message, allow }: Refusal): GatewayError {
  return new GatewayError(code, message, { allow });
}
