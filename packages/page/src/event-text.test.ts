import type { RecordedEvent } from '@causeway/protocol/admin/model.ts';
import { expect, test } from 'vitest';
import { describeEvent } from './event-text.ts';

const at = '2026-11-21T12:00:00.000Z';

test('a lost region is shown with its target and the reason', () => {
  const event: RecordedEvent = {
    id: 1,
    at,
    type: 'health',
    region: 'east',
    target: 'http://127.0.0.1:8180',
    from: 'healthy',
    to: 'unhealthy',
    reason: 'connection refused, 2 in a row',
  };
  expect(describeEvent(event)).toEqual({
    mark: 'down',
    topic: 'health',
    title: 'east is down',
    detail: '127.0.0.1:8180: connection refused, 2 in a row',
  });
});

test('an adoption names the first consumers and counts the others', () => {
  const event: RecordedEvent = {
    id: 2,
    at,
    type: 'adoption',
    consumerCount: 12,
    from: 'east/bridge',
    to: 'west/bridge',
    consumers: ['billing/c-1', 'billing/c-2'],
  };
  expect(describeEvent(event)).toMatchObject({
    title: '12 consumers moved from east/bridge to west/bridge',
    detail: 'billing/c-1, billing/c-2 and 10 more',
  });
});

test('an unknown event of a newer gateway is shown as JSON', () => {
  const event = { id: 3, at, type: 'eclipse', region: 'east' } as unknown as RecordedEvent;
  expect(describeEvent(event)).toMatchObject({ mark: 'unknown', title: 'eclipse' });
});

test('targets that DNS adds and removes are shown with their name', () => {
  const event: RecordedEvent = {
    id: 3,
    at,
    type: 'discovery',
    region: 'east',
    name: 'bridge.test',
    added: ['http://10.1.2.3:8080'],
    removed: ['http://10.1.2.4:8080', 'http://10.1.2.5:8080'],
    targetCount: 2,
  };
  expect(describeEvent(event)).toEqual({
    mark: 'unknown',
    topic: 'config',
    title: 'Targets of east by DNS: 1 new, 2 gone',
    detail: 'bridge.test: + 10.1.2.3:8080, − 10.1.2.4:8080, − 10.1.2.5:8080',
  });
  expect(
    describeEvent({
      id: 4,
      at,
      type: 'discoveryProblem',
      name: 'bridge.test',
      problem: 'does not exist (NXDOMAIN)',
      addressCount: 2,
    }),
  ).toMatchObject({
    mark: 'degraded',
    title: 'DNS name bridge.test has a problem',
    detail: 'it does not exist (NXDOMAIN); addresses in use: 2',
  });
});

test.each([
  ['standby', 'active', { mark: 'up', title: 'Kafka cluster west takes requests', detail: 'before: standby' }],
  ['active', 'pausing', { mark: 'degraded', detail: 'requests wait while it is handed over; before: active' }],
  ['active', 'fenced', { mark: 'down', title: 'Kafka cluster west is fenced' }],
  ['fenced', 'standby', { mark: 'drained', title: 'Kafka cluster west stands by' }],
] as const)('a cluster that was %s and is %s is described as on the rest of the page', (from, to, expected) => {
  expect(describeEvent({ id: 1, at, type: 'cluster', cluster: 'west', from, to })).toMatchObject(expected);
});
