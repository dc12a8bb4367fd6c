/**
 * Rolling updates, a scale-down to zero and a restart by the liveness probe, with the objects that the chart renders and real
 * processes: the lab plays kubelet, controllers, Services and DNS. A second of the objects takes a fifth of a second, and there are
 * fewer pods than in the chart; `CAUSEWAY_ROLLOUT=full` plays all of them at full length.
 */
import process from 'node:process';
import { ensureTopics } from '@causeway/lab/stack/kafka.ts';
import type { LedgerSummary } from '@causeway/lab/traffic/ledger.ts';
import { Traffic } from '@causeway/lab/traffic/traffic.ts';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { type RenderedSystem, startRenderedSystem, untilSettled } from '../harness/rendered-cluster.ts';
import { until } from '../harness/until.ts';
import type { KubernetesObject } from '../kubernetes/chart.ts';

const IS_FULL = process.env['CAUSEWAY_ROLLOUT'] === 'full';
const SECOND_MS = IS_FULL ? 1_000 : 200;
/** Of a region that is not played in full. */
const BRIDGE_COUNT = 2;
/** Twice what bridges need at full length. */
const TIMEOUT_MS = IS_FULL ? 300_000 : 120_000;
const RECORDS_PER_SECOND = IS_FULL ? 100 : 20;
const TOPIC = 'rollout';

const bootstrap = inject('kafkaBootstrap');
/** Every address of 127.0.0.0/8 is on loopback under Linux alone. */
describe.skipIf(process.platform !== 'linux')('a cluster that runs the chart', { timeout: TIMEOUT_MS }, () => {
  let system: RenderedSystem;
  let traffic: Traffic;

  beforeAll(async () => {
    await ensureTopics(bootstrap, [{ name: TOPIC, partitionCount: 3 }]);
    system = await startRenderedSystem({ bootstrap, secondMs: SECOND_MS, prepare: IS_FULL ? undefined : withFewPods });
  });
  afterAll(() => system?.close());

  /** Produces and consumes through tier-1's Service during `work`. */
  async function during(work: () => Promise<void>): Promise<LedgerSummary> {
    traffic = new Traffic({ url: system.url, kafka: bootstrap, topic: TOPIC, recordsPerSecond: RECORDS_PER_SECOND });
    await traffic.start();
    try {
      await work();
    } finally {
      await traffic.finish();
    }
    return traffic.ledger.summarize();
  }

  test('replaces all bridges and gateways of a region, and no request fails', async () => {
    const { east } = system.regions;
    const summary = await during(async () => {
      const workloads = [east.workload('causeway-bridge'), east.workload('causeway-gateway')];
      for (const workload of workloads) workload.restart();
      await untilSettled(workloads);
    });
    expect(summary).toMatchObject({ errors: [], lost: 0 });
  });

  test('scales the bridges of a region to zero and back, and no request fails', async () => {
    const bridges = system.regions.east.workload('causeway-bridge');
    const count = bridges.pods.length;
    const summary = await during(async () => {
      bridges.scale(0);
      await untilSettled([bridges]);
      await untilDelivered(traffic);
      bridges.scale(count);
      await untilSettled([bridges]);
    });
    expect(summary).toMatchObject({ errors: [], lost: 0 });
  });

  test('replaces the gateways of tier-1 while a bridge is frozen until its liveness probe fails, and no request fails', async () => {
    const { east } = system.regions;
    const tier1 = system.central.workload('causeway-tier1');
    const bridges = east.workload('causeway-bridge');
    const [frozen] = bridges.pods;
    const summary = await during(async () => {
      tier1.restart();
      frozen?.freeze();
      await until('the kubelet restarted the bridge', () => frozen?.restartCount === 1, { timeoutMs: TIMEOUT_MS });
      await untilSettled([bridges, tier1]);
    });
    // Records of requests that were in flight may be there twice: retry.produce is at-least-once.
    expect(summary).toMatchObject({ errors: [], lost: 0 });
    const ends = east.events.filter(({ pod, type }) => pod === frozen?.name && type !== 'notReady').slice(-6);
    expect(ends.map(({ type }) => type)).toEqual(['livenessFailed', 'sigterm', 'killed', 'exited', 'started', 'ready']);
  });

  test('no other container needed SIGKILL or a restart', () => {
    const clusters = [system.central, ...Object.values(system.regions)];
    const types = clusters.flatMap(({ events }) => events.map(({ type }) => type));
    expect(types.filter((type) => type === 'killed' || type.endsWith('Failed'))).toEqual(['livenessFailed', 'killed']);
  });
});

/** Fewer pods show the same in less time. */
function withFewPods({ kind, spec }: KubernetesObject): void {
  if (kind === 'Deployment') spec.replicas = 1;
  if (kind === 'StatefulSet') spec.replicas = Math.min(BRIDGE_COUNT, spec.replicas);
}

/** Another second's worth of records passes through the system. */
async function untilDelivered({ ledger }: Traffic): Promise<void> {
  const before = ledger.counts().delivered;
  await until('records arrive', () => ledger.counts().delivered >= before + RECORDS_PER_SECOND);
}
