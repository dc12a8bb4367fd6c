/** Each example of the chart, from its installation to its end. */
import { describe, expect, test } from 'vitest';
import { until } from '../../harness/until.ts';
import { EXAMPLES, type KubernetesObject } from '../chart.ts';
import { RELEASE, Release } from '../control-plane/release.ts';
import { connect } from './connect.ts';

const cluster = await connect();

describe.concurrent.each(EXAMPLES)('the example %s', (example) => {
  test('is admitted, upgraded and rolled back, and leaves nothing', async () => {
    const release = await Release.install(cluster, example);
    await expectAdmitted(release);
    await expectNotesToWork(release);

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
  expect(await Promise.all(sent.map(({ kind, metadata }) => stored(kind, metadata.name)))).toMatchObject(sent);
  const scaled = sent.filter(({ kind }) => kind === 'HorizontalPodAutoscaler');
  await until('autoscalers have made the fewest pods', async () => {
    const states = await Promise.all(scaled.map(({ kind, metadata }) => stored(kind, metadata.name)));
    return states.every(({ spec, status }) => status.currentReplicas >= spec.minReplicas);
  });
  await until('all pods are ready', () => release.isComplete());
  for (const { metadata } of sent.filter(({ kind }) => kind === 'PodDisruptionBudget')) {
    await until('the budget has found its pods', async () => {
      const { status } = await stored('PodDisruptionBudget', metadata.name);
      return status.expectedPods > 0 && status.disruptionsAllowed === 1;
    });
  }

  async function stored(kind: string, name: string): Promise<KubernetesObject> {
    return JSON.parse(await cluster.kubectl('get', kind, name, '--namespace', release.namespace, '--output', 'json'));
  }
}

/** The commands that helm prints after an installation, except those that need a container. */
async function expectNotesToWork({ namespace }: Release): Promise<void> {
  const notes = await cluster.helm('get', 'notes', RELEASE, '--namespace', namespace);
  const commands = [...notes.matchAll(/^ +(kubectl .*)$/gm)].map(([, command = '']) => command);
  const runnable = commands.filter((command) => !command.includes(' port-forward '));
  expect(runnable).not.toEqual([]);
  // An editor that changes nothing.
  const options = { cwd: cluster.directory, env: { KUBE_EDITOR: 'true' } };
  await Promise.all(runnable.map((command) => cluster.shell(command, options)));
}
