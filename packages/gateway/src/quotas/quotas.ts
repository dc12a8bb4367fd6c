/** How much a principal, or an address of clients without one, may use at this gateway: counts each request, and refuses those beyond a limit. */
import type { Socket } from 'node:net';
import { clientNetwork } from '@causeway/config/client-address.ts';
import type { QuotasConfig } from '../config/quotas.ts';
import { GatewayError } from '../errors.ts';
import type { Principal, Refused } from '../exchange/admission.ts';
import type { ClientRequest } from '../exchange/client-request.ts';
import type { Allowance, Quotas as QuotasOfRequests } from '../exchange/gatekeeper.ts';
import { principalLabel } from '../stats.ts';
import { Account, type Excess, RequestUsage } from './account.ts';
import { Accounts } from './accounts.ts';
import { ConnectionCounts } from './connections.ts';
import { type ExcessReport, ExcessReports } from './excess-reports.ts';
import { FailedAuthentications } from './failed-authentications.ts';
import { LimitRules, type Limits, type QuotaLimit } from './limits.ts';
import { QuotaCounts } from './quota-counts.ts';

export interface QuotasOptions {
  config: QuotasConfig;
  /** Requests were refused. At most once a minute for each quota. Default: nothing. */
  onExceeded?: (report: ExcessReport) => void;
  /** Milliseconds, never going back. */
  now: () => number;
}

/** What quotas read of a request. */
export type CountedRequest = Pick<ClientRequest, 'clientAddress' | 'isFromGateway' | 'trust' | 'url'> & {
  readonly message: Pick<ClientRequest['message'], 'socket'>;
};

const NO_HEADERS: readonly string[] = [];
/** The label of addresses in metrics. */
const NO_PRINCIPAL = 'none';

export class Quotas implements QuotasOfRequests {
  readonly counts = new QuotaCounts();
  /** Those that have series of metrics of their own. */
  namedPrincipals: ReadonlySet<string> = new Set();
  readonly #now: () => number;
  readonly #reports: ExcessReports;
  readonly #principals = new Accounts<Account>();
  /** Apart from principals: a flood of addresses makes no principal forgotten. */
  readonly #addresses = new Accounts<Account>();
  readonly #failures: FailedAuthentications;
  readonly #connections = new ConnectionCounts();
  #rules: LimitRules;

  constructor({ config, onExceeded = () => {}, now }: QuotasOptions) {
    this.#now = now;
    this.#reports = new ExcessReports({ onReport: onExceeded, now });
    this.#rules = new LimitRules(config);
    this.#failures = new FailedAuthentications(config.failedAuthentications);
  }

  /** Takes over the limits of a reload; what is used stays used. */
  configure(config: QuotasConfig): void {
    this.#rules = new LimitRules(config);
    this.#failures.configure(config.failedAuthentications, this.#now());
  }

  /** Whether it limits requests. */
  get isLimiting(): boolean {
    return this.#rules.isLimiting;
  }

  /** Principals and addresses that have used something lately. */
  get accountCounts(): { principal: number; address: number } {
    return { principal: this.#principals.count, address: this.#addresses.count };
  }

  whyBlocked(request: CountedRequest): Refused | undefined {
    const retryAfterSeconds = this.#failures.blockedSeconds(request.clientAddress, this.#now());
    if (retryAfterSeconds === 0) return undefined;
    this.#countRefused('failedAuthentications', undefined, request);
    const message = `Too many failed authentications of this address: retry after ${retryAfterSeconds} s.`;
    return refused(new GatewayError('quotaExceeded', message, { retryAfterSeconds }), NO_HEADERS);
  }

  authenticationFailed(request: CountedRequest): void {
    this.#failures.failed(request.clientAddress, this.#now());
  }

  /** Why a connection may not enter, in words; `undefined`: it may. `isHop`: the address is a trusted proxy's or peer's, which has many clients. */
  whyRefused(socket: Socket, address: string, isHop: boolean): string | undefined {
    const rules = this.#rules;
    if (!rules.countsConnections || isHop || rules.isExempt(address)) return undefined;
    const { maxConnections } = rules.default;
    if (maxConnections !== undefined && this.#connections.ofAddress(address) >= maxConnections) {
      return `${address} has ${maxConnections} connections without an authenticated client (quotas.default.maxConnections)`;
    }
    this.#connections.enter(socket, address);
    return undefined;
  }

  /** Takes what a request of a client uses. */
  admit(principal: Principal | undefined, request: CountedRequest): Allowance | Refused | undefined {
    const nowMs = this.#now();
    const rules = this.#rules;
    const limits = principal === undefined ? rules.default : rules.of(principal);
    if (rules.countsConnections && principal !== undefined && !this.#useConnection(principal, request, limits)) {
      this.#countRefused('maxConnections', principal, request);
      const { maxConnections: value = 0 } = limits;
      const error = errorOf({ limit: 'maxConnections', value, retryAfterSeconds: 1 });
      return { kind: 'refused', error, headers: NO_HEADERS, endsConnection: true };
    }
    const headers =
      request.url.operation === 'createConsumer' && principal !== undefined ? limits.consumerHeaders : NO_HEADERS;
    const account = limits.countsRequests ? this.#accountOf(principal, request, { limits, nowMs }) : undefined;
    if (account === undefined) {
      if (headers.length === 0) return undefined;
      return { kind: 'allowed', usage: undefined, headers, responseHeaders: NO_HEADERS };
    }
    const excess = account.take(nowMs);
    const responseHeaders = ['ratelimit-policy', limits.policy, 'ratelimit', account.rateLimit(nowMs)];
    if (excess === undefined) {
      return { kind: 'allowed', usage: new RequestUsage(account, this.#now), headers, responseHeaders };
    }
    this.#countRefused(excess.limit, principal, request);
    return refused(errorOf(excess), responseHeaders);
  }

  /** False: the principal has as many other connections as it may have. Those of proxies and gateways are shared, and not counted. */
  #useConnection({ name, method }: Principal, { trust, message }: CountedRequest, { maxConnections }: Limits): boolean {
    if (trust !== 'client' || method === 'anonymous') return true;
    return this.#connections.use(message.socket, name, maxConnections);
  }

  /** `undefined`: it is not counted here. All who are anonymous have the accounts of their addresses. */
  #accountOf(
    principal: Principal | undefined,
    request: CountedRequest,
    { limits, nowMs }: { limits: Limits; nowMs: number },
  ): Account | undefined {
    if (principal !== undefined && principal.method !== 'anonymous') {
      return found(this.#principals, principal.name, limits, nowMs);
    }
    // The gateway before this one has counted it.
    if (request.isFromGateway) return undefined;
    const address = request.clientAddress;
    return this.#rules.isExempt(address) ? undefined : found(this.#addresses, clientNetwork(address), limits, nowMs);
  }

  #countRefused(limit: QuotaLimit, principal: Principal | undefined, request: CountedRequest): void {
    this.counts.refused(limit, this.#labelOf(principal));
    const isAnonymous = principal === undefined || principal.method === 'anonymous';
    this.#reports.add(limit, isAnonymous ? request.clientAddress : principal.name);
  }

  #labelOf(principal: Principal | undefined): string {
    return principal === undefined ? NO_PRINCIPAL : principalLabel(principal.name, this.namedPrincipals);
  }
}

/** The account of a key, with these limits; a new one has all its tokens. */
function found(accounts: Accounts<Account>, key: string, limits: Limits, nowMs: number): Account {
  const known = accounts.find(key);
  if (known === undefined) return accounts.add(new Account(key, limits, nowMs), nowMs);
  known.configure(limits, nowMs);
  return known;
}

function refused(error: GatewayError, headers: readonly string[]): Refused {
  return { kind: 'refused', error, headers };
}

function errorOf({ limit, value, retryAfterSeconds }: Excess): GatewayError {
  const message = `The quota ${limit} (${value}) is used up: retry after ${retryAfterSeconds} s.`;
  return new GatewayError('quotaExceeded', message, { retryAfterSeconds });
}
