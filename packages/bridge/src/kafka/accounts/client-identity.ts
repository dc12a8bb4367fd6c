/** The credentials by which the connections of one account authenticate, and whether Kafka refuses them now. */
import type { SASLOptions } from '@platformatic/kafka';
import { BridgeError } from '../../errors.ts';
import type { KafkaClientsConfig } from '../../kafka-config.ts';
import type { ConnectionIdentity } from '../client/cluster.ts';
import { authenticationFailureIn } from '../client/failure.ts';
import { checkBearerAnswer } from '../client/sasl.ts';
import { type Credentials, type CredentialsKind, isSame } from './credentials.ts';

/** Which mechanism verifies passwords, and which tokens; `undefined`: clients may not use them. */
export type ClientMechanisms = Readonly<Record<CredentialsKind, Mechanism | undefined>>;
type Mechanism = KafkaClientsConfig['mechanisms'][number];

export function mechanismsOf({ mechanisms }: KafkaClientsConfig): ClientMechanisms {
  return {
    password: mechanisms.find((mechanism) => mechanism !== 'OAUTHBEARER'),
    token: mechanisms.find((mechanism) => mechanism === 'OAUTHBEARER'),
  };
}

/** `WWW-Authenticate`: RFC 7617 §2 and RFC 6750 §3. */
export function challengesOf({ password, token }: ClientMechanisms): string[] {
  const basic = password === undefined ? [] : ['Basic realm="kafka", charset="UTF-8"'];
  return token === undefined ? basic : [...basic, 'Bearer realm="kafka"'];
}

export interface ClientIdentityOptions {
  mechanism: Mechanism;
  challenges: readonly string[];
  /** Called when Kafka refuses the credentials that connections use. */
  onRefused: (refused: Credentials) => void;
}

export class ClientIdentity implements ConnectionIdentity {
  readonly #options: ClientIdentityOptions;
  #credentials: Credentials;
  #isRefused = false;

  constructor(credentials: Credentials, options: ClientIdentityOptions) {
    this.#credentials = credentials;
    this.#options = options;
  }

  get credentials(): Credentials {
    return this.#credentials;
  }

  /** For connections, which authenticate with the newest credentials, and again with them (KIP-368). */
  get sasl(): SASLOptions {
    const { mechanism } = this.#options;
    const authBytesValidator = checkBearerAnswer;
    if (mechanism === 'OAUTHBEARER') return { mechanism, token: () => this.#token, authBytesValidator };
    return { mechanism, username: () => this.#credentials.principal, password: () => this.#password };
  }

  /** Whether Kafka refused the credentials, and has accepted none since. */
  get isRefused(): boolean {
    return this.#isRefused;
  }

  /** From now on connections authenticate with these, which Kafka has accepted; those that are open continue. */
  use(credentials: Credentials): void {
    const isEarlier =
      credentials.kind === 'token' &&
      this.#credentials.kind === 'token' &&
      credentials.expiresAtMs < this.#credentials.expiresAtMs;
    if (isEarlier && !this.#isRefused) return;
    this.#credentials = credentials;
    this.#isRefused = false;
  }

  /** Kafka refuses these: if connections use them, no more are made until Kafka has accepted some. */
  refuse(credentials: Credentials): void {
    if (isSame(credentials, this.#credentials)) this.#isRefused = true;
  }

  check(): void {
    if (this.#isRefused) throw refused(this.#options.challenges);
  }

  watch(): (error: unknown) => unknown {
    const used = this.#credentials;
    return (error) => {
      const failure = authenticationFailureIn(error);
      if (failure === undefined) return error;
      const { mechanism, challenges, onRefused } = this.#options;
      if (failure === 'unsupported')
        return new BridgeError('internal', { message: unsupported(mechanism), cause: error });
      // The next attempt uses the new ones.
      if (used !== this.#credentials) return error;
      this.#isRefused = true;
      onRefused(used);
      return refused(challenges);
    };
  }

  get #token(): string {
    return this.#credentials.kind === 'token' ? this.#credentials.token : '';
  }

  get #password(): string {
    return this.#credentials.kind === 'password' ? this.#credentials.password : '';
  }
}

/** Without the broker's error: it adds nothing, and would make the refusal look like one of the bridge. */
export function refused(challenges: readonly string[]): BridgeError {
  return new BridgeError('unauthenticated', { challenges });
}

function unsupported(mechanism: string): string {
  return `The brokers do not offer ${mechanism}, which kafka.clients.mechanisms has`;
}
