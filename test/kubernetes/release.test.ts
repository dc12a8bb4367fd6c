/**
 * A release of the chart on a real API server, in short. `npm run kubernetes` has the long form and builds the control plane, for which
 * a fresh machine needs half an hour: where none is built these tests are left out, also with `CI=true`.
 */
import process from 'node:process';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findKubernetesTools } from '../harness/kubernetes-tools.ts';
import { until } from '../harness/until.ts';
import { Cluster } from './control-plane/cluster.ts';
import { ControlPlane } from './control-plane/control-plane.ts';
import { findControlPlane } from './control-plane/programs.ts';
import { Release } from './control-plane/release.ts';

const found = findControlPlane();
if (found === undefined) {
  process.stderr.write('no Kubernetes control plane is built (npm run kubernetes builds it): its tests are left out\n');
}
const tools = found === undefined ? undefined : await findKubernetesTools();

describe.skipIf(tools === undefined)('a release on a real API server', () => {
  let plane: ControlPlane | undefined;
  let cluster: Cluster;
  beforeAll(async () => {
    if (found === undefined || tools === undefined) return;
    plane = await ControlPlane.start(found);
    cluster = new Cluster(plane.access, tools);
  });
  afterAll(async () => {
    await cluster.close();
    await plane?.close();
  });

  test('is admitted, changes without new pods, and leaves nothing', async () => {
    const release = await Release.install(cluster, 'region', { isWaiting: false });
    await until('the pods are admitted and ready', () => release.isComplete());
    const pods = await release.podIds();
    const config = await release.config('gateway');

    await release.upgrade({ change: { part: 'gateway', path: ['regions', 0, 'weight'], value: 7 } });
    expect(await release.config('gateway')).toContain('weight: 7');
    await release.rollback(1);
    expect(await release.config('gateway')).toBe(config);
    expect(await release.podIds()).toEqual(pods);

    await release.uninstall();
    await until('nothing is left', async () => (await cluster.objectsIn(release.namespace)).length === 0);
  });
});
