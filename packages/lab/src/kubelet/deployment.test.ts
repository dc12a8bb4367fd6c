import { describe, expect, test } from 'vitest';
import { boundsOf, decideDeployment, type PodView } from './deployment.ts';
import type { Deployment } from './objects.ts';

/** `new+`: available; `new~`: ready, not long enough; `new-`: not ready; `!`: terminating. */
function pod(text: string): PodView & { text: string } {
  return {
    text,
    revision: text.slice(0, 3),
    isReady: text[3] !== '-',
    isAvailable: text[3] === '+',
    isTerminating: text.endsWith('!'),
  };
}

function decide(pods: string[], bounds: { replicas?: number; maxSurge?: number; maxUnavailable?: number } = {}) {
  const whole = { replicas: 2, maxSurge: 1, maxUnavailable: 0, revision: 'new', ...bounds };
  const { createCount, remove } = decideDeployment(whole, pods.map(pod));
  return { createCount, remove: remove.map(({ text }) => text) };
}

describe('a Deployment with maxSurge 1 and maxUnavailable 0', () => {
  test.each([
    ['creates all pods at the start', [], 2, []],
    ['does nothing when every pod is available', ['new+', 'new+'], 0, []],
    ['creates one pod more at the beginning of an update', ['old+', 'old+'], 1, []],
    ['waits while the new pod is not ready', ['old+', 'old+', 'new-'], 0, []],
    ['waits until the new pod has been ready for minReadySeconds', ['old+', 'old+', 'new~'], 0, []],
    ['deletes an old pod for each new one that is available', ['old+', 'old+', 'new+'], 0, ['old+']],
    ['creates the next one while an old one terminates', ['old+', 'old+!', 'new+'], 1, []],
    ['deletes the last old one', ['old+', 'new+', 'new+'], 0, ['old+']],
    ['deletes no old pod when the new ones do not work', ['old+', 'old+', 'new-'], 0, []],
    ['replaces a new pod that was deleted', ['new+', 'new+!'], 1, []],
  ] as const)('%s', (_, pods, createCount, remove) => {
    expect(decide([...pods])).toEqual({ createCount, remove });
  });
});

test('with maxUnavailable 1 an old pod goes at once, and one that is not ready goes first', () => {
  expect(decide(['old+', 'old+'], { maxSurge: 0, maxUnavailable: 1 })).toEqual({ createCount: 0, remove: ['old+'] });
  expect(decide(['old+', 'old-'], { maxSurge: 0, maxUnavailable: 1 })).toEqual({ createCount: 0, remove: ['old-'] });
});

test('a scale-down deletes pods that are not ready, then the youngest', () => {
  expect(decide(['new+', 'new-', 'new~'], { replicas: 1 }).remove).toEqual(['new-', 'new~']);
  expect(decide(['new+'], { replicas: 0 }).remove).toEqual(['new+']);
});

test('percentages are of the replicas: the surge is rounded up, what may be missing down', () => {
  const template = { metadata: { labels: {} }, spec: { containers: [] } };
  const object: Deployment = { kind: 'Deployment', metadata: { name: 'a' }, spec: { template } };
  expect(boundsOf(object, 3, 'new')).toMatchObject({ maxSurge: 1, maxUnavailable: 0 });
  expect(boundsOf(object, 8, 'new')).toMatchObject({ maxSurge: 2, maxUnavailable: 2 });
});
