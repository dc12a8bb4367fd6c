/** Explores every state that a model can reach, breadth first, so that the first trace to a violation is the shortest. */

/** A step of the model. */
export interface Step<State> {
  /** The step in words. */
  label: string;
  next: State;
  /** A fault or a recovery: the model must progress without it. */
  isOutside: boolean;
  /** The violation of this step, if it is one. */
  violation?: string | undefined;
}

export interface Model<State> {
  initial: State;
  steps: (state: State) => Step<State>[];
  /** The violation of a state, if there is one. */
  violation: (state: State) => string | undefined;
  /** Whether this state must lead to one that is `isSettled`, by steps from inside alone. */
  mustSettle: (state: State) => boolean;
  isSettled: (state: State) => boolean;
}

export interface Exploration {
  stateCount: number;
  stepCount: number;
  /** The shortest way to a violation. */
  counterexample: { reason: string; trace: string[] } | undefined;
}

/** A model with more states than this probably never ends. */
const MOST_STATES = 2_000_000;

/** Explores until there is a violation, or no state is left. States are immutable, and share their unchanged parts. */
export function explore<State extends object>(model: Model<State>): Exploration {
  const numbers = new Map<string, number>();
  const states: State[] = [];
  const origins: { from: number; label: string }[] = [];
  /** By state: the states that lead to it from inside. */
  const before: number[][] = [];
  let stepCount = 0;
  const add = (state: State, from: number, label: string): { number: number; isNew: boolean } => {
    // Objects in one place of a model have the same properties in the same order.
    const key = JSON.stringify(state);
    const known = numbers.get(key);
    if (known !== undefined) return { number: known, isNew: false };
    const number = states.length;
    numbers.set(key, number);
    states.push(state);
    origins.push({ from, label });
    before.push([]);
    return { number, isNew: true };
  };
  const traceTo = (number: number): string[] => {
    const labels: string[] = [];
    for (let at = number; at > 0; at = origins[at]?.from ?? 0) labels.push(origins[at]?.label ?? '');
    return labels.reverse();
  };
  const found = (reason: string, trace: string[]): Exploration => ({
    stateCount: states.length,
    stepCount,
    counterexample: { reason, trace },
  });

  add(model.initial, 0, '');
  for (let number = 0; number < states.length; number += 1) {
    if (states.length > MOST_STATES) throw new Error(`the model has more than ${MOST_STATES} states`);
    const state = states[number] as State;
    for (const { label, next, isOutside, violation } of model.steps(state)) {
      stepCount += 1;
      if (violation !== undefined) return found(violation, [...traceTo(number), label]);
      const reached = add(next, number, label);
      if (!isOutside) before[reached.number]?.push(number);
      const wrong = reached.isNew ? model.violation(next) : undefined;
      if (wrong !== undefined) return found(wrong, traceTo(reached.number));
    }
  }
  const stuck = firstStuck(model, states, before);
  if (stuck !== undefined) return found('nothing leads on from here', traceTo(stuck));
  return { stateCount: states.length, stepCount, counterexample: undefined };
}

/** The first state that must settle and from which no way does. */
function firstStuck<State>(model: Model<State>, states: State[], before: number[][]): number | undefined {
  const settles = new Uint8Array(states.length);
  const queue: number[] = [];
  states.forEach((state, number) => {
    if (!model.isSettled(state)) return;
    settles[number] = 1;
    queue.push(number);
  });
  for (let number = queue.pop(); number !== undefined; number = queue.pop()) {
    for (const earlier of before[number] ?? []) {
      if (settles[earlier] === 1) continue;
      settles[earlier] = 1;
      queue.push(earlier);
    }
  }
  const stuck = states.findIndex((state, number) => settles[number] === 0 && model.mustSettle(state));
  return stuck === -1 ? undefined : stuck;
}

/** A counterexample as lines to read. */
export function describeExploration({ stateCount, stepCount, counterexample }: Exploration): string {
  if (counterexample === undefined) return `${stateCount} states, ${stepCount} steps: nothing wrong`;
  const lines = counterexample.trace.map((label, index) => `${String(index + 1).padStart(3)}. ${label}`);
  return [`${counterexample.reason} (after ${stateCount} states):`, ...lines].join('\n');
}
