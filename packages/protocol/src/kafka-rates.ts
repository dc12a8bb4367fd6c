/** The rates of its requests to Kafka that a bridge reports in its responses to probes. Pure. */

/** `requests=41.5, errors=0, p50=2.5, p99=10`; without percentiles if there was nothing to measure. */
export const KAFKA_RATES_HEADER = 'causeway-kafka-rates';

/** Over the last seconds. */
export interface KafkaRatesTold {
  /** Requests to brokers, of all kinds. */
  requestsPerSecond: number;
  /** Requests that failed or that Kafka refused, and broken connections. Errors in the normal course of a group do not count. */
  errorsPerSecond: number;
  /** Of produce requests only: fetches and joins wait by design, which says nothing about Kafka. */
  p50Ms: number | null;
  p99Ms: number | null;
}

export function formatKafkaRates({ requestsPerSecond, errorsPerSecond, p50Ms, p99Ms }: KafkaRatesTold): string {
  const entries = [`requests=${short(requestsPerSecond)}`, `errors=${short(errorsPerSecond)}`];
  if (p50Ms !== null) entries.push(`p50=${p50Ms}`);
  if (p99Ms !== null) entries.push(`p99=${p99Ms}`);
  return entries.join(', ');
}

/** `undefined` for an invalid header. Entries that a later version adds are ignored. */
export function parseKafkaRates(header: string): KafkaRatesTold | undefined {
  const values = new Map<string, number>();
  for (const entry of header.split(',')) {
    const [name = '', text = ''] = entry.trim().split('=', 2);
    if (/^\d{1,15}(?:\.\d{1,15})?$/.test(text)) values.set(name, Number(text));
  }
  const requestsPerSecond = values.get('requests');
  const errorsPerSecond = values.get('errors');
  if (requestsPerSecond === undefined || errorsPerSecond === undefined) return undefined;
  return { requestsPerSecond, errorsPerSecond, p50Ms: values.get('p50') ?? null, p99Ms: values.get('p99') ?? null };
}

function short(perSecond: number): string {
  return String(Math.round(perSecond * 100) / 100);
}
