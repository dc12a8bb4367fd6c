/** Authenticates requests: the first method that applies decides, and wrong credentials are never anonymous. */
import { ANONYMOUS } from '@causeway/protocol/principal.ts';
import type { Principal } from '../exchange/admission.ts';
import type { Authenticated, Authentication, AuthenticationMethod, CredentialedRequest } from './method.ts';

/** How requests were authenticated: integers that a scrape reads. They outlive reloads. */
export class AuthenticationStats {
  /** By method (`none`: no credentials) and outcome. */
  readonly counts = new Map<string, Record<AuthenticationOutcome, number>>();

  /** From now on the method is counted: a rate sees only what grows. */
  begin(method: string): void {
    if (!this.counts.has(method)) this.counts.set(method, { authenticated: 0, failed: 0, unavailable: 0 });
  }

  count(method: string, outcome: AuthenticationOutcome): void {
    const counts = this.counts.get(method);
    if (counts !== undefined) counts[outcome] += 1;
  }
}

export type AuthenticationOutcome = Authentication['kind'];

export interface AuthenticatorOptions {
  /** In the order in which they are asked. */
  methods: readonly AuthenticationMethod[];
  allowsAnonymous: boolean;
  stats: AuthenticationStats;
}

/** The method of requests without credentials. */
const NONE = 'none';
const ANONYMOUS_PRINCIPAL: Principal = { name: ANONYMOUS, roles: [], method: 'anonymous' };
const AS_ANONYMOUS: Authenticated = { kind: 'authenticated', principal: ANONYMOUS_PRINCIPAL };

export class Authenticator {
  /** The headers with credentials, also of methods that are not configured. */
  readonly credentialHeaders: ReadonlySet<string>;
  readonly #options: AuthenticatorOptions;

  constructor(options: AuthenticatorOptions) {
    this.#options = options;
    this.credentialHeaders = new Set([
      AUTHORIZATION,
      ...options.methods.flatMap(({ credentialHeaders }) => credentialHeaders),
    ]);
    for (const name of [NONE, ...options.methods.map((method) => method.name)]) options.stats.begin(name);
  }

  /** What needs no work: credentials that were verified before, and the lack of credentials. */
  recall(request: CredentialedRequest): Authentication | undefined {
    const { stats } = this.#options;
    const method = this.#methodFor(request);
    if (hasSeveralAuthorizations(request)) return this.#counted(method?.name ?? NONE, SEVERAL);
    const recalled = method === undefined ? this.#withoutCredentials() : method.recall(request);
    if (recalled !== undefined) stats.count(method?.name ?? NONE, recalled.kind);
    return recalled;
  }

  /** After {@link recall}, for credentials that it does not know. */
  authenticate(request: CredentialedRequest): Authentication | Promise<Authentication> {
    const method = this.#methodFor(request);
    if (method === undefined) return this.#counted(NONE, this.#withoutCredentials());
    const authentication = method.authenticate(request);
    return authentication instanceof Promise
      ? authentication.then((settled) => this.#counted(method.name, settled))
      : this.#counted(method.name, authentication);
  }

  /** Names and values of `WWW-Authenticate` for a response 401 to the request; the method that failed comes first. */
  challengesFor(request: CredentialedRequest, failedChallenge: string | undefined): readonly string[] {
    const failed = this.#methodFor(request);
    const others = this.#options.methods.filter((method) => method !== failed);
    const challenges = [failedChallenge ?? failed?.challenge, ...others.map(({ challenge }) => challenge)];
    return challenges.flatMap((challenge) => (challenge === undefined ? [] : ['www-authenticate', challenge]));
  }

  #methodFor(request: CredentialedRequest): AuthenticationMethod | undefined {
    for (const method of this.#options.methods) if (method.applies(request)) return method;
    return undefined;
  }

  #withoutCredentials(): Authentication {
    return this.#options.allowsAnonymous ? AS_ANONYMOUS : NO_CREDENTIALS;
  }

  #counted(method: string, authentication: Authentication): Authentication {
    this.#options.stats.count(method, authentication.kind);
    return authentication;
  }
}

/** Node keeps the first one only, and something behind another one (RFC 9110 §5.3). */
function hasSeveralAuthorizations({ message }: CredentialedRequest): boolean {
  const { rawHeaders } = message;
  let count = 0;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] as string;
    if (name.length === AUTHORIZATION.length && name.toLowerCase() === AUTHORIZATION) count += 1;
  }
  return count > 1;
}

const AUTHORIZATION = 'authorization';
const SEVERAL: Authentication = { kind: 'failed', message: 'The request has more than one Authorization header.' };
const NO_CREDENTIALS: Authentication = { kind: 'failed', message: 'The request has no credentials.' };
