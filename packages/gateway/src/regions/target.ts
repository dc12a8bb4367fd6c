/** One bridge or regional gateway with what outlives a config: connections, health, breaker and counters. */
import { isDeepStrictEqual } from 'node:util';
import { IndexedList } from '@causeway/http/indexed-list.ts';
import { Distribution, MILLISECONDS_PER_SECOND } from '@causeway/metrics/distribution.ts';
import type { GatewayConfig } from '../config/schema.ts';
import type { CreateTransport, Transport } from '../upstream/transport.ts';
import { Breaker } from './breaker.ts';
import { Doubts } from './doubts.ts';
import { type Health, INITIAL_HEALTH, type KafkaReport } from './health.ts';
import type { InFlight } from './in-flight.ts';
import type { KafkaContact } from './kafka-outage.ts';
import { TargetTraffic } from './target-traffic.ts';

/** What a reload may change about a target. */
export type TargetSettings = Pick<GatewayConfig, 'upstream' | 'breaker'>;

/** A probe asks for nothing but a word, and its time limit is below a second by default. */
const PROBE_DURATION_BUCKETS_MS = [1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000];

export interface TargetOptions {
  region: string;
  url: string;
  settings: TargetSettings;
  createTransport: CreateTransport;
  /** Milliseconds, never going back. */
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
  /** When health last changed or a request failed, on the clock that never goes back, in milliseconds. */
  wellSinceMs = 0;
  /** The bridge that answers here, as `region/bridge`; `undefined` for a regional gateway, and before a probe told. */
  bridge: string | undefined;
  /** What the target says of Kafka now; `undefined` where it says nothing. */
  kafka: KafkaReport | undefined;
  /** Which Kafka it has, and when that answered, as far as the target has told it. */
  kafkaContact: KafkaContact = { cluster: undefined, answersMs: [] };
  /** Requests that ended without an answer since the last one. */
  readonly doubts = new Doubts();
  /** Where a regional gateway answers operators. */
  adminUrl: string | undefined;
  readonly traffic = new TargetTraffic();
  breakerSince = new Date();
  /** Why the breaker is as it is, in words. */
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

  /** Of requests and of probes; another one after `renewConnections`. */
  get transport(): Transport {
    return this.#transport;
  }

  get breaker(): Breaker {
    return this.#breaker;
  }

  /** It has as many requests as it may have; nothing goes there, not even as a last resort. */
  get isFull(): boolean {
    return this.inFlight.size >= this.#settings.upstream.maxInFlight;
  }

  /** It answered the last probe, if only to say that it is not ready. */
  get answersProbes(): boolean {
    const { status, contraryCount, isSilent } = this.health;
    return (
      (status === 'healthy' && contraryCount === 0) || this.isWithoutKafka || (status === 'unhealthy' && !isSilent)
    );
  }

  /** It answers, and says that its Kafka does not. */
  get isWithoutKafka(): boolean {
    return this.kafka?.state === 'down';
  }

  /** Probed healthy with a breaker that is not open: it serves requests, though it may have no room for one right now. */
  get isServing(): boolean {
    return this.health.status === 'healthy' && this.#breaker.state !== 'open';
  }

  /** Serving, and takes another request now: below its in-flight limit, and past the trial of a half-open breaker. */
  get isAvailable(): boolean {
    return this.isServing && this.#breaker.admits && !this.isFull;
  }

  /** Ends the time of requests whose deadline has passed. One sweep for all costs less than a timer for each. */
  expire(nowMs: number): void {
    this.inFlight.forEach((request) => {
      if (request.deadlineMs <= nowMs) request.onDeadline();
    });
  }

  /** Takes over settings; what they do not touch stays: health, counters, and connections or breaker. */
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
    if (!isDeepStrictEqual(before.upstream, settings.upstream)) this.renewConnections();
  }

  /** New requests get new connections. After a silent cut the idle ones are dead without knowing it. */
  renewConnections(): void {
    const old = this.#transport;
    this.#transport = this.#connect();
    // What is still being answered on the old ones may finish.
    void old.close();
  }

  async close(): Promise<void> {
    this.#breaker.close();
    await this.#transport.destroy();
  }

  /** Ends the connections once what is in flight on them is done. */
  async drain(): Promise<void> {
    await this.#transport.close();
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
    const { connectTimeoutMs, keepAliveMs } = this.#settings.upstream;
    return this.#createTransport({ url: this.url, connectTimeoutMs, keepAliveMs, now: this.#now });
  }
}
