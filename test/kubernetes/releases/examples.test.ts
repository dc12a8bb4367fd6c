/** Each example of the chart, from its installation to its end. */
import { describe, expect, test } from 'vitest';
import { until } from '../../harness/until.ts';
import { EXAMPLES } from '../chart.ts';
import { Release } from '../control-plane/release.ts';
import { connect } from './connect.ts';

const cluster = await connect();

describe.concurrent.each(EXAMPLES)('the example %s', (example) => {
  test('is admitted, upgraded and rolled back, and leaves nothing', async () => {
    const release = await Release.install(cluster, example);
    await expectAdmitted(release);

    const [part] = release.parts.filter((name) => name !== 'bridge');
    if (part !== undefined) {
      const before = await release.config(part);
      const pods = await release.podIds();
      await release.upgrade({ change: { part, path: ['regions', 0, 'weight'], value: 7 } });
      expect(await release.config(part)).toContain('weight: 7');
      await release.rollback(1);
      expect(await release.config(part)).toBe(before);
      // Gateways reload their file: a weight replaces no pod.
      expect(await release.podIds()).toEqual(pods);
    }

    await release.uninstall();
    const isEmpty = async (): Promise<boolean> => (await cluster.objectsIn(release.namespace)).length === 0;
    await until('nothing is left', isEmpty).catch(async () => {
      expect(await cluster.objectsIn(release.namespace)).toEqual([]);
    });
  });
});

/** Every object is there as it was sent, every pod is admitted and ready, and every budget and autoscaler found its pods. */
async function expectAdmitted(release: Release): Promise<void> {
  const sent = await release.manifest();
  const stored = await Promise.all(
    sent.map(async ({ kind, metadata: { name } }) =>
      JSON.parse(await cluster.kubectl('get', kind, name, '--namespace', release.namespace, '--output', 'json')),
    ),
  );
  expect(stored).toMatchObject(sent);
  await until('all pods are ready', () => release.isComplete());
  for (const { kind, spec, status } of stored) {
    if (kind === 'PodDisruptionBudget') expect(status.expectedPods - status.desiredHealthy).toBeGreaterThan(0);
    if (kind === 'HorizontalPodAutoscaler') expect(spec.minReplicas).toBeGreaterThan(0);
  }
}
