import { expect, test } from 'vitest';
import type { ClusterView } from './cluster-view.ts';
import { type ClusterWait, ClusterWaits } from './cluster-waits.ts';

const VIEW: ClusterView = {
  active: 'east',
  promotion: '1;east',
  awaited: undefined,
  mayBePromoted: true,
  maxWaiting: 10,
};

function waitOf(changes: Partial<ClusterWait> = {}): ClusterWait {
  return { active: 'east', provenAfterMs: undefined, deadlineMs: 1_000, isRefused: false, ...changes };
}

/** Names of the waits that are over, in turn. */
function waiting(waits: Record<string, Partial<ClusterWait>>, maxWaiting = 10): { all: ClusterWaits; over: string[] } {
  const all = new ClusterWaits();
  const over: string[] = [];
  for (const [name, changes] of Object.entries(waits)) all.add(waitOf(changes), maxWaiting, () => over.push(name));
  return { all, over };
}

test('a snapshot in which requests wait for nothing resumes those that were not sent yet', () => {
  const { all, over } = waiting({ unsent: {}, failed: { provenAfterMs: 100 } });
  all.onView({ ...VIEW, awaited: 'promotion' });
  expect(over).toEqual([]);
  all.onView(VIEW);
  expect([over, all.size]).toEqual([['unsent'], 1]);
});

test('another active cluster resumes all', () => {
  const { all, over } = waiting({ unsent: {}, failed: { provenAfterMs: 100 } });
  all.onView({ ...VIEW, active: 'west' });
  expect([over, all.size]).toEqual([['unsent', 'failed'], 0]);
});

test('requests that failed return to their cluster after a probe that began later', () => {
  const { all, over } = waiting({ early: { provenAfterMs: 100 }, late: { provenAfterMs: 300 } });
  all.onProof({ cluster: 'west', begunMs: 200 }, VIEW);
  all.onProof({ cluster: 'east', begunMs: 99 }, VIEW);
  expect(over).toEqual([]);
  all.onProof({ cluster: 'east', begunMs: 200 }, VIEW);
  expect(over).toEqual(['early']);
});

test('the deadline ends a wait, and so does the end of the request', () => {
  const { all, over } = waiting({ short: { deadlineMs: 500 }, long: {} });
  const gone = waitOf({ deadlineMs: 0 });
  all.add(gone, 10, () => over.push('gone'));
  all.remove(gone);
  all.expire(499);
  expect(over).toEqual([]);
  all.expire(500);
  expect(over).toEqual(['short']);
});

test('beyond the limit a request does not wait', () => {
  const { all, over } = waiting({ first: {} }, 1);
  const second = waitOf();
  all.add(second, 1, () => over.push('second'));
  expect([second.isRefused, over, all.size]).toEqual([true, ['second'], 1]);
});

test('those that resume may wait again', () => {
  const all = new ClusterWaits();
  let count = 0;
  const again = (): void => {
    count += 1;
    all.add(waitOf(), 10, again);
  };
  all.add(waitOf(), 10, again);
  all.onView(VIEW);
  expect([count, all.size]).toEqual([1, 1]);
});
