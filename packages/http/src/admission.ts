/** Decides whether a request is admitted, before anything else looks at it. */
import type { RequestHead } from './message.ts';
import type { Peer } from './peer.ts';
import type { Refusal } from './refusal.ts';

/**
 * One reason to refuse a request; `undefined` when it does not apply. A server has a list of them, cheapest first:
 *
 *     checks: [...headChecks(limits), transferCoding, inFlightRequests(load)]
 */
export type Check<P extends Peer = Peer> = (request: RequestHead, peer: P) => Refusal | undefined;

/** The first refusal; `undefined` admits the request. */
export function admit<P extends Peer>(checks: readonly Check<P>[], request: RequestHead, peer: P): Refusal | undefined {
  for (const check of checks) {
    const refusal = check(request, peer);
    if (refusal !== undefined) return refusal;
  }
  return undefined;
}
