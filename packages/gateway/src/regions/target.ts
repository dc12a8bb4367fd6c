/** One bridge or regional gateway with the state that outlives a config: connections, health, breaker and counters. */
import { isDeepStrictEqual } from 'node:util';
import { IndexedList } from '@causeway/http/indexed-list.ts';
import { Distribution, MILLISECONDS_PER_SECOND } from '@causeway/metrics/distribution.ts';
import type { ClusterModeReport } from '@causeway/protocol/clusters.ts';
import type { GatewayConfig } from '../config/schema.ts';
import { UpstreamError } from '../upstream/errors.ts';
import type { CreateTransport, Transport } from '../upstream/transport.ts';
import { Breaker } from './breaker.ts';
import { Doubts } from './doubts.ts';
import { type DatedKafkaReport, type Health, INITIAL_HEALTH } from './health.ts';
import type { InFlight } from './in-flight.ts';
import type { KafkaContact } from './kafka-contact.ts';
import { TargetTraffic } from './target-traffic.ts';

/** Settings that a reload may change. */
export type TargetSettings = Pick<GatewayConfig, 'upstream' | 'breaker'> & {
  /** The name that its certificate must have, if not the host of its URL. */
  serverName?: string | undefined;
};

/** A probe has a small response, and a time limit below a second by default. */
const PROBE_DURATION_BUCKETS_MS = [1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000];

const CLOSED: Transport = {
  dispatch: (_, handler) => handler.onResponseError(new UpstreamError('CLOSED', 'the target is not one any more')),
  close: () => Promise.resolve(),
  destroy: () => Promise.resolve(),
};

export interface TargetOptions {
  region: string;
  url: string;
  settings: TargetSettings;
  createTransport: CreateTransport;
  /** Milliseconds of the monotonic clock. */
  now: () => number;
  onBreakerChange: ConstructorParameters<typeof Breaker>[1];
}

export class Target {
  readonly region: string;
  readonly url: string;
  readonly inFlight = new IndexedList<InFlight>();
  health: Health = INITIAL_HEALTH;
  /** When health last changed, on the wall clock. */
  healthSince = new Date();
  /** When health last changed or a request failed, in milliseconds of the monotonic clock. */
  stableSinceMs = 0;
  /** The bridge at this URL, as `region/bridge`; `undefined` for a regional gateway, and before the first probe. */
  bridge: string | undefined;
  /** What the target reports about Kafka now; `undefined` without a report. */
  kafka: DatedKafkaReport | undefined;
  /** The cluster of its Kafka and when that responded, as far as the target has reported it. */
  kafkaContact: KafkaContact = { cluster: undefined, answersMs: [] };
  /** The Kafka cluster behind it and that one's mode, as it last reported; `undefined` without a report. */
  cluster: ClusterModeReport | undefined;
  /** Requests without a response since the last response. */
  readonly doubts = new Doubts();
  /** Admin address of a regional gateway. */
  adminUrl: string | undefined;
  /** The name in DNS that gave its address; `undefined` for one with a URL in the configuration. */
  discoveredBy: string | undefined;
  /** Whether probes ever found it healthy. */
  wasHealthy = false;
  readonly traffic = new TargetTraffic();
  breakerSince = new Date();
  /** Why the breaker is in its state. */
  breakerReason = '';
  /** Probes since the start, for metrics. */
  probeCounts = { good: 0, failed: 0 };
  /** In milliseconds. */
  readonly probeDurations = new Distribution({
    bounds: PROBE_DURATION_BUCKETS_MS,
    perBaseUnit: MILLISECONDS_PER_SECOND,
  });
  readonly #onBreakerChange: TargetOptions['onBreakerChange'];
  readonly #now: () => number;
  #settings: TargetSettings;
  #breaker: Breaker;
  readonly #createTransport: CreateTransport;
  #transport: Transport;
  #isRetired = false;

  constructor(options: TargetOptions) {
    this.region = options.region;
    this.url = options.url;
    this.#now = options.now;
    this.#settings = options.settings;
    this.#onBreakerChange = options.onBreakerChange;
    this.#breaker = this.#createBreaker();
    this.#createTransport = options.createTransport;
    this.#transport = this.#connect();
  }

  /** Carries requests and probes; `renewConnections` replaces it. */
  get transport(): Transport {
    return this.#transport;
  }

  get breaker(): Breaker {
    return this.#breaker;
  }

  /** Not a target any more: it finishes what it has. */
  get isRetired(): boolean {
    return this.#isRetired;
  }

  /** Has as many requests as it may have, and gets no more, not even as a last resort. */
  get isFull(): boolean {
    return this.inFlight.size >= this.#settings.upstream.maxInFlight;
  }

  /** Found by DNS, and not healthy yet: a process that starts. It does not count where others are compared. */
  get isNewcomer(): boolean {
    return this.discoveredBy !== undefined && !this.wasHealthy;
  }

  /** Responded to the last probe, if only to report that it is not ready. */
  get answersProbes(): boolean {
    const { status, contraryCount, isSilent } = this.health;
    return (
      (status === 'healthy' && contraryCount === 0) || this.isWithoutKafka || (status === 'unhealthy' && !isSilent)
    );
  }

  /** Responds, and reports that its Kafka does not. */
  get isWithoutKafka(): boolean {
    return this.kafka?.state === 'down';
  }

  /** Healthy, and its breaker is not open. It may still have no room for another request. */
  get isServing(): boolean {
    return this.health.status === 'healthy' && this.#breaker.state !== 'open';
  }

  /** Serving and admits a request now: below its in-flight limit, and no trial of a half-open breaker is in flight. */
  get isAvailable(): boolean {
    return this.isServing && this.#breaker.admits && !this.isFull;
  }

  /** Times out requests past their deadline. One sweep for all costs less than a timer for each. */
  expire(nowMs: number): void {
    this.inFlight.forEach((request) => {
      if (request.deadlineMs <= nowMs) request.onDeadline();
    });
  }

  /** Applies settings. Health, counters, and the connections or breaker that did not change are kept. */
  configure(settings: TargetSettings): void {
    const before = this.#settings;
    this.#settings = settings;
    if (!isDeepStrictEqual(before.breaker, settings.breaker)) {
      const { state } = this.#breaker;
      this.#breaker.close();
      this.#breaker = this.#createBreaker();
      this.breakerSince = new Date();
      if (state !== 'closed') this.#onBreakerChange(state, 'closed', 'its settings changed');
    }
    const isSame = before.serverName === settings.serverName && isDeepStrictEqual(before.upstream, settings.upstream);
    if (!isSame) this.renewConnections();
  }

  /** Gives new requests new connections: after a silent cut, the idle ones are dead without a sign of it. */
  renewConnections(): void {
    const old = this.#transport;
    this.#transport = this.#connect();
    // Requests in flight on the old connections may finish.
    void old.close();
  }

  async close(): Promise<void> {
    this.#breaker.close();
    await this.#transport.destroy();
  }

  /** Retires the target, and closes the connections after the requests in flight have ended. */
  async retire(): Promise<void> {
    this.#isRetired = true;
    await this.#transport.close();
    // As the home of idle consumers, the target may be remembered for long: without the buffers of its connections.
    this.#transport = CLOSED;
    this.#breaker.close();
  }

  #createBreaker(): Breaker {
    return new Breaker(this.#settings.breaker, (from, to, reason) => {
      this.breakerSince = new Date();
      this.breakerReason = reason;
      this.#onBreakerChange(from, to, reason);
    });
  }

  #connect(): Transport {
    const { upstream, serverName } = this.#settings;
    const { connectTimeoutMs, keepAliveMs, maxConnectionAgeMs: maxAgeMs } = upstream;
    return this.#createTransport({
      url: this.url,
      serverName,
      connectTimeoutMs,
      keepAliveMs,
      maxAgeMs,
      now: this.#now,
    });
  }
}
