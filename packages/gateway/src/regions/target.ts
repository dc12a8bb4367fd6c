/** One bridge or regional gateway with what outlives a config: connections, health, breaker and counters. */
import { Pool } from 'undici';
import type { GatewayConfig } from '../config/schema.ts';
import { Breaker } from './breaker.ts';
import { type Health, INITIAL_HEALTH } from './health.ts';
import { InFlightList } from './in-flight.ts';

export interface TargetOptions {
  region: string;
  url: string;
  upstream: GatewayConfig['upstream'];
  breaker: GatewayConfig['breaker'];
  onBreakerChange: ConstructorParameters<typeof Breaker>[1];
}

export class Target {
  readonly region: string;
  readonly url: string;
  readonly breaker: Breaker;
  readonly inFlight = new InFlightList();
  health: Health = INITIAL_HEALTH;
  /** When health last changed, on the wall clock. */
  healthSince: Date;
  breakerSince: Date;
  /** Probes since the start, for metrics. */
  probeCounts = { good: 0, failed: 0 };
  maxInFlight: number;
  #pool: Pool;
  readonly #upstream: GatewayConfig['upstream'];

  constructor(options: TargetOptions) {
    this.region = options.region;
    this.url = options.url;
    this.#upstream = options.upstream;
    this.maxInFlight = options.upstream.maxInFlight;
    this.healthSince = new Date();
    this.breakerSince = new Date();
    this.breaker = new Breaker(options.breaker, (from, to, reason) => {
      this.breakerSince = new Date();
      options.onBreakerChange(from, to, reason);
    });
    this.#pool = this.#connect();
  }

  get pool(): Pool {
    return this.#pool;
  }

  /** The one predicate: probed healthy, breaker not open, below its in-flight limit. */
  get isAvailable(): boolean {
    return this.health.status === 'healthy' && this.breaker.admits && this.inFlight.size < this.maxInFlight;
  }

  /** After a silent cut the idle connections are dead without knowing it: new requests get new ones. */
  renewConnections(): void {
    const old = this.#pool;
    this.#pool = this.#connect();
    // What is still being answered on the old ones may finish.
    void old.close();
  }

  async close(): Promise<void> {
    this.breaker.close();
    await this.#pool.destroy();
  }

  /** Ends the connections once what is in flight on them is done. */
  async drain(): Promise<void> {
    await this.#pool.close();
    this.breaker.close();
  }

  #connect(): Pool {
    return new Pool(this.url, {
      connect: { timeout: this.#upstream.connectTimeoutMs },
      keepAliveTimeout: this.#upstream.keepAliveMs,
      // The exchange owns the time limits: one clock for all attempts.
      headersTimeout: 0,
      bodyTimeout: 0,
      pipelining: 1,
      allowH2: false,
    });
  }
}
