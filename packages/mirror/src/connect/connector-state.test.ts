import { expect, test } from 'vitest';
import { type ConnectorState, type ConnectorStatus, connectorState, isStopped } from './connector-state.ts';

const status = (connector: string, ...tasks: string[]): ConnectorStatus => ({
  connector: { state: connector, trace: `connector ${connector}\n\tat Java` },
  tasks: tasks.map((state, id) => ({ id, state, trace: `task ${id} ${state}\n\tat Java` })),
});

test.each<
  [string, ConnectorStatus | undefined, ConnectorState, { isStopped: boolean; isStoppedOnceAccepted: boolean }]
>([
  ['never ran', undefined, { kind: 'stopped' }, { isStopped: true, isStoppedOnceAccepted: true }],
  ['stopped', status('STOPPED'), { kind: 'stopped' }, { isStopped: true, isStoppedOnceAccepted: true }],
  ['stops', status('STOPPED', 'RUNNING'), { kind: 'changing' }, { isStopped: false, isStoppedOnceAccepted: false }],
  [
    'runs',
    status('RUNNING', 'RUNNING', 'RUNNING'),
    { kind: 'running', taskCount: 2 },
    { isStopped: false, isStoppedOnceAccepted: false },
  ],
  [
    'has nothing to copy, or hangs as it stops',
    status('RUNNING'),
    { kind: 'running', taskCount: 0 },
    { isStopped: false, isStoppedOnceAccepted: true },
  ],
  [
    'starts',
    status('RUNNING', 'RUNNING', 'UNASSIGNED'),
    { kind: 'changing' },
    { isStopped: false, isStoppedOnceAccepted: false },
  ],
  [
    'moves to another worker',
    status('UNASSIGNED', 'RUNNING'),
    { kind: 'changing' },
    { isStopped: false, isStoppedOnceAccepted: false },
  ],
  ['paused', status('PAUSED', 'PAUSED'), { kind: 'paused' }, { isStopped: false, isStoppedOnceAccepted: false }],
  [
    'failed itself',
    status('FAILED'),
    { kind: 'failed', reason: 'connector FAILED' },
    { isStopped: false, isStoppedOnceAccepted: true },
  ],
  [
    'has a failed task',
    status('RUNNING', 'RUNNING', 'FAILED'),
    { kind: 'failed', reason: 'task 1 FAILED' },
    { isStopped: false, isStoppedOnceAccepted: false },
  ],
  [
    'failed without a trace',
    { connector: { state: 'RUNNING' }, tasks: [{ id: 0, state: 'FAILED' }] },
    { kind: 'failed', reason: 'Kafka Connect does not say why' },
    { isStopped: false, isStoppedOnceAccepted: false },
  ],
])('a connector that %s', (_, given, state, expected) => {
  expect(connectorState(given)).toEqual(state);
  expect({ isStopped: isStopped(given, false), isStoppedOnceAccepted: isStopped(given, true) }).toEqual(expected);
});
