import { describe, expect, test } from 'vitest';
import { decideStatefulSet } from './stateful-set.ts';

/** By ordinal, as in the tests of Deployments; `''`: no such pod. */
function decide(texts: readonly string[], bounds: { replicas?: number; isParallel?: boolean } = {}) {
  const pods = texts.flatMap((text, ordinal) =>
    text === ''
      ? []
      : [
          {
            ordinal,
            revision: text.slice(0, 3),
            isReady: text[3] !== '-',
            isAvailable: text[3] === '+',
            isTerminating: text.endsWith('!'),
          },
        ],
  );
  const { createOrdinals, remove } = decideStatefulSet(
    { replicas: 3, isParallel: true, revision: 'new', ...bounds },
    pods,
  );
  return { create: createOrdinals, remove: remove.map(({ ordinal }) => ordinal) };
}

describe('a StatefulSet with podManagementPolicy Parallel', () => {
  test.each([
    ['creates all pods at the start', [], [0, 1, 2], []],
    ['does nothing when every pod is available', ['new+', 'new+', 'new+'], [], []],
    ['updates the last pod first', ['old+', 'old+', 'old+'], [], [2]],
    ['waits while it terminates: its successor has the same name', ['old+', 'old+', 'old+!'], [], []],
    ['creates it again', ['old+', 'old+', ''], [2], []],
    ['waits until it is ready', ['old+', 'old+', 'new-'], [], []],
    ['waits until it has been ready for minReadySeconds', ['old+', 'old+', 'new~'], [], []],
    ['continues with the one before', ['old+', 'old+', 'new+'], [], [1]],
    ['updates no other pod while one is missing', ['', 'old+', 'new-'], [0], []],
  ] as const)('%s', (_, pods, create, remove) => {
    expect(decide(pods)).toEqual({ create, remove });
  });

  test('is scaled to zero at once', () => {
    expect(decide(['new+', 'new+', 'new+'], { replicas: 0 })).toEqual({ create: [], remove: [2, 1, 0] });
    expect(decide(['new+!', 'new+!'], { replicas: 0 })).toEqual({ create: [], remove: [] });
  });
});

describe('a StatefulSet with podManagementPolicy OrderedReady', () => {
  test.each([
    ['creates one pod', [], 3, [0], []],
    ['waits until it is available', ['new~'], 3, [], []],
    ['creates the next one', ['new+'], 3, [1], []],
    ['deletes the last one first', ['new+', 'new+', 'new+'], 1, [], [2]],
    ['waits until it is gone', ['new+', 'new+', 'new+!'], 1, [], []],
  ] as const)('%s', (_, pods, replicas, create, remove) => {
    expect(decide(pods, { replicas, isParallel: false })).toEqual({ create, remove });
  });
});
