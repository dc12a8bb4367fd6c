/** What is said of a request before any region is asked: it is the gateway's own, or it cannot be passed on. */
import type { IncomingMessage } from 'node:http';
import { examineMethod } from '@causeway/http/methods.ts';
import { API_METHODS, type Refusal } from '@causeway/http/refusal.ts';
import type { Expectation } from '@causeway/http/turns.ts';
import type { ParsedUrl } from '@causeway/protocol/paths.ts';
import { GatewayError } from '../errors.ts';
import type { Snapshot } from '../regions/snapshot.ts';
import type { Identity } from './identity.ts';
import { whyLooping } from './loops.ts';
import { whyNotReady } from './own-answers.ts';

export interface IntakeRequest {
  request: IncomingMessage;
  url: ParsedUrl;
  /** The request target. */
  path: string;
  /** What is wrong with its head. */
  refusal: Refusal | undefined;
  expectation: Expectation | undefined;
  isFromGateway: boolean;
  gateway: {
    readonly regions: { readonly snapshot: Snapshot };
    readonly identity: Identity;
    readonly isClosing: boolean;
  };
}

/** An error to answer, `well` for a good word on the gateway itself, `methods` for those of the API, or `passOn`. */
export function examine({
  request,
  url: { operation, internal },
  path,
  refusal,
  expectation,
  isFromGateway,
  gateway,
}: IntakeRequest): GatewayError | 'well' | 'methods' | 'passOn' {
  const { headers } = request;
  if (refusal !== undefined) return errorOf(refusal);
  if (expectation === 'unknown') {
    return new GatewayError('expectationFailed', `This gateway cannot meet the expectation ${headers.expect}.`);
  }
  if (internal !== undefined && !isFromGateway) {
    return new GatewayError('notServedHere', 'Not Found');
  }
  if (operation === 'healthy') return 'well';
  if (operation === 'ready') {
    // A peer gateway that asks is told about this region alone: what lies behind other regions is not its own.
    const localOnly = isFromGateway && gateway.identity.hop.region !== undefined;
    const { isClosing, identity } = gateway;
    return whyNotReady({ snapshot: gateway.regions.snapshot, localOnly, isClosing, identity }) ?? 'well';
  }
  if (operation === 'metrics') return new GatewayError('notServedHere', 'Metrics are on the admin port.');
  const loop = whyLooping(headers, { isFromGateway, identity: gateway.identity });
  if (loop !== undefined) {
    return new GatewayError(
      'loopDetected',
      `The request goes round in a circle between gateways: ${loop}. Their targets name each other.`,
    );
  }
  return operation === 'unknown' ? examineUnknown(request.method ?? 'GET', path) : 'passOn';
}

/** A bridge answers for paths that are not found, and a preflight; methods that the API does not have end here. */
function examineUnknown(method: string, path: string): GatewayError | 'methods' | 'passOn' {
  if (method === 'OPTIONS') return path === '*' ? 'methods' : 'passOn';
  const refusal = examineMethod(method, path);
  if (refusal !== undefined) return errorOf(refusal);
  return API_METHODS.split(',').includes(method) ? 'passOn' : new GatewayError('notFound', 'Not Found');
}

function errorOf({ code, message, allow }: Refusal): GatewayError {
  return new GatewayError(code, message, { allow });
}

/** A request that no target could take. */
export function malformed(reason: string): GatewayError {
  return new GatewayError('malformedRequest', `The request cannot be passed on: ${reason}.`);
}
