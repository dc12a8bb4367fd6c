/** The way of one consumer's request to the consumer's owner: the owner as far as known, and the owners out of reach. */
import { FAILED_HEADER, parseList, RELEASE_HEADER } from '@causeway/protocol/routing.ts';
import type { SelectionRequest } from '../regions/select.ts';
import type { Snapshot } from '../regions/snapshot.ts';
import type { Target } from '../regions/target.ts';
import type { Home } from './affinity.ts';
import { leadsToOwner, targetOfOwner } from './owners.ts';

/**
 * The most responses 421 that one request follows. Ownership changes once in a failover; beyond this, bridges contend for the
 * consumer, and the client has to try again.
 */
const MAX_MISDIRECTIONS = 6;

export interface ConsumerRouteOptions {
  home: Home | undefined;
  /** From a trusted gateway before this one: owners that it could not reach, and why the owner should release the consumer. */
  failedHeader: string | undefined;
  releaseHeader: string | undefined;
}

/** A response 421, and what this gateway knows. */
export interface MisdirectedResponse {
  snapshot: Snapshot;
  request: SelectionRequest;
  /** The target that responded. */
  from: Target;
  /** `region/bridge`; `undefined`: no bridge owns the consumer now. */
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
  /** To any target that was not tried: no bridge owns the consumer. */
  | { to: 'anyone' }
  /** To the gateway that sent the request, which knows the other regions. */
  | { to: 'sender' }
  /** The owner has changed too often. */
  | { to: 'nowhere' };

/** One that leads to a target of this gateway. */
export type FollowedMisdirection = Exclude<Misdirection, { to: 'sender' | 'nowhere' }>;

export class ConsumerRoute {
  readonly #failed: Set<string>;
  readonly #releaseHeader: string | undefined;
  /** Why this gateway itself asks the owner to release the consumer. */
  #release: string | undefined;
  #owner: string | undefined;
  #ownerTarget: Target | undefined;
  #followedCount = 0;

  constructor({ home, failedHeader, releaseHeader }: ConsumerRouteOptions) {
    this.#failed = new Set(parseList(failedHeader));
    this.#releaseHeader = releaseHeader;
    this.#owner = home?.owner;
    this.#ownerTarget = home?.target;
  }

  /** Whether there is an owner that can be reached, as far as known. */
  get hasOwner(): boolean {
    return this.#owner !== undefined;
  }

  /** Asks the owner to release the consumer. */
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
    if (owner === undefined) return { to: 'anyone' };
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
