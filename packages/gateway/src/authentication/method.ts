/** What every method of authentication has in common. */
import type { Principal } from '../exchange/admission.ts';
import type { ClientRequest } from '../exchange/client-request.ts';

/** The part of a request that methods read. */
export type CredentialedRequest = Pick<ClientRequest, 'message' | 'peer' | 'trust' | 'clientAddress'>;

export interface Authenticated {
  readonly kind: 'authenticated';
  readonly principal: Principal;
}

/** The credentials are wrong: 401. */
export interface AuthenticationFailure {
  readonly kind: 'failed';
  /** For the client. It contains nothing of the credentials, and does not say whether a name exists. */
  readonly message: string;
  /** In place of the method's own challenge in `WWW-Authenticate`. */
  readonly challenge?: string;
  /** They were right once, as they say: no attempt to guess, and no reason to count it against the client's address. */
  readonly isExpired?: boolean;
}

/** Nothing says now whether the credentials are right: 503. */
export interface AuthenticationUnavailable {
  readonly kind: 'unavailable';
  /** For the client. */
  readonly message: string;
}

export type Authentication = Authenticated | AuthenticationFailure | AuthenticationUnavailable;

export interface AuthenticationMethod {
  readonly name: 'jwt' | 'basic' | 'apiKey' | 'certificate';
  /** Of `WWW-Authenticate` (RFC 9110 §11.6.1) for a request without credentials; `undefined`: HTTP has none for this method. */
  readonly challenge: string | undefined;
  /** Headers with its credentials, in lower case: targets do not get them. */
  readonly credentialHeaders: readonly string[];
  /** Whether the request has credentials of this kind, right or wrong: then no other method is asked. */
  applies(request: CredentialedRequest): boolean;
  /** Credentials that were verified before, and still hold; `undefined`: {@link authenticate} decides. Costs a look into a map. */
  recall(request: CredentialedRequest): Authenticated | undefined;
  /** Never rejects. */
  authenticate(request: CredentialedRequest): Authentication | Promise<Authentication>;
}
