/** The traffic of a lab with tenants: that of each tenant with its own ledger, and the guest. */
import type { ClientTls } from '../secure/client-tls.ts';
import type { KafkaAccess } from '../stack/kafka-client.ts';
import { ordersOf, prefixOf } from '../tenants/names.ts';
import type { Tenants } from '../tenants/tenants.ts';
import { Guest } from './guest.ts';
import type { LedgerCounts, LedgerSummary } from './ledger.ts';
import { Traffic } from './traffic.ts';

/** Of each tenant. */
const RECORDS_PER_SECOND = 10;
const CONSUMER_COUNT = 1;

export interface TenantTrafficOptions {
  tenants: Tenants;
  url: string;
  tls: ClientTls | undefined;
  kafka: KafkaAccess;
  isExactlyOnce: boolean;
}

export class TenantTraffic {
  readonly recordsPerSecond = RECORDS_PER_SECOND;
  readonly guest: Guest;
  readonly #traffics: readonly { name: string; traffic: Traffic }[];

  constructor({ tenants, url, tls, kafka, isExactlyOnce }: TenantTrafficOptions) {
    const common = {
      url,
      tls,
      kafka,
      isExactlyOnce,
      recordsPerSecond: RECORDS_PER_SECOND,
      consumerCount: CONSUMER_COUNT,
    };
    this.#traffics = tenants.all.map(({ name, token }) => {
      const own = { topic: ordersOf(name), groupPrefix: prefixOf(name), token };
      return { name, traffic: new Traffic({ ...common, ...own }) };
    });
    const [first] = tenants.all;
    if (first === undefined) throw new TypeError('no tenant');
    this.guest = new Guest({ url, tls, token: tenants.guest.token, topic: ordersOf(first.name) });
  }

  get names(): readonly string[] {
    return this.#traffics.map(({ name }) => name);
  }

  /** Lets the consumers join, then starts producing. */
  async start(signal?: AbortSignal | undefined): Promise<void> {
    await Promise.all(this.#traffics.map(({ traffic }) => traffic.start(signal)));
    this.guest.start();
  }

  /** Of all tenants together. */
  counts(): LedgerCounts {
    return sumOf(this.#traffics.map(({ traffic }) => traffic.ledger.counts()));
  }

  summaries(): { name: string; summary: LedgerSummary }[] {
    return this.#traffics.map(({ name, traffic }) => ({ name, summary: traffic.ledger.summarize() }));
  }

  /** As `Traffic.finish`; returns why the topics of tenants could not be read back. */
  async finish(drainTimeoutMs: number): Promise<{ readBackFailures: unknown[] }> {
    const [results] = await Promise.all([
      Promise.all(this.#traffics.map(({ traffic }) => traffic.finish(drainTimeoutMs))),
      this.guest.stop(),
    ]);
    const failures = results.map(({ readBackFailure }) => readBackFailure);
    return { readBackFailures: failures.filter((failure) => failure !== undefined) };
  }
}

function sumOf(all: readonly LedgerCounts[]): LedgerCounts {
  const total = (key: keyof LedgerCounts): number => all.reduce((sum, counts) => sum + counts[key], 0);
  return {
    produced: total('produced'),
    acknowledged: total('acknowledged'),
    delivered: total('delivered'),
    duplicates: total('duplicates'),
    clientErrors: total('clientErrors'),
    longestGapMs: Math.max(...all.map(({ longestGapMs }) => longestGapMs)),
  };
}
