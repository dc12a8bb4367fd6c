import { expect, test } from 'vitest';
import { listSessions } from './session-list.ts';

test('of ten thousand consumers only those on the page are described', () => {
  const described: string[] = [];
  const held = Array.from({ length: 10_000 }, (_, index) => ({
    session: {
      identity: { group: `group-${index % 100}`, name: `consumer-${index}` },
      ...({ stateKind: 'subscribed', lastPollAtMs: 1_000 } as const),
      get knownLagRecords(): number {
        described.push(this.identity.name);
        return index;
      },
    },
    claim: { entry: { value: index % 2 === 0 ? { adoptionCount: 3, principal: `Tenant-${index % 4}` } : {} } },
    heldSinceMs: 0,
  }));
  const page = listSessions(held, 'east/bridge', { filter: 'Consumer-99', limit: 2 });
  // The lag takes a look at every partition of a consumer.
  expect(described).toEqual(['consumer-9900', 'consumer-9901']);
  expect(page).toMatchObject({ total: 10_000, matching: 111 });
  expect(page.consumers).toEqual([
    {
      group: 'group-0',
      instance: 'consumer-9900',
      principal: 'Tenant-0',
      home: 'east/bridge',
      state: 'subscribed',
      adoptions: 3,
      since: '1970-01-01T00:00:00.000Z',
      lastPollAt: '1970-01-01T00:00:01.000Z',
      lag: 9_900,
    },
    expect.objectContaining({ group: 'group-1', instance: 'consumer-9901', principal: null, adoptions: 0 }),
  ]);
  expect(listSessions(held, 'east/bridge', { filter: 'tenant-2', limit: 0 }).matching).toBe(2_500);
});
