/** The seam between exchanges and the front door: who sends a request, whether the principal may, and how much. */
import type { Admission, Principal, Refused, Usage } from './admission.ts';
import type { ClientRequest } from './client-request.ts';

export interface Gatekeeper {
  /** A promise only where credentials appear for the first time: a request costs none otherwise. Never rejects. */
  admit(request: ClientRequest): Admission | Promise<Admission>;
}

/** Quotas: how much a principal, or an address without one, may use. */
export interface Quotas {
  /** Of the client's address: too many failed authentications. Credentials that were verified before do not come here. */
  whyBlocked(request: ClientRequest): Refused | undefined;
  authenticationFailed(request: ClientRequest): void;
  /** Takes what the request uses; `undefined`: nothing limits it. */
  admit(principal: Principal | undefined, request: ClientRequest): Allowance | Refused | undefined;
}

export interface Allowance {
  readonly kind: 'allowed';
  /** Names and values in turn, for targets: the number of consumers. */
  readonly headers: readonly string[];
  /** Names and values in turn, for the response. */
  readonly responseHeaders: readonly string[];
  readonly usage: Usage | undefined;
}
