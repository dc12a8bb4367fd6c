/** What is said of a request before any region is asked: it is the gateway's own, or it cannot be passed on. */
import type { IncomingMessage } from 'node:http';
import { isPlainlyFramed } from '@causeway/protocol/http-grammar.ts';
import { isForGateways, type Operation, parseUrl } from '@causeway/protocol/paths.ts';
import { GatewayError } from '../errors.ts';
import type { Snapshot } from '../regions/snapshot.ts';
import { type Identity, whyLooping } from './headers.ts';
import { whyNotReady } from './own-answers.ts';

/** What the client waits for before it sends its body (RFC 9110 §10.1.1). */
export type Expectation = 'continue' | 'unknown';

export interface IntakeRequest {
  request: IncomingMessage;
  operation: Operation;
  /** The request target. */
  path: string;
  expectation: Expectation | undefined;
  isFromGateway: boolean;
  gateway: {
    readonly regions: { readonly snapshot: Snapshot };
    readonly identity: Identity;
    readonly isClosing: boolean;
  };
}

/** An error to answer, `well` for a good word on the gateway itself, or `passOn`. */
export function examine({
  request,
  operation,
  path,
  expectation,
  isFromGateway,
  gateway,
}: IntakeRequest): GatewayError | 'well' | 'passOn' {
  const { headers, httpVersionMinor } = request;
  if (expectation === 'unknown') return new GatewayError('expectationFailed', `Nobody can expect ${headers.expect}.`);
  if (headers.host === undefined && httpVersionMinor > 0) return malformed('it has no Host header');
  if (!isPlainlyFramed(headers)) {
    const message = 'The only transfer coding that is supported is chunked; Content-Encoding names compression.';
    return new GatewayError('transferCodingUnsupported', message);
  }
  // As load balancers ask (RFC 9110 §9.3.2); of the API's other operations the bridge has the say.
  const asked = request.method === 'HEAD' ? parseUrl('GET', path).operation : operation;
  if (asked === 'healthy') return 'well';
  if (asked === 'ready') {
    // A peer gateway that asks is told about this region alone: what lies behind other regions is not its own.
    const localOnly = isFromGateway && gateway.identity.hop.region !== undefined;
    const { isClosing, identity } = gateway;
    return whyNotReady({ snapshot: gateway.regions.snapshot, localOnly, isClosing, identity }) ?? 'well';
  }
  if (operation === 'metrics') return new GatewayError('notServedHere', 'Metrics are on the admin port.');
  if (operation === 'unknown' && !isFromGateway && isForGateways(path)) {
    return new GatewayError('notServedHere', 'Not Found');
  }
  const loop = whyLooping(headers, { isFromGateway, identity: gateway.identity });
  if (loop !== undefined) {
    return new GatewayError(
      'loopDetected',
      `The request goes round in a circle between gateways: ${loop}. Their targets name each other.`,
    );
  }
  return path.startsWith('/') ? 'passOn' : malformed('the request target must be a path');
}

/** A request that no target could take. */
export function malformed(reason: string): GatewayError {
  return new GatewayError('malformedRequest', `The request cannot be passed on: ${reason}.`);
}
