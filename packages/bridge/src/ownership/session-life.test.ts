import { expect, test } from 'vitest';
import { isOver, LEADS_TO, mayFollow, type SessionLife } from './session-life.ts';

const SETTLED = Promise.resolve();
const LIVES: readonly SessionLife[] = [
  { kind: 'claimed' },
  { kind: 'held' },
  { kind: 'releasing', settled: SETTLED },
  { kind: 'handingOver' },
  { kind: 'ending', settled: SETTLED },
  { kind: 'released', settled: SETTLED },
  { kind: 'fenced', owner: 'west/b' },
  { kind: 'ended', settled: SETTLED },
];

/** Every life that can come after `life`, at once or later. */
function reachableFrom(life: SessionLife): SessionLife[] {
  const reached = new Set<SessionLife>();
  const queue = [life];
  for (let at = queue.pop(); at !== undefined; at = queue.pop()) {
    const from = at;
    for (const next of LIVES.filter((candidate) => mayFollow(from, candidate) && !reached.has(candidate))) {
      reached.add(next);
      queue.push(next);
    }
  }
  return [...reached];
}

test('every life is in the table, and leads to one that is over', () => {
  expect(Object.keys(LEADS_TO).sort()).toEqual(LIVES.map(({ kind }) => kind).sort());
  for (const life of LIVES) expect([life, ...reachableFrom(life)].some(isOver)).toBe(true);
});

test('no life repeats, and a session that is over is not served again', () => {
  for (const life of LIVES) expect(reachableFrom(life)).not.toContain(life);
  for (const life of LIVES.filter(isOver)) {
    const later = reachableFrom(life).map(({ kind }) => kind);
    expect(later.filter((kind) => kind === 'claimed' || kind === 'held' || kind === 'releasing')).toEqual([]);
  }
});

test('a session that another bridge claimed is neither released nor deleted by this one', () => {
  const lost = LIVES.filter(({ kind }) => kind === 'handingOver' || kind === 'fenced');
  for (const life of lost) {
    expect(reachableFrom(life).filter(({ kind }) => kind === 'released' || kind === 'ended')).toEqual([]);
  }
});
