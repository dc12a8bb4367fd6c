import { expect, test } from 'vitest';
import { listSessions } from './session-list.ts';

test('of ten thousand consumers a page is made in a moment', () => {
  const held = Array.from({ length: 10_000 }, (_, index) => ({
    session: {
      identity: { group: `group-${index % 100}`, name: `consumer-${index}` },
      ...({ stateKind: 'subscribed', lastPollAtMs: 1_000, knownLagRecords: index } as const),
    },
    ownership: { claim: { entry: { value: { adoptionCount: 3 } } } },
    heldSinceMs: 0,
  }));
  const startedAtMs = performance.now();
  const page = listSessions(held, 'east/bridge', { filter: 'Consumer-99', limit: 2 });
  expect(performance.now() - startedAtMs).toBeLessThan(200);
  expect(page).toMatchObject({ total: 10_000, matching: 111 });
  expect(page.consumers).toEqual([
    {
      ...{ group: 'group-0', instance: 'consumer-9900', home: 'east/bridge', state: 'subscribed', adoptions: 3 },
      ...{ since: '1970-01-01T00:00:00.000Z', lastPollAt: '1970-01-01T00:00:01.000Z', lag: 9_900 },
    },
    expect.objectContaining({ group: 'group-1', instance: 'consumer-9901' }),
  ]);
});
