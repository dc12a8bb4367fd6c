/** The part of an exchange that concerns an idempotency key: the request goes to the owner of its key's slot. */
import { randomUUID } from 'node:crypto';
import { IDEMPOTENCY_KEY_HEADER, keyIdentity, REPLAYED_HEADER, slotOf } from '@causeway/protocol/idempotency.ts';
import { isProduce } from '@causeway/protocol/operations/table.ts';
import { isSameHome } from '../ownership/home.ts';
import { whyMove } from '../ownership/moves.ts';
import { homeOfResponse, isOwnerFull, rememberedHome, type TargetResponse } from '../ownership/owners.ts';
import type { Misdirection, OwnerRoute } from '../ownership/route.ts';
import { hashOfSlot } from '../ownership/slot-homes.ts';
import type { SelectionRequest } from '../regions/select.ts';
import type { Target } from '../regions/target.ts';
import type { ClientRequest } from './client-request.ts';
import type { ExchangeContext } from './context.ts';
import { misdirectionOf, type OwnedRequest, routeTo } from './owned-request.ts';

/**
 * With `affinity.returnAfterMs: 0`. Consumers come and go, and may stay where they are; the slots are always the same, and without
 * a return a bridge that was started again, or added, would never get one.
 */
const RETURN_AFTER_MS = 60_000;

/**
 * Whether a request goes to the owner of a slot: a produce request with a key, or one that gets a key from this gateway (`retry.produce:
 * exactly-once`). With a body that cannot be sent again it needs none: nothing is repeated.
 */
export function isKeyed({ idempotencyKey, settings, url }: ClientRequest, isBodyKept: boolean): boolean {
  if (idempotencyKey !== undefined) return true;
  return settings.retry.produce === 'exactly-once' && isBodyKept && isProduce(url.operation);
}

export interface RequestedSlotOptions {
  context: Pick<ExchangeContext, 'regions' | 'slotHomes' | 'returnPace' | 'identity' | 'stats'>;
  request: ClientRequest;
  /** Of the request to targets, with the key of the client. One that this gateway generates is added. */
  headers: string[];
  /** The request came from another region: only this gateway's own region may serve it. */
  localOnly: boolean;
}

export class RequestedSlot implements OwnedRequest {
  readonly hash: number;
  readonly route: OwnerRoute;
  readonly #options: RequestedSlotOptions;
  readonly #slot: number;

  constructor(options: RequestedSlotOptions) {
    this.#options = options;
    const { context, request, localOnly } = options;
    const key = request.idempotencyKey ?? generateKey(options);
    // The principal that the bridge sees, too.
    this.#slot = slotOf(keyIdentity(request.principalName, key));
    this.hash = hashOfSlot(this.#slot);
    const way = { ownedHash: this.hash, localOnly };
    this.route = routeTo(rememberedHome(context.slotHomes, this.#slot, context.regions.snapshot, way), request);
  }

  /**
   * With any request, and paced: all those that are in flight would ask. Regional gateways prefer their own regions, so they do not
   * agree on the region where a slot belongs, and ask for no return from another one. A slot that has just moved stays for that
   * time, too, in case gateways disagree on what can be reached.
   */
  moveIfDue(selection: SelectionRequest, nowMs: number): void {
    const { home } = this.route;
    if (home === undefined) return;
    const { regions, slotHomes, returnPace, identity } = this.#options.context;
    const { snapshot } = regions;
    const returnAfterMs = snapshot.settings.affinity.returnAfterMs || RETURN_AFTER_MS;
    const staysInRegion = identity.hop.region !== undefined;
    const reason = whyMove(snapshot, home, { request: selection, nowMs, returnAfterMs, staysInRegion });
    if (reason === undefined || (reason === 'return' && slotHomes.stayMs(this.#slot, nowMs) < returnAfterMs)) return;
    if (returnPace.take(nowMs)) this.route.askRelease(reason);
  }

  /** A slot is shared by many requests: each one beyond the limit of its owner would take it back and forth, with all that is under way. */
  isHeldUp(tried: readonly Target[]): boolean {
    const { home } = this.route;
    if (home?.owner === undefined || tried.length > 0 || this.route.hasFailed(home.owner)) return false;
    return isOwnerFull(this.#options.context.regions.snapshot, home.owner);
  }

  /** Other requests of the slot go to the owner straight away, even if this one cannot: its body may be too long to be sent twice. */
  misdirected(response: TargetResponse, selection: SelectionRequest, tried: readonly Target[]): Misdirection {
    const { context, request } = this.#options;
    const misdirection = misdirectionOf(response, { context, request, route: this.route, selection, tried });
    if (misdirection.to === 'owner') this.#remember(misdirection);
    if (misdirection.to !== 'heir' || this.route.hasFailed(misdirection.unreachable)) return misdirection;
    return isOwnerFull(context.regions.snapshot, misdirection.unreachable) ? { to: 'nowhere' } : misdirection;
  }

  /** Not from a replayed answer: any bridge that has read it repeats it. */
  learn(response: TargetResponse, selection: SelectionRequest, { status }: { status: number }): void {
    if (status >= 300 || response.headers[REPLAYED_HEADER] !== undefined) return;
    this.#remember(homeOfResponse(this.#options.context.regions.snapshot, response, selection));
  }

  onNoResponse(): void {
    // Only the bridge has to know.
  }

  #remember({ target, owner }: { target: Target; owner: string | undefined }): void {
    const { slotHomes } = this.#options.context;
    const home = { target, owner };
    if (!isSameHome(slotHomes.homeOf(this.#slot), home)) slotHomes.remember(this.#slot, home);
  }
}

function generateKey({ context, headers }: RequestedSlotOptions): string {
  const key = randomUUID();
  headers.push(IDEMPOTENCY_KEY_HEADER, key);
  context.stats.generatedKeyCount += 1;
  return key;
}
