/** What the lab does with a system while it runs: the traffic of anonymous clients, or that of tenants. */
import type { LossReport } from '@causeway/protocol/clusters.ts';
import { FIRST_ACTIVE } from './stack/cluster-pair.ts';
import type { KafkaAccess } from './stack/kafka-client.ts';
import type { Stack } from './stack/stack.ts';
import { formatSummary, formatTraffic, judge, type Paint } from './terminal/format.ts';
import { formatTenants, formatTenantTraffic, judgeTenants } from './terminal/tenants-format.ts';
import type { LedgerCounts } from './traffic/ledger.ts';
import { TenantTraffic } from './traffic/tenant-traffic.ts';
import { Traffic } from './traffic/traffic.ts';

const TOPIC = 'orders';

export interface Workload {
  readonly introduction: string;
  start(signal: AbortSignal): Promise<void>;
  counts(): LedgerCounts;
  /** Returns why topics could not be read back. */
  finish(drainTimeoutMs: number): Promise<{ readBackFailures: unknown[] }>;
  /** After `finish`. */
  result(paint: Paint): { table: string; isGood: boolean; sentence: string };
}

export function workloadOf(stack: Stack, { isExactlyOnce }: { isExactlyOnce: boolean }): Workload {
  const { tenants, kafka, tier1, credentials, pair, replication } = stack;
  const common = { url: tier1.url, tls: credentials?.lab, kafka: kafka.access, isExactlyOnce };
  if (pair !== undefined && replication !== undefined) {
    const active = (): KafkaAccess => pair.kafkas[replication.active ?? FIRST_ACTIVE].access;
    const lossReports = (): Promise<LossReport[]> => replication.lossReports();
    return anonymous(new Traffic({ ...common, topic: TOPIC, kafka: active, lossReports }));
  }
  return tenants === undefined
    ? anonymous(new Traffic({ ...common, topic: TOPIC }))
    : ofTenants(new TenantTraffic({ ...common, tenants }));
}

function anonymous(traffic: Traffic): Workload {
  return {
    introduction: formatTraffic(traffic),
    start: (signal) => traffic.start(signal),
    counts: () => traffic.ledger.counts(),
    async finish(drainTimeoutMs) {
      const { readBackFailure } = await traffic.finish(drainTimeoutMs);
      return { readBackFailures: readBackFailure === undefined ? [] : [readBackFailure] };
    },
    result(paint) {
      const summary = traffic.ledger.summarize();
      return { table: formatSummary(summary, paint), ...judge(summary) };
    },
  };
}

function ofTenants(traffic: TenantTraffic): Workload {
  return {
    introduction: formatTenantTraffic(traffic),
    start: (signal) => traffic.start(signal),
    counts: () => traffic.counts(),
    finish: (drainTimeoutMs) => traffic.finish(drainTimeoutMs),
    result(paint) {
      const summaries = traffic.summaries();
      return { table: formatTenants(summaries, traffic.guest, paint), ...judgeTenants(summaries, traffic.guest) };
    },
  };
}
