/** A request for what one bridge owns: a consumer, or a slot of idempotency keys. What the attempt loop asks of it, and what all of them share. */
import { FAILED_HEADER, OWNER_HEADER, RELEASE_HEADER } from '@causeway/protocol/routing.ts';
import type { Home } from '../ownership/home.ts';
import { type TargetResponse, textOf } from '../ownership/owners.ts';
import { type Misdirection, OwnerRoute } from '../ownership/route.ts';
import type { SelectionRequest } from '../regions/select.ts';
import type { Target } from '../regions/target.ts';
import type { ClientRequest } from './client-request.ts';
import type { ExchangeContext } from './context.ts';

export interface OwnedRequest {
  /** The same in all gateways. `undefined`: the bridge will choose the name. */
  readonly hash: number | undefined;
  /** The way to the owner. */
  readonly route: OwnerRoute;
  /** Asks the owner for a release if the request belongs elsewhere. */
  moveIfDue(selection: SelectionRequest, nowMs: number): void;
  /** Whether it waits for its owner, which has as many requests as it may have, and goes nowhere else. */
  isHeldUp(tried: readonly Target[]): boolean;
  /** Where a response 421 leads. */
  misdirected(response: TargetResponse, selection: SelectionRequest, tried: readonly Target[]): Misdirection;
  /** Remembers the bridge that responded as the home. */
  learn(response: TargetResponse, selection: SelectionRequest, answer: { status: number; body: Buffer }): void;
  /** No bridge responded. */
  onNoResponse(): void;
}

/** The way of a request whose owner is believed to be at `home`. */
export function routeTo(home: Home | undefined, request: ClientRequest): OwnerRoute {
  return new OwnerRoute({
    home,
    failedHeader: request.gatewayHeader(FAILED_HEADER),
    releaseHeader: request.gatewayHeader(RELEASE_HEADER),
  });
}

export interface MisdirectionOptions {
  context: Pick<ExchangeContext, 'regions' | 'identity'>;
  request: ClientRequest;
  route: OwnerRoute;
  selection: SelectionRequest;
  tried: readonly Target[];
}

/** Where a response 421 leads. Changes nothing. */
export function misdirectionOf(
  { target, headers }: TargetResponse,
  { context, request, route, selection, tried }: MisdirectionOptions,
): Misdirection {
  return route.misdirected({
    snapshot: context.regions.snapshot,
    request: selection,
    from: target,
    owner: textOf(headers[OWNER_HEADER]),
    isFromGateway: request.isFromGateway,
    ownRegion: context.identity.hop.region,
    tried,
  });
}
