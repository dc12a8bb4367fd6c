/** Which limits a principal or an address has: those of the first exception that names it, else the default. */
import type { BlockList } from 'node:net';
import { isNetwork, isTrusted, trustedNetworks } from '@causeway/config/networks.ts';
import { MAX_CONSUMERS_HEADER } from '@causeway/protocol/routing.ts';
import type { LimitsConfig, QuotasConfig } from '../config/quotas.ts';
import type { Principal } from '../exchange/admission.ts';
import type { Rate } from './token-bucket.ts';

/** What is limited; the names are those of the configuration. */
export const QUOTA_LIMITS = [
  'requestsPerSecond',
  'bytesPerSecond',
  'maxInFlight',
  'maxConnections',
  'failedAuthentications',
] as const;
export type QuotaLimit = (typeof QUOTA_LIMITS)[number];

/** `undefined`: no limit. */
export interface Limits {
  readonly requests: Rate | undefined;
  readonly bytes: Rate | undefined;
  readonly maxInFlight: number | undefined;
  readonly maxConnections: number | undefined;
  /** Names and values in turn, for the bridge that creates a consumer. */
  readonly consumerHeaders: readonly string[];
  /** The `RateLimit-Policy` of responses. */
  readonly policy: string;
  /** Whether requests are counted. */
  readonly countsRequests: boolean;
}

const NO_HEADERS: readonly string[] = [];
const NO_LIMITS: Limits = limitsOf({});

/** The limits of one configuration; a reload makes another. */
export class LimitRules {
  /** Of a client without a principal. */
  readonly default: Limits;
  readonly #exceptions: readonly { principals: ReadonlySet<string>; roles: ReadonlySet<string>; limits: Limits }[];
  readonly #exempt: ReadonlySet<string>;
  readonly #exemptNetworks: BlockList;
  readonly #hasExemptNetworks: boolean;
  /** Principals are the same objects as long as their credentials are known. */
  readonly #found = new WeakMap<Principal, Limits>();
  readonly countsConnections: boolean;

  constructor({ default: defaults = {}, principals, exempt }: Omit<QuotasConfig, 'failedAuthentications'>) {
    this.default = limitsOf(defaults);
    this.#exceptions = principals.map((exception) => ({
      principals: new Set(exception.principals),
      roles: new Set(exception.roles),
      limits: limitsOf(exception),
    }));
    this.#exempt = new Set(exempt);
    this.#exemptNetworks = trustedNetworks(exempt);
    this.#hasExemptNetworks = exempt.some(isNetwork);
    this.countsConnections = [this.default, ...this.#exceptions.map(({ limits }) => limits)].some(
      ({ maxConnections }) => maxConnections !== undefined,
    );
  }

  /** Whether it limits anything. */
  get isLimiting(): boolean {
    return isLimiting(this.default) || this.#exceptions.some(({ limits }) => isLimiting(limits));
  }

  of(principal: Principal): Limits {
    let limits = this.#found.get(principal);
    if (limits === undefined) {
      limits = this.#find(principal);
      this.#found.set(principal, limits);
    }
    return limits;
  }

  /** Whether an address of clients without a principal has no limits. */
  isExempt(address: string): boolean {
    return this.#hasExemptNetworks && isTrusted(this.#exemptNetworks, address);
  }

  #find({ name, roles }: Principal): Limits {
    if (this.#exempt.has(name)) return NO_LIMITS;
    const exception = this.#exceptions.find(
      (candidate) => candidate.principals.has(name) || roles.some((role) => candidate.roles.has(role)),
    );
    return exception?.limits ?? this.default;
  }
}

function limitsOf(config: LimitsConfig): Limits {
  const { requestsPerSecond, requestBurst, bytesPerSecond, byteBurst, maxInFlight, maxConsumers, maxConnections } =
    config;
  const requests = rateOf(requestsPerSecond, requestBurst);
  const bytes = rateOf(bytesPerSecond, byteBurst);
  return {
    requests,
    bytes,
    maxInFlight,
    maxConnections,
    consumerHeaders: maxConsumers === undefined ? NO_HEADERS : [MAX_CONSUMERS_HEADER, String(maxConsumers)],
    policy: policyOf({ requests, bytes, maxInFlight }),
    countsRequests: requests !== undefined || bytes !== undefined || maxInFlight !== undefined,
  };
}

function isLimiting({ countsRequests, consumerHeaders, maxConnections }: Limits): boolean {
  return countsRequests || consumerHeaders.length > 0 || maxConnections !== undefined;
}

/** Without a burst the bucket holds what one second brings. */
function rateOf(perSecond: number | undefined, burst: number | undefined): Rate | undefined {
  return perSecond === undefined ? undefined : { perSecond, burst: burst ?? perSecond };
}

/** draft-ietf-httpapi-ratelimit-headers-11 §3: what a client may use in each second, for ever; the burst comes on top. */
function policyOf({ requests, bytes, maxInFlight }: Pick<Limits, 'requests' | 'bytes' | 'maxInFlight'>): string {
  const items: string[] = [];
  if (requests !== undefined) items.push(`"requests";q=${requests.perSecond};w=1;causeway-burst=${requests.burst}`);
  if (bytes !== undefined) {
    items.push(`"bytes";q=${bytes.perSecond};qu="content-bytes";w=1;causeway-burst=${bytes.burst}`);
  }
  if (maxInFlight !== undefined) items.push(`"inFlight";q=${maxInFlight};qu="concurrent-requests"`);
  return items.join(', ');
}
