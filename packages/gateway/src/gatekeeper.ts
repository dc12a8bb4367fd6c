/**
 * The front door: who sends a request, whether the principal may, and how much. It composes authentication, rules and quotas, in this
 * order; each of them may be absent.
 */
import { formatPrincipal, parsePrincipal } from '@causeway/protocol/principal.ts';
import { PRINCIPAL_HEADER } from '@causeway/protocol/routing.ts';
import type { Authenticator } from './authentication/authenticator.ts';
import { TextCache } from './authentication/cache.ts';
import type { Authentication } from './authentication/method.ts';
import type { Authorizer } from './authorization/authorizer.ts';
import { GatewayError } from './errors.ts';
import type { Admission, Admitted, Principal, Refused } from './exchange/admission.ts';
import { hasBody } from './exchange/body.ts';
import type { ClientRequest } from './exchange/client-request.ts';
import type { Gatekeeper, Quotas } from './exchange/gatekeeper.ts';

export interface DoorkeeperOptions {
  authenticator: Authenticator | undefined;
  authorizer: Authorizer | undefined;
  quotas: Quotas | undefined;
  /** Whether targets get the credentials of clients. */
  forwardsCredentials: boolean;
}

const NO_HEADERS: readonly string[] = [];
const NONE: ReadonlySet<string> = new Set();
/** Principals that other gateways have authenticated. */
const SENT_PRINCIPALS = { maxEntries: 20_000, maxChars: 1_000_000 };

/** Of one configuration; a reload makes another one. */
export class Doorkeeper implements Gatekeeper {
  readonly #options: DoorkeeperOptions;
  readonly #withheld: ReadonlySet<string>;
  /** By the text of `causeway-principal`. */
  readonly #sent = new TextCache<Admitted>(SENT_PRINCIPALS);
  /** What a principal's requests have in common. Its object lives as long as its credentials are remembered. */
  readonly #known = new WeakMap<Principal, Admitted>();

  constructor(options: DoorkeeperOptions) {
    this.#options = options;
    this.#withheld = options.forwardsCredentials ? NONE : (options.authenticator?.credentialHeaders ?? NONE);
  }

  admit(request: ClientRequest): Admission | Promise<Admission> {
    if (request.isFromGateway) {
      const admitted = this.#admitFromGateway(request);
      if (admitted !== undefined) return admitted;
    }
    const { authenticator, quotas } = this.#options;
    // Browsers send no credentials with a preflight, to which bridges respond; it is at the expense of its address.
    if (authenticator === undefined || isPreflight(request)) return this.#decide(request, undefined);
    const recalled = authenticator.recall(request);
    if (recalled !== undefined) return this.#onAuthenticated(request, recalled);
    const blocked = quotas?.whyBlocked(request);
    if (blocked !== undefined) return blocked;
    const authentication = authenticator.authenticate(request);
    return authentication instanceof Promise
      ? authentication.then((settled) => this.#onTried(request, settled))
      : this.#onTried(request, authentication);
  }

  /** What another gateway has admitted: it has applied rules and quotas, and its headers travel on as they are. */
  #admitFromGateway(request: ClientRequest): Admitted | undefined {
    const text = request.gatewayHeader(PRINCIPAL_HEADER);
    const name = parsePrincipal(text);
    if (text === undefined || name === undefined) {
      // What a gateway asks by itself is for no client.
      return request.url.internal === undefined ? undefined : this.#admitted(undefined, NO_HEADERS);
    }
    let admitted = this.#sent.get(text);
    if (admitted === undefined) {
      admitted = this.#admitted({ name, roles: [], method: 'gateway' }, NO_HEADERS);
      this.#sent.set(text, admitted);
    }
    request.principal = admitted.principal;
    return admitted;
  }

  #onTried(request: ClientRequest, authentication: Authentication): Admission {
    if (authentication.kind === 'failed' && authentication.isExpired !== true)
      this.#options.quotas?.authenticationFailed(request);
    return this.#onAuthenticated(request, authentication);
  }

  #onAuthenticated(request: ClientRequest, authentication: Authentication): Admission {
    switch (authentication.kind) {
      case 'authenticated':
        return this.#decide(request, authentication.principal);
      case 'failed': {
        const { message, challenge } = authentication;
        const headers = this.#options.authenticator?.challengesFor(request, challenge) ?? NO_HEADERS;
        return refused(new GatewayError('unauthenticated', message), headers);
      }
      case 'unavailable':
        return refused(new GatewayError('authenticationUnavailable', authentication.message), NO_HEADERS);
    }
  }

  #decide(request: ClientRequest, principal: Principal | undefined): Admission {
    request.principal = principal;
    const { authorizer, quotas } = this.#options;
    const authorization = authorizer?.authorize(principal, request.url);
    if (authorization?.kind === 'forbidden') {
      return refused(new GatewayError('forbidden', authorization.message), NO_HEADERS);
    }
    const allowance = quotas?.admit(principal, request);
    if (allowance?.kind === 'refused') return allowance;
    const known = this.#knownAs(principal);
    const rights = authorization?.headers ?? NO_HEADERS;
    if (allowance === undefined && rights.length === 0) return known;
    const shares = allowance?.headers ?? NO_HEADERS;
    return {
      kind: 'admitted',
      principal,
      headers: rights.length + shares.length === 0 ? known.headers : [...known.headers, ...rights, ...shares],
      withheld: this.#withheld,
      responseHeaders: allowance?.responseHeaders ?? NO_HEADERS,
      usage: allowance?.usage,
    };
  }

  #knownAs(principal: Principal | undefined): Admitted {
    if (principal === undefined) return this.#admitted(undefined, NO_HEADERS);
    let known = this.#known.get(principal);
    if (known === undefined) {
      known = this.#admitted(principal, [PRINCIPAL_HEADER, formatPrincipal(principal.name)]);
      this.#known.set(principal, known);
    }
    return known;
  }

  #admitted(principal: Principal | undefined, headers: readonly string[]): Admitted {
    const withheld = this.#withheld;
    return { kind: 'admitted', principal, headers, withheld, responseHeaders: NO_HEADERS, usage: undefined };
  }
}

/** https://fetch.spec.whatwg.org/#cors-preflight-request */
function isPreflight({ method, message }: ClientRequest): boolean {
  const { origin, 'access-control-request-method': requested } = message.headers;
  // It has no body: without credentials none is read.
  return method === 'OPTIONS' && origin !== undefined && requested !== undefined && !hasBody(message);
}

function refused(error: GatewayError, headers: readonly string[]): Refused {
  return { kind: 'refused', error, headers };
}
