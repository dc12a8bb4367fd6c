/** The way of one request to the owner of its consumer or slot: the owner as far as known, and the owners out of reach. */
import { FAILED_HEADER, parseList, RELEASE_HEADER } from '@causeway/protocol/routing.ts';
import { type SelectionRequest, selectTarget } from '../regions/select.ts';
import type { Snapshot } from '../regions/snapshot.ts';
import type { Target } from '../regions/target.ts';
import type { Home } from './home.ts';
import { leadsToOwner, targetOfOwner } from './owners.ts';

/**
 * The most responses 421 that one request follows. Ownership changes once in a failover; beyond this, bridges contend for it,
 * and the client has to try again.
 */
const MAX_MISDIRECTIONS = 6;

export interface OwnerRouteOptions {
  /** Where the request goes first. */
  home: Home | undefined;
  /** From a trusted gateway before this one: owners that it could not reach, and why the owner should release it. */
  failedHeader: string | undefined;
  releaseHeader: string | undefined;
}

/** A response 421, and what this gateway knows. */
export interface MisdirectedResponse {
  snapshot: Snapshot;
  request: SelectionRequest;
  /** The target that responded. */
  from: Target;
  /** `region/bridge`; `undefined`: no bridge owns it now. */
  owner: string | undefined;
  /** Another gateway sent the request, and follows what this one does not. */
  isFromGateway: boolean;
  /** The region in which this gateway stands. */
  ownRegion: string | undefined;
  /** Targets that failed this request. */
  tried: readonly Target[];
}

/** Where a response 421 leads. */
export type Misdirection =
  /** To the target that leads to the owner. */
  | { to: 'owner'; owner: string; target: Target }
  /** To the same target again, which learns that the owner cannot be reached. */
  | { to: 'heir'; unreachable: string; target: Target }
  /** To any target that was not tried: no bridge owns it. */
  | { to: 'anyone' }
  /** To the gateway that sent the request, which knows the other regions. */
  | { to: 'sender' }
  /** The owner has changed too often. */
  | { to: 'nowhere' };

/** One that leads to a target of this gateway. */
export type FollowedMisdirection = Exclude<Misdirection, { to: 'sender' | 'nowhere' }>;

export class OwnerRoute {
  #home: Home | undefined;
  readonly #failed: Set<string>;
  readonly #releaseHeader: string | undefined;
  /** Why this gateway itself asks the owner for a release. */
  #release: string | undefined;
  #owner: string | undefined;
  #ownerTarget: Target | undefined;
  #followedCount = 0;

  constructor({ home, failedHeader, releaseHeader }: OwnerRouteOptions) {
    this.#home = home;
    this.#failed = new Set(parseList(failedHeader));
    this.#releaseHeader = releaseHeader;
    this.#owner = home?.owner;
    this.#ownerTarget = home?.target;
  }

  /** Where the owner was when the request arrived. */
  get home(): Home | undefined {
    return this.#home;
  }

  /** Another Kafka cluster is active: a bridge there will own what the request is for, and nothing is known of it. */
  forgetOwner(): void {
    this.#home = undefined;
    this.#owner = undefined;
    this.#ownerTarget = undefined;
    this.#release = undefined;
  }

  /** The target that leads to the owner: after a gateway that was tried without success, another one of its region. */
  placeOfHome({ regions }: Snapshot, tried: readonly Target[]): Target | undefined {
    const target = this.home?.target;
    if (target === undefined || !tried.includes(target) || this.#owner === undefined) return target;
    const region = target.bridge === undefined ? regions.find(({ name }) => name === target.region) : undefined;
    return region?.targets.find((one) => one.bridge === undefined && one.isAvailable && !tried.includes(one));
  }

  /** Whether the owner could not be reached, here or by a gateway before this one. */
  hasFailed(owner: string): boolean {
    return this.#failed.has(owner);
  }

  /** Asks the owner to release it. */
  askRelease(reason: string): void {
    this.#release = reason;
  }

  /** The headers of an attempt at `target`. If that does not lead to the known owner, the owner counts as failed. */
  headersAt(target: Target, headers: string[]): string[] {
    if (this.#owner !== undefined && target !== this.#ownerTarget && !leadsToOwner(target, this.#owner)) {
      this.#ownerFailed();
    }
    const release = this.#releaseHeader ?? this.#release;
    const isReleasing = release !== undefined && this.#failed.size === 0;
    if (this.#failed.size === 0 && !isReleasing) return headers;
    const result = [...headers];
    if (this.#failed.size > 0) result.push(FAILED_HEADER, [...this.#failed].join(', '));
    if (isReleasing) result.push(RELEASE_HEADER, release);
    return result;
  }

  /** Where a response 421 leads. Changes nothing: {@link follow} does. */
  misdirected({ snapshot, request, from, owner, isFromGateway, ownRegion, tried }: MisdirectedResponse): Misdirection {
    const isOwn = owner !== undefined && ownRegion !== undefined && owner.startsWith(`${ownRegion}/`);
    const wasReleased = owner === undefined && this.#releaseHeader !== undefined;
    if (isFromGateway && ownRegion !== undefined && (wasReleased || (owner !== undefined && !isOwn))) {
      return { to: 'sender' };
    }
    if (this.#followedCount >= MAX_MISDIRECTIONS) return { to: 'nowhere' };
    if (owner === undefined) {
      // The gateway before this one may know a bridge in another region.
      const isLast = isFromGateway && ownRegion !== undefined && selectTarget(snapshot, request, tried) === undefined;
      return isLast ? { to: 'sender' } : { to: 'anyone' };
    }
    const target = this.#failed.has(owner) ? undefined : targetOfOwner(snapshot, owner, request);
    const isElsewhere = target !== undefined && target !== from && !tried.includes(target);
    return isElsewhere ? { to: 'owner', owner, target } : { to: 'heir', unreachable: owner, target: from };
  }

  /** Notes that the request goes where `misdirection` leads. */
  follow(misdirection: FollowedMisdirection): void {
    this.#followedCount += 1;
    this.#release = undefined;
    this.#owner = undefined;
    if (misdirection.to === 'heir') this.#failed.add(misdirection.unreachable);
    if (misdirection.to !== 'owner') return;
    this.#owner = misdirection.owner;
    this.#ownerTarget = misdirection.target;
  }

  #ownerFailed(): void {
    if (this.#owner !== undefined) this.#failed.add(this.#owner);
    this.#owner = undefined;
  }
}
