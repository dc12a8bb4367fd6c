/** What the bridge keeps for one client of Kafka: its connections and what works over them, for as long as they are in use. */
import type { Cluster } from '../client/cluster.ts';
import type { ClientIdentity } from './client-identity.ts';
import type { Credentials } from './credentials.ts';

/** Credentials that Kafka has accepted. */
export interface Accepted {
  readonly credentials: Credentials;
  /** Kafka verifies them again from then on, by `performance.now()`. */
  readonly untilMs: number;
}

/** What the work of an account begins with. */
export interface AccountBase {
  readonly cluster: Cluster;
  /** The name of the client in Kafka. */
  readonly principal: string;
  /** Keeps the connections; the function that it returns ends that. */
  retain(): () => void;
}

/** `Work`: what the account's requests need, over its connections. */
export class Account<Work> implements AccountBase {
  /** The name of the client in Kafka. */
  readonly principal: string;
  readonly cluster: Cluster;
  readonly identity: ClientIdentity;
  readonly work: Work;
  /** By the keyed hash of the header, the oldest first. */
  readonly accepted = new Map<string, Accepted>();
  #useCount = 0;
  #usedAtMs = performance.now();

  constructor(cluster: Cluster, identity: ClientIdentity, createWork: (account: AccountBase) => Work) {
    this.principal = identity.credentials.principal;
    this.cluster = cluster;
    this.identity = identity;
    this.work = createWork({ cluster, principal: this.principal, retain: () => this.retain() });
  }

  /** Requests and consumers that use it. */
  get useCount(): number {
    return this.#useCount;
  }

  /** Since the last use, in milliseconds; 0 while it is in use. */
  idleMs(nowMs: number): number {
    return this.#useCount > 0 ? 0 : nowMs - this.#usedAtMs;
  }

  /** Keeps its connections; the function that it returns ends that, and may be called twice. */
  retain(): () => void {
    this.#useCount += 1;
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      this.#useCount -= 1;
      this.#usedAtMs = performance.now();
    };
  }
}
