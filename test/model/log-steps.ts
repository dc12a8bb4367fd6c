/** What the log and the clock do in the model. */
import { letter, NEVER_TICKS, type Rec, type State, type Work } from './session-state.ts';

const WAITING: ReadonlySet<Work['step']> = new Set(['stored', 'readingBack', 'joining']);

/** The log stores a write that is on its way. */
export function stored(state: State, record: Rec): State {
  const bridges = state.bridges.map((bridge) => {
    const { work } = bridge;
    const isWaiting = work?.step === 'claiming' && work.claim?.id === record.id;
    return isWaiting ? { ...bridge, work: { ...work, step: 'stored' as const } } : bridge;
  });
  const at = state.writes.indexOf(record);
  return { ...state, bridges, log: [...state.log, record], writes: state.writes.toSpliced(at, 1) };
}

/** Time passes. */
export function tick(state: State): State {
  const older = (ticks: number): number => Math.min(NEVER_TICKS, ticks + 1);
  const fewer = (ticks: number): number => Math.max(0, ticks - 1);
  const bridges = state.bridges.map((bridge) => {
    const { asked, work, confirmedTicks } = bridge;
    return {
      ...bridge,
      confirmedTicks: older(confirmedTicks),
      asked: asked && { ...asked, ageTicks: older(asked.ageTicks) },
      // The wait begins when the log has the claim.
      work: work !== undefined && WAITING.has(work.step) ? { ...work, waitTicks: fewer(work.waitTicks) } : work,
    };
  });
  return { ...state, bridges };
}

/** A record in words. */
export function describe({ epoch, owner, state }: Rec): string {
  const what = state === 'held' ? 'claim' : state === 'released' ? 'release' : 'end';
  return `${letter(owner)}'s ${what} of epoch ${epoch}`;
}
