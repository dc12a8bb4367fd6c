import { expect, test } from 'vitest';
import { RefusedConnections } from './refused-connections.ts';

test('each kind of refused connections is reported at once, and then at most once a minute with their number', () => {
  const reports: string[] = [];
  let nowMs = 5;
  const refused = new RefusedConnections({
    listener: 'public',
    onReport: ({ listener, connectionCount, reason }) => reports.push(`${listener} ${connectionCount} ${reason}`),
    now: () => nowMs,
  });
  const full = { reason: 'maxConnections', address: '10.0.0.1', detail: 'full' } as const;
  const header = { reason: 'proxyHeader', address: '10.0.0.2', detail: 'it is invalid' } as const;
  for (const drop of [full, full, header, full, header]) refused.add(drop);
  expect(reports.splice(0)).toEqual([
    'public 1 full',
    'public 1 a connection of 10.0.0.2 has no valid PROXY header: it is invalid',
  ]);
  nowMs += 59_999;
  refused.add(full);
  expect(reports).toEqual([]);
  nowMs += 1;
  refused.add(full);
  expect(reports).toEqual(['public 4 full']);
});
