/** What one request of a consumer learns of where its consumer is: the owner as far as known, and owners out of reach. */
import { FAILED_HEADER, parseList, RELEASE_HEADER } from '@causeway/protocol/routing.ts';
import type { SelectionRequest } from '../regions/select.ts';
import type { Snapshot } from '../regions/snapshot.ts';
import type { Target } from '../regions/target.ts';
import type { Home } from './affinity.ts';
import { targetOfOwner } from './owners.ts';

/**
 * Answers 421 that one request follows at most. Ownership changes once a failover; more than this is a consumer that is
 * fought over, and the client is told to come again.
 */
const MAX_MISDIRECTIONS = 6;

export interface ConsumerRouteOptions {
  home: Home | undefined;
  /** What a trusted gateway before this one says: owners that it could not reach, and why the owner is to let go. */
  failedHeader: string | undefined;
  releaseHeader: string | undefined;
}

export interface Misdirection {
  snapshot: Snapshot;
  request: SelectionRequest;
  /** Who answered 421. */
  from: Target;
  /** `region/bridge`; `undefined`: nobody owns the consumer now. */
  owner: string | undefined;
  /** Another gateway sent the request, and follows what this one does not. */
  isFromGateway: boolean;
  /** The region in which this gateway stands. */
  ownRegion: string | undefined;
  /** Targets that failed this request. */
  tried: readonly Target[];
}

export type MisdirectionAnswer =
  /** Send it there, tried or not. */
  | { action: 'goTo'; target: Target }
  /** Any target that was not tried. */
  | { action: 'goOn' }
  /** The gateway that sent the request knows better. */
  | { action: 'passUp' }
  | { action: 'giveUp' };

export class ConsumerRoute {
  readonly #failed: Set<string>;
  readonly #releaseHeader: string | undefined;
  /** This gateway itself wants the owner to let go. */
  #release: string | undefined;
  #owner: string | undefined;
  #ownerTarget: Target | undefined;
  #misdirectionCount = 0;

  constructor({ home, failedHeader, releaseHeader }: ConsumerRouteOptions) {
    this.#failed = new Set(parseList(failedHeader));
    this.#releaseHeader = releaseHeader;
    this.#owner = home?.owner;
    this.#ownerTarget = home?.target;
  }

  /** The owner is to release the consumer. */
  askRelease(reason: string): void {
    this.#release = reason;
  }

  /** The headers of an attempt at `target`; one that passes the owner by says so. */
  headersAt(target: Target, headers: string[]): string[] {
    if (this.#owner !== undefined && target !== this.#ownerTarget) this.#ownerFailed();
    const release = this.#releaseHeader ?? this.#release;
    const isReleasing = release !== undefined && this.#failed.size === 0;
    if (this.#failed.size === 0 && !isReleasing) return headers;
    const result = [...headers];
    if (this.#failed.size > 0) result.push(FAILED_HEADER, [...this.#failed].join(', '));
    if (isReleasing) result.push(RELEASE_HEADER, release);
    return result;
  }

  /** What follows an answer 421. */
  misdirected(misdirection: Misdirection): MisdirectionAnswer {
    const { snapshot, request, from, owner, isFromGateway, ownRegion, tried } = misdirection;
    this.#misdirectionCount += 1;
    const isOwn = owner !== undefined && ownRegion !== undefined && owner.startsWith(`${ownRegion}/`);
    const wasReleased = owner === undefined && this.#releaseHeader !== undefined;
    if (isFromGateway && ownRegion !== undefined && (wasReleased || (owner !== undefined && !isOwn))) {
      return { action: 'passUp' };
    }
    if (this.#misdirectionCount > MAX_MISDIRECTIONS) return { action: 'giveUp' };
    this.#release = undefined;
    this.#owner = undefined;
    if (owner === undefined) return { action: 'goOn' };
    const target = this.#failed.has(owner) ? undefined : targetOfOwner(snapshot, owner, request);
    if (target !== undefined && target !== from && !tried.includes(target)) {
      this.#owner = owner;
      this.#ownerTarget = target;
      return { action: 'goTo', target };
    }
    this.#failed.add(owner);
    return { action: 'goTo', target: from };
  }

  #ownerFailed(): void {
    if (this.#owner !== undefined) this.#failed.add(this.#owner);
    this.#owner = undefined;
  }
}
