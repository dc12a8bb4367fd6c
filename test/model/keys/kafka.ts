/** Kafka in the model: transactional ids, and the records of their transactions. */
import type { Step } from '../explorer.ts';
import { type Bounds, type BridgeState, type Ends, type Entry, letter, type State } from './state.ts';

/** The producers of bridge N: `A lane`, and `A slot 0` while that is being taken over. */
export function laneProducer(bridge: number): string {
  return `${letter(bridge)} lane`;
}

export function takeProducer(bridge: number, slot: number): string {
  return `${letter(bridge)} slot ${slot}`;
}

export function holderOf({ transactions }: State, id: string): string | undefined {
  return transactions[id]?.holder;
}

/** `InitProducerId`: `undefined` while markers of the transaction before are missing (`CONCURRENT_TRANSACTIONS`). */
export function initProducer(state: State, id: string, holder: string): State | undefined {
  if (state.transactions[id]?.end === 'prepared') return undefined;
  // An EndTxn of the producer before may still arrive: its epoch is refused.
  return withTransaction(aborted(state, id), id, { holder, end: 'none' });
}

/** While a transaction ends, Kafka takes no records of the next one. */
export function isEnding({ transactions }: State, id: string): boolean {
  return (transactions[id]?.end ?? 'none') !== 'none';
}

/** `EndTxn` is sent. The caller knows that its producer has the id. */
export function askToCommit(state: State, id: string): State {
  return withTransaction(state, id, { end: 'asked' });
}

/** The steps of the cluster: it commits, writes markers, and aborts what takes too long. */
export function clusterSteps(state: State, { faults }: Bounds): Step<State>[] {
  return Object.entries(state.transactions).flatMap(([id, { holder, end }]) => {
    const steps: Step<State>[] = [];
    if (end === 'asked') {
      const isAnswered = state.bridges.map((bridge, number) => heard(bridge, number, { id, holder }));
      const committed = withStatus(withTransaction(state, id, { end: 'prepared' }), id, 'prepared');
      steps.push({ label: `Kafka commits ${id}`, isOutside: false, next: { ...committed, bridges: isAnswered } });
    }
    if (end === 'prepared') {
      const stored = withStatus(withTransaction(state, id, { end: 'none' }), id, 'stored');
      steps.push({ label: `Kafka writes the markers of ${id}`, isOutside: false, next: stored });
    }
    if (end !== 'prepared' && hasOpen(state, id)) {
      const number = holder.charCodeAt(0) - 65;
      const isSlow = state.bridges[number]?.status === 'up';
      const next = withTransaction(aborted(state, id), id, { holder: '', end: 'none' });
      const label = `Kafka aborts ${id}, whose time is over`;
      if (!isSlow) steps.push({ label, isOutside: false, next });
      else if (state.faultsLeft > 0 && faults.includes('expire')) {
        steps.push({ label, isOutside: true, next: { ...next, faultsLeft: state.faultsLeft - 1 } });
      }
    }
    return steps;
  });
}

/** The response to `EndTxn` is in the bridge's socket. */
function heard(bridge: BridgeState, number: number, { id, holder }: { id: string; holder: string }): BridgeState {
  const { lane, takes } = bridge;
  if (holder === laneProducer(number) && lane.id === id && lane.step === 'ending') {
    return { ...bridge, lane: { ...lane, step: 'committed' } };
  }
  return {
    ...bridge,
    takes: takes.map((take, slot) =>
      take?.guard === id && take.step === 'ending' && holder === takeProducer(number, slot)
        ? { ...take, step: 'committed' as const }
        : take,
    ),
  };
}

function withTransaction(state: State, id: string, change: Partial<State['transactions'][string]>): State {
  const before = state.transactions[id] ?? { holder: '', end: 'none' };
  const { transactions } = state;
  // In the order of their names: the same state is found again, whichever came first.
  const entries = Object.entries({ ...transactions, [id]: { ...before, ...change } });
  return { ...state, transactions: Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1))) };
}

function hasOpen({ claims, answers, data }: State, id: string): boolean {
  const isOpen = ({ by, status }: Entry): boolean => by === id && status === 'open';
  return claims.some((log) => log.some(isOpen)) || answers.some((log) => log.some(isOpen)) || data.some(isOpen);
}

function withStatus(state: State, id: string, status: 'prepared' | 'stored'): State {
  const by = status === 'stored' ? '' : id;
  const settle = <E extends Entry>(entry: E): E => (entry.by === id ? { ...entry, by, status } : entry);
  return {
    ...state,
    claims: state.claims.map((log) => log.map(settle)),
    answers: state.answers.map((log) => log.map(settle)),
    data: state.data.map(settle),
  };
}

/** Without the records of the open transaction: what counts records of a log counts fewer. */
function aborted(state: State, id: string): State {
  if (!hasOpen(state, id)) return state;
  const isKept = ({ by, status }: Entry): boolean => by !== id || status !== 'open';
  const fewerOf = (logs: readonly (readonly Entry[])[], ends: readonly number[]): number[] =>
    ends.map((end, place) => end - (logs[place] ?? []).slice(0, end).filter((entry) => !isKept(entry)).length);
  const fewer = (ends: Ends | undefined): Ends | undefined =>
    ends && { claims: fewerOf(state.claims, ends.claims), answers: fewerOf(state.answers, ends.answers) };
  return {
    ...state,
    claims: state.claims.map((log) => log.filter(isKept)),
    answers: state.answers.map((log) => log.filter(isKept)),
    data: state.data.filter(isKept),
    bridges: state.bridges.map((bridge) => ({
      ...bridge,
      claims: fewerOf(state.claims, bridge.claims),
      lane: { ...bridge.lane, ends: fewer(bridge.lane.ends) },
      takes: bridge.takes.map((take) => take && { ...take, ends: fewer(take.ends) }),
    })),
  };
}

/** Whether readers of committed records get this far. */
export function isStable(log: readonly Entry[] | undefined, end: number): boolean {
  return (log ?? []).slice(0, end).every(({ status }) => status === 'stored');
}

/** How far readers of committed records get. */
export function stableEnd(log: readonly Entry[]): number {
  const at = log.findIndex(({ status }) => status !== 'stored');
  return at === -1 ? log.length : at;
}
