/** Whether a request may proceed: for whom, with which rights, and at whose expense. */
import type { GatewayError } from '../errors.ts';

/** Whom a gateway has authenticated. */
export interface Principal {
  /** Unique in the system. */
  readonly name: string;
  readonly roles: readonly string[];
  /** How this gateway knows it; `gateway`: another gateway has authenticated it. */
  readonly method: 'jwt' | 'apiKey' | 'basic' | 'certificate' | 'anonymous' | 'gateway';
}

/** What a request uses until its exchange ends: its place among the requests in flight, and bytes. */
export interface Usage {
  /** `bytes` of bodies went through in either direction. */
  moved(bytes: number): void;
  /** Called once. */
  end(): void;
}

export interface Admitted {
  readonly kind: 'admitted';
  /** `undefined` where no method of authentication is configured. */
  readonly principal: Principal | undefined;
  /** Names and values in turn, for targets: `causeway-principal` and what its principal may. */
  readonly headers: readonly string[];
  /** Headers of the client that targets do not get: its credentials. */
  readonly withheld: ReadonlySet<string>;
  /** Names and values in turn, for the response: what is left of a quota. */
  readonly responseHeaders: readonly string[];
  /** `undefined`: nothing is counted. */
  readonly usage: Usage | undefined;
}

export interface Refused {
  readonly kind: 'refused';
  readonly error: GatewayError;
  /** Names and values in turn, such as `WWW-Authenticate`. */
  readonly headers: readonly string[];
  /** Whether the response ends the connection, too. Default: false. */
  readonly endsConnection?: boolean;
}

export type Admission = Admitted | Refused;
