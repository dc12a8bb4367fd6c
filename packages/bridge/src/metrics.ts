/** The bridge's Prometheus metrics: plain counters on the request path, turned into text when they are asked for. */
import { OPERATIONS, type Operation } from '@causeway/protocol/paths.ts';
import { Counter, collectDefaultMetrics, Gauge, Histogram, type Metric, Registry } from 'prom-client';

/** How a request ended, by the class of its status. */
export type Outcome = 'ok' | 'clientError' | 'serverError' | 'aborted';

const OUTCOMES: readonly Outcome[] = ['ok', 'clientError', 'serverError', 'aborted'];
const NAMES: readonly Operation[] = [...OPERATIONS.map(({ operation }) => operation), 'unknown'];
/** Upper bounds of the duration histogram. Long polls are as long as clients ask. */
const BUCKET_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
const ADOPTION_BUCKET_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 5];
const MILLISECONDS_PER_SECOND = 1000;
const DURATION_METRIC = 'causeway_bridge_request_duration_seconds';

/** Values that are read when the metrics are asked for. */
export interface Gauges {
  isReady: () => boolean;
  sessionCount: () => number;
  queuedBytes: () => number;
  inFlightRequests: () => number;
  inFlightBytes: () => number;
  /** Of the HTTPS listener, if there is one. */
  certificates?: { readonly expiresAtMs: number; readonly reloadCounts: Readonly<Record<string, number>> } | undefined;
}

interface OperationCounts {
  outcomes: Record<Outcome, number>;
  /** One more than the bounds: the last is everything above. */
  buckets: number[];
  sumMs: number;
}

export class Metrics {
  readonly #registry = new Registry();
  readonly #counts = new Map<Operation, OperationCounts>();
  #producedRecords = 0;
  #failedRecords = 0;
  #deliveredRecords = 0;
  #takenBackAnswers = 0;
  readonly #adoptions: Histogram;

  constructor(gauges: Gauges) {
    for (const name of NAMES) {
      this.#counts.set(name, {
        outcomes: { ok: 0, clientError: 0, serverError: 0, aborted: 0 },
        buckets: new Array<number>(BUCKET_SECONDS.length + 1).fill(0),
        sumMs: 0,
      });
    }
    collectDefaultMetrics({ register: this.#registry });
    this.#adoptions = new Histogram({
      name: 'causeway_bridge_adoption_duration_seconds',
      help: 'Seconds from the first request for a consumer of another bridge until this bridge served it.',
      buckets: ADOPTION_BUCKET_SECONDS,
      registers: [this.#registry],
    });
    this.#registerRequests();
    this.#registerRecords();
    this.#registerGauges(gauges);
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  countRequest(operation: Operation, outcome: Outcome, durationMs: number): void {
    const counts = this.#counts.get(operation);
    if (counts === undefined) return;
    counts.outcomes[outcome] += 1;
    counts.sumMs += durationMs;
    const seconds = durationMs / MILLISECONDS_PER_SECOND;
    let bucket = 0;
    while (bucket < BUCKET_SECONDS.length && seconds > (BUCKET_SECONDS[bucket] ?? 0)) bucket += 1;
    counts.buckets[bucket] = (counts.buckets[bucket] ?? 0) + 1;
  }

  countProduced(storedCount: number, failedCount: number): void {
    this.#producedRecords += storedCount;
    this.#failedRecords += failedCount;
  }

  countDelivered(recordCount: number): void {
    this.#deliveredRecords += recordCount;
  }

  /** A consumer that came from another bridge. */
  countAdoption(durationMs: number): void {
    this.#adoptions.observe(durationMs / MILLISECONDS_PER_SECOND);
  }

  /** An answer that its client cannot have read. */
  countTakenBack(): void {
    this.#takenBackAnswers += 1;
  }

  /** Prometheus text. */
  text(): Promise<string> {
    return this.#registry.metrics();
  }

  #registerRequests(): void {
    const counts = this.#counts;
    const used = (): [Operation, OperationCounts][] =>
      [...counts].filter(([, { outcomes }]) => OUTCOMES.some((outcome) => outcomes[outcome] > 0));
    new Counter({
      name: 'causeway_bridge_requests_total',
      help: 'Requests by operation and outcome.',
      labelNames: ['operation', 'outcome'],
      registers: [this.#registry],
      collect() {
        this.reset();
        for (const [operation, { outcomes }] of used()) {
          for (const outcome of OUTCOMES) this.inc({ operation, outcome }, outcomes[outcome]);
        }
      },
    });
    // A histogram as prom-client would show it, without its cost for every request.
    this.#registry.registerMetric({
      name: DURATION_METRIC,
      async get() {
        return {
          name: DURATION_METRIC,
          help: 'Seconds that requests took, by operation.',
          type: 'histogram',
          aggregator: 'sum',
          values: used().flatMap(durationValues),
        };
      },
    } as unknown as Metric);
  }

  #registerRecords(): void {
    const produced = (): [outcome: string, count: number][] => [
      ['ok', this.#producedRecords],
      ['failed', this.#failedRecords],
    ];
    new Counter({
      name: 'causeway_bridge_records_produced_total',
      help: 'Records that clients produced, by outcome.',
      labelNames: ['outcome'],
      registers: [this.#registry],
      collect() {
        this.reset();
        for (const [outcome, count] of produced()) this.inc({ outcome }, count);
      },
    });
    this.#registerCount(
      'causeway_bridge_records_delivered_total',
      'Records that were written to consumers.',
      () => this.#deliveredRecords,
    );
    this.#registerCount(
      'causeway_bridge_answers_taken_back_total',
      'Answers with records whose connection broke before the client had read them; the records come again.',
      () => this.#takenBackAnswers,
    );
  }

  #registerCount(name: string, help: string, read: () => number): void {
    new Counter({
      name,
      help,
      registers: [this.#registry],
      collect() {
        this.reset();
        this.inc(read());
      },
    });
  }

  #registerGauges(gauges: Gauges): void {
    const gauge = (name: string, help: string, read: () => number): void => {
      new Gauge({
        name,
        help,
        registers: [this.#registry],
        collect() {
          this.set(read());
        },
      });
    };
    gauge('causeway_bridge_ready', 'Whether Kafka answers.', () => (gauges.isReady() ? 1 : 0));
    gauge('causeway_bridge_sessions', 'Consumer instances that live here.', gauges.sessionCount);
    gauge('causeway_bridge_producer_queued_bytes', 'Bytes of records that wait for Kafka.', gauges.queuedBytes);
    gauge('causeway_bridge_in_flight_requests', 'Requests that wait for their answers.', gauges.inFlightRequests);
    gauge(
      'causeway_bridge_in_flight_bytes',
      'Bytes of request bodies, and of answers that clients have not read.',
      gauges.inFlightBytes,
    );
    const { certificates } = gauges;
    if (certificates === undefined) return;
    gauge(
      'causeway_bridge_certificate_expiry_timestamp_seconds',
      'When the certificate of the listener ends, in seconds since 1970.',
      () => certificates.expiresAtMs / MILLISECONDS_PER_SECOND,
    );
    new Counter({
      name: 'causeway_bridge_certificate_reloads_total',
      help: 'Changes of the certificate files, by what came of them.',
      labelNames: ['outcome'],
      registers: [this.#registry],
      collect() {
        this.reset();
        for (const [outcome, count] of Object.entries(certificates.reloadCounts)) this.inc({ outcome }, count);
      },
    });
  }
}

/** One operation's lines of the histogram. */
function durationValues([operation, { buckets, sumMs }]: [Operation, OperationCounts]) {
  let total = 0;
  const lines = buckets.map((count, index) => {
    total += count;
    const le = BUCKET_SECONDS[index] ?? '+Inf';
    return { metricName: `${DURATION_METRIC}_bucket`, labels: { le, operation }, value: total };
  });
  return [
    ...lines,
    { metricName: `${DURATION_METRIC}_sum`, labels: { operation }, value: sumMs / MILLISECONDS_PER_SECOND },
    { metricName: `${DURATION_METRIC}_count`, labels: { operation }, value: total },
  ];
}
