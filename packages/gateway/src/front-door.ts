/** Keeps the front door as the configuration says: builds its parts, and replaces those that a reload changes. */
import { ANONYMOUS } from '@causeway/protocol/principal.ts';
import { type AuthenticationStats, Authenticator } from './authentication/authenticator.ts';
import { CredentialMethods } from './authentication/credential-methods.ts';
import type { KeySource } from './authentication/jwks-source.ts';
import { JwtMethod } from './authentication/jwt.ts';
import { KeySources } from './authentication/key-sources.ts';
import type { AuthenticationMethod } from './authentication/method.ts';
import { Authorizer } from './authorization/authorizer.ts';
import type { AccessSection } from './config/access.ts';
import type { AuthSection } from './config/auth.ts';
import type { GatewayConfig } from './config/schema.ts';
import type { EventLog } from './events.ts';
import type { Gatekeeper } from './exchange/gatekeeper.ts';
import { Doorkeeper } from './gatekeeper.ts';
import { Quotas } from './quotas/quotas.ts';
import type { RequestStats } from './stats.ts';

export interface FrontDoorOptions {
  config: Pick<GatewayConfig, 'auth' | 'access' | 'quotas'>;
  events: EventLog;
  authentications: AuthenticationStats;
  /** Learns which principals have counts of their own. */
  stats: Pick<RequestStats, 'namedPrincipals'>;
  /** Milliseconds, never going back. */
  now: () => number;
  /** Milliseconds since 1970. */
  wallClock: () => number;
}

/** Each has some series of metrics. */
const MAX_NAMED_PRINCIPALS = 1_000;

export class FrontDoor {
  /** `undefined` while the configuration has neither authentication nor rules nor quotas. */
  gatekeeper: Gatekeeper | undefined;
  readonly #options: FrontDoorOptions;
  readonly #keys: KeySources;
  readonly quotas: Quotas;
  /** Passwords, keys and certificates. */
  readonly credentials: CredentialMethods;
  #config: FrontDoorOptions['config'];
  #authenticator: Authenticator | undefined;
  #authorizer: Authorizer | undefined;

  constructor(options: FrontDoorOptions) {
    this.#options = options;
    this.#config = options.config;
    this.quotas = new Quotas({
      config: options.config.quotas,
      onExceeded: (report) => options.events.emit({ type: 'quotaExceeded', ...report }),
      now: options.now,
    });
    this.#keys = new KeySources({
      now: options.now,
      onChange: (issuer, problem) => options.events.emit({ type: 'issuerKeys', issuer, problem }),
    });
    this.credentials = new CredentialMethods({
      now: options.now,
      wallClock: options.wallClock,
      onChange: (change) => options.events.emit({ type: 'credentials', ...change }),
    });
  }

  get keySources(): readonly KeySource[] {
    return this.#keys.all;
  }

  start(): void {
    this.#authenticator = this.#authenticatorOf(this.#config.auth);
    this.#authorizer = authorizerOf(this.#config.access);
    this.#open();
  }

  /** Takes over another configuration. What it leaves as it is keeps what it knows. */
  configure(config: FrontDoorOptions['config']): void {
    const before = this.#config;
    this.#config = config;
    if (JSON.stringify(before.auth) !== JSON.stringify(config.auth)) {
      this.#authenticator = this.#authenticatorOf(config.auth);
    }
    if (JSON.stringify(before.access) !== JSON.stringify(config.access)) this.#authorizer = authorizerOf(config.access);
    this.quotas.configure(config.quotas);
    this.#open();
  }

  close(): void {
    this.#keys.close();
    this.credentials.close();
  }

  #open(): void {
    const { auth } = this.#config;
    const authenticator = this.#authenticator;
    const authorizer = this.#authorizer;
    // They limit failed authentications in any case.
    const quotas = authenticator !== undefined || this.quotas.isLimiting ? this.quotas : undefined;
    const names = namedPrincipals(this.#config);
    this.#options.stats.namedPrincipals = names;
    this.quotas.namedPrincipals = names;
    if (authenticator === undefined && authorizer === undefined && quotas === undefined) {
      this.gatekeeper = undefined;
      return;
    }
    const forwardsCredentials = auth?.forwardCredentials ?? false;
    this.gatekeeper = new Doorkeeper({ authenticator, authorizer, quotas, forwardsCredentials });
  }

  #authenticatorOf(auth: AuthSection | undefined): Authenticator | undefined {
    const issuers = auth?.jwt?.issuers ?? [];
    const sources = this.#keys.configure(issuers);
    const ofCredentials = this.credentials.configure(auth ?? {});
    if (auth === undefined) return undefined;
    const { authentications, wallClock } = this.#options;
    const methods: AuthenticationMethod[] = [];
    if (auth.jwt !== undefined) {
      methods.push(
        new JwtMethod({
          issuers: issuers.map((config, index) => ({ config, keys: sources[index] as KeySource })),
          wallClock,
        }),
      );
    }
    methods.push(...ofCredentials);
    return new Authenticator({ methods, allowsAnonymous: auth.anonymous === 'allow', stats: authentications });
  }
}

/** Those that have series of metrics of their own. */
function namedPrincipals({ auth, access, quotas }: FrontDoorOptions['config']): ReadonlySet<string> {
  const entries: readonly { principals?: readonly string[] }[] = [
    ...(access?.rules ?? []),
    ...(quotas?.principals ?? []),
  ];
  const names = [...(auth?.metricPrincipals ?? []), ...entries.flatMap(({ principals = [] }) => principals)];
  return new Set([ANONYMOUS, ...names.filter((name) => name !== '*')].slice(0, MAX_NAMED_PRINCIPALS));
}

function authorizerOf(access: AccessSection | undefined): Authorizer | undefined {
  return access === undefined ? undefined : new Authorizer(access.rules);
}
