/** The steps of bridges, of their log and of their group in the model. */
import { adoptionWaitMs, type CurrentClaim, DEFAULT_LEASE_MS, type Origin } from '@causeway/bridge/ownership/rules.ts';
import type { Step } from './explorer.ts';
import { isConfirmationComing, settled, takenBack, without } from './holding.ts';
import { describe, stored, tick } from './log-steps.ts';
import { foldLog, type Protocol } from './protocol.ts';
import {
  type BridgeNumber,
  type BridgeState,
  currentClaimOf,
  type HeldAnswer,
  type Holding,
  letter,
  NEVER_TICKS,
  type Rec,
  type State,
  type Work,
} from './session-state.ts';

/** The model's clock moves by as much as an adopter waits: a confirmation of one tick does not count in the next. */
const TICK_MS = adoptionWaitMs({ epoch: 1, id: '', owner: '', state: 'held', leaseMs: DEFAULT_LEASE_MS });

type Answer =
  | ({ kind: 'records' } & HeldAnswer)
  | { kind: 'deleted' }
  | { kind: 'notFound' }
  | { kind: 'misdirected'; owner: BridgeNumber };

export interface Rules {
  protocol: Protocol;
  isMember: boolean;
  hasGateways: boolean;
  /** Whether a bridge that is to hand a session over does so before time passes. */
  isPrompt: boolean;
  /** How an answer reaches the gateway; called while that still waits. */
  answered: (state: State, bridge: BridgeNumber, answer: Answer) => { next: State; violation: string | undefined };
}

export function bridgeSteps(state: State, rules: Rules): Step<State>[] {
  const steps = state.bridges.flatMap((bridge, number) =>
    bridge.status === 'up' ? new BridgeSteps(state, number, bridge, rules).all() : [],
  );
  const isTickUseful = state.bridges.some(
    ({ confirmedTicks, asked, work }) =>
      confirmedTicks < NEVER_TICKS || (asked?.ageTicks ?? NEVER_TICKS) < NEVER_TICKS || (work?.waitTicks ?? 0) > 0,
  );
  const isAwaited = rules.isPrompt && state.bridges.some((bridge) => isHandingOver(state, bridge, rules));
  if (isTickUseful && !isAwaited) steps.push(inside('time passes', tick(state)));
  for (const record of new Set(state.writes)) {
    steps.push(inside(`the log stores ${describe(record)} at ${state.log.length}`, stored(state, record)));
  }
  return steps;
}

class BridgeSteps {
  readonly #state: State;
  readonly #number: BridgeNumber;
  readonly #bridge: BridgeState;
  readonly #rules: Rules;

  /** A step is what a bridge does between two awaits. */
  constructor(state: State, number: BridgeNumber, bridge: BridgeState, rules: Rules) {
    this.#state = state;
    this.#number = number;
    this.#bridge = bridge;
    this.#rules = rules;
  }

  all(): Step<State>[] {
    const { asked, holding, handingOver, work } = this.#bridge;
    const { member } = this.#state;
    const steps: Step<State>[] = [];
    if (asked === undefined && this.#isAskingUseful())
      steps.push(this.#step('asks for the end of the log', this.#asking({})));
    if (asked !== undefined) steps.push(this.#looks(asked));
    if (holding !== undefined && this.#rules.isMember && member !== holding.id) {
      steps.push(this.#step('learns from a heartbeat that it is fenced', this.#replaced(holding)));
    }
    if (handingOver !== undefined) steps.push(this.#handsOver(handingOver));
    if (work !== undefined) steps.push(...this.#works(work));
    return steps;
  }

  /** A bridge asks all the time; it matters where there is something to read, or a confirmation is needed. */
  #isAskingUseful(): boolean {
    const { holding, work, confirmedTicks, read } = this.#bridge;
    if ((holding !== undefined || work?.step === 'joining') && read < this.#state.log.length) return true;
    const isNeeding = work?.step === 'joining' || work?.step === 'serving' || work?.step === 'answering';
    return isNeeding && confirmedTicks > 0;
  }

  #works(work: Work): Step<State>[] {
    const { holding, asked } = this.#bridge;
    if (work.isAbandoned && ['received', 'serving', 'answering'].includes(work.step)) {
      const gone = this.#step('notices that no gateway waits', this.#with({ work: undefined }));
      return [gone, ...this.#proceeds(work, holding)];
    }
    // A question that is on its way was asked too early.
    if ((work.step === 'stored' || work.step === 'received') && asked !== undefined && !this.#isServing()) return [];
    return this.#proceeds(work, holding);
  }

  #proceeds(work: Work, holding: Holding | undefined): Step<State>[] {
    switch (work.step) {
      case 'received':
        if (this.#isServing()) return [this.#step('holds the session', this.#working({ step: 'serving' }))];
        return [this.#step('asks for the end of the log, for the request', this.#asking({ step: 'reading' }))];
      case 'stored':
        if (!this.#rules.protocol.isReadBack) {
          return [
            this.#step('takes its claim for won', this.#won(this.#state, { ...this.#bridge, confirmedTicks: 0 }, work)),
          ];
        }
        return [this.#step('asks for the end of the log, for its claim', this.#asking({ step: 'readingBack' }))];
      case 'joining':
        return this.#joins(work);
      case 'serving':
        return holding === undefined ? [] : this.#serves(work, holding);
      case 'answering':
        return holding === undefined ? [] : this.#answers(work, holding);
      default:
        return [];
    }
  }

  #isServing(): boolean {
    const entry = this.#entry(this.#bridge.read);
    const { holding } = this.#bridge;
    return holding !== undefined && this.#rules.protocol.decideHolding(currentClaimOf(entry), holding).kind === 'keep';
  }

  #asking(change: Partial<Work>): State {
    const { work } = this.#bridge;
    return this.#with({
      asked: { end: this.#state.log.length, ageTicks: 0 },
      work: work === undefined ? undefined : { ...work, ...change },
    });
  }

  /** The answer about the log's end is looked at, with all records up to it. */
  #looks(asked: { end: number; ageTicks: number }): Step<State> {
    const { protocol } = this.#rules;
    const read = Math.max(this.#bridge.read, asked.end);
    const confirmedTicks = protocol.isDatedByQuestion ? asked.ageTicks : 0;
    let bridge: BridgeState = { ...this.#bridge, asked: undefined, read, confirmedTicks };
    const entry = this.#entry(read);
    const { holding } = bridge;
    const kept = holding && protocol.decideHolding(currentClaimOf(entry), holding).kind;
    if (holding !== undefined && kept !== 'keep') {
      const isHandedOver = kept === 'fenced' && protocol.isHandedOver;
      const { handingOver } = bridge;
      bridge = { ...without(bridge), handingOver: isHandedOver ? settled(holding, entry?.received) : handingOver };
    }
    const label = `reads the log up to ${read}`;
    const { work } = bridge;
    if (work?.step === 'reading') return this.#decides(label, bridge, work, entry);
    if (work?.step === 'readingBack') {
      const hasWon = protocol.hasWon(currentClaimOf(entry), new Set([work.claim?.id ?? '']));
      if (!hasWon) return this.#decides(`${label}, has lost`, bridge, { ...work, hasLost: true }, entry);
      if (work.claim?.state === 'deleted') return this.#ends(label, bridge);
      return this.#step(`${label}, has won`, this.#won(this.#state, bridge, work));
    }
    if (work?.step === 'joining' && entry?.id !== work.claim?.id) {
      return this.#decides(`${label}, has lost since`, bridge, { ...work, hasLost: true }, entry);
    }
    return this.#step(label, this.#put(this.#state, bridge));
  }

  #decides(label: string, bridge: BridgeState, work: Work, entry: Rec | undefined): Step<State> {
    const { protocol, hasGateways } = this.#rules;
    const origin: Origin = hasGateways ? { via: 'gateway', failedOwners: work.failed.map(letter) } : { via: 'client' };
    const decision = protocol.decideRequest({
      self: letter(this.#number),
      origin,
      isOwnerGone: false,
      hasLost: work.hasLost,
      entry: currentClaimOf(entry),
      holding: bridge.holding,
    });
    switch (decision.kind) {
      case 'serve':
        return this.#step(
          `${label}, holds the session`,
          this.#put(this.#state, { ...bridge, work: { ...work, step: 'serving' } }),
        );
      case 'notFound':
        return this.#answer(`${label}, answers 404`, bridge, { kind: 'notFound' });
      case 'misdirected': {
        const owner = decision.owner.charCodeAt(0) - 65;
        return this.#answer(`${label}, answers 421 with ${decision.owner}`, bridge, { kind: 'misdirected', owner });
      }
      default: {
        const claim = this.#claim(decision.epoch, 'held');
        const waitTicks = Math.ceil(protocol.adoptionWaitMs(currentClaimOf(entry)) / TICK_MS);
        const next: BridgeState = {
          ...bridge,
          work: { ...work, step: 'claiming', claim, superseded: entry?.id, waitTicks, hasJoined: false },
        };
        return this.#step(
          `${label}, sends the claim of epoch ${claim.epoch}`,
          this.#writing(this.#put(this.#state, next), claim),
        );
      }
    }
  }

  #won(state: State, bridge: BridgeState, work: Work): State {
    const position = this.#rules.protocol.isPositionedAfterWait ? undefined : state.committed;
    return this.#put(state, { ...bridge, work: { ...work, step: 'joining', position } });
  }

  #joins(work: Work): Step<State>[] {
    const { claim, waitTicks, superseded, hasJoined } = work;
    if (claim === undefined || !this.#isConfirmed()) return [];
    if (this.#rules.isMember && !hasJoined) {
      return [this.#step('joins the group', { ...this.#working({ hasJoined: true }), member: claim.id })];
    }
    const read = this.#state.log.slice(0, this.#bridge.read);
    const handedOver = read.find(({ id, state }) => id === superseded && state === 'released');
    if (waitTicks > 0 && handedOver === undefined) return [];
    const position = handedOver?.position ?? work.position ?? this.#state.committed;
    const holding = { epoch: claim.epoch, id: claim.id, position, isDelivered: false, mark: undefined };
    const over = { claim: undefined, superseded: undefined, waitTicks: 0, hasJoined: false, position: undefined };
    const next = this.#with({
      holding,
      work: { ...work, ...over, step: 'serving' },
    });
    return [this.#step(`begins at ${position}`, next)];
  }

  #serves(work: Work, holding: Holding): Step<State>[] {
    const fetches = this.#step(`fetches record ${holding.position}`, this.#working({ step: 'answering' }));
    if (holding.isDelivered && holding.mark !== undefined) return this.#settles(holding, holding.mark);
    if (holding.isDelivered) {
      const isOverlapping = work.op === 'poll' && !this.#rules.protocol.isCommittedBeforeAnswer;
      return [...this.#commits(holding), ...(isOverlapping ? [fetches] : [])];
    }
    if (work.op === 'poll') return [fetches];
    if (!this.#rules.protocol.isDeletedByClaim) {
      return [this.#ends('removes the session', without(this.#bridge), { ...this.#state, log: [] })];
    }
    const claim = this.#claim(holding.epoch + 1, 'deleted');
    const next = this.#working({ step: 'claiming', claim, waitTicks: 0 });
    return [this.#step('sends the claim that ends the session', this.#writing(next, claim))];
  }

  /** The client asks again: whether it has the last answer is known, or a gateway is about to confirm it, or no gateway ever will. */
  #settles(holding: Holding, mark: string): Step<State>[] {
    const isWaitOver = !isConfirmationComing(this.#state, mark);
    const decision = this.#rules.protocol.decideDelivery({ mark, confirmedMark: undefined, isWaitOver });
    if (decision === 'wait') return [];
    if (decision === 'received') {
      return [
        this.#step('takes its last answer for received', this.#with({ holding: { ...holding, mark: undefined } })),
      ];
    }
    return [this.#step('takes its last answer back', this.#with({ holding: takenBack(holding) }))];
  }

  #commits(holding: Holding): Step<State>[] {
    const { isMember } = this.#rules;
    if (isMember && this.#state.member !== holding.id) {
      return [this.#step('learns from its commit that it is fenced', this.#replaced(holding))];
    }
    if (!isMember && !this.#isConfirmed()) return [];
    const next = this.#with({ holding: { ...holding, isDelivered: false } });
    return [this.#step(`commits ${holding.position}`, { ...next, committed: holding.position })];
  }

  #answers(work: Work, holding: Holding): Step<State>[] {
    if (!this.#isConfirmed()) return [];
    const { position, epoch, id } = holding;
    const { acknowledged } = this.#state;
    const label = `answers with record ${position}`;
    // An abandoned answer arrives nowhere, and the position stays; but sending it may already be a violation.
    const mark = this.#rules.hasGateways ? `${id}:${this.#answerCount()}` : undefined;
    const moved = work.isAbandoned ? holding : { ...holding, position: position + 1, isDelivered: true, mark };
    const step = this.#answer(
      label,
      { ...this.#bridge, holding: moved },
      { kind: 'records', position, epoch, id, mark },
    );
    const late = `${letter(this.#number)} answers with records in epoch ${epoch} after the adoption of epoch ${acknowledged.epoch} was acknowledged`;
    const isLate = epoch < acknowledged.epoch || (epoch === acknowledged.epoch && id !== acknowledged.id);
    const isOver = this.#state.isDeleted
      ? `${letter(this.#number)} answers with records of a deleted session`
      : undefined;
    return [{ ...step, violation: isLate ? late : (isOver ?? step.violation) }];
  }

  #handsOver({ epoch, id, position }: Holding): Step<State> {
    const claimedAt = this.#state.log.findIndex((record) => record.id === id);
    const release: Rec = {
      epoch,
      id,
      owner: this.#number,
      state: 'released',
      claimedAt,
      received: undefined,
      position,
    };
    return this.#step(`hands over at ${position}`, this.#writing(this.#with({ handingOver: undefined }), release));
  }

  #ends(label: string, bridge: BridgeState, state = this.#state): Step<State> {
    const step = this.#answer(
      `${label}, answers that the session is deleted`,
      without(bridge),
      { kind: 'deleted' },
      state,
    );
    return { ...step, next: { ...step.next, member: '' } };
  }

  #answer(label: string, bridge: BridgeState, answer: Answer, state = this.#state): Step<State> {
    const isHeard = bridge.work?.isAbandoned === false;
    const done = this.#put(state, { ...bridge, work: undefined });
    if (!isHeard) return this.#step(`${label}, for which no gateway waits`, done);
    const { next, violation } = this.#rules.answered(done, this.#number, answer);
    return { ...this.#step(label, next), violation };
  }

  /** Distinguishes answers of this position: one that was taken back has another mark when it comes again. */
  #answerCount(): string {
    return `${this.#bridge.holding?.position}.${this.#state.pollsLeft}`;
  }

  #isConfirmed(): boolean {
    const now = this.#bridge.confirmedTicks * TICK_MS;
    return this.#rules.protocol.isConfirmed(
      { monotonicMs: 0, wallMs: 0 },
      { monotonicMs: now, wallMs: now },
      DEFAULT_LEASE_MS,
    );
  }

  #claim(epoch: number, state: CurrentClaim['state']): Rec {
    const { log, writes } = this.#state;
    const name = `${letter(this.#number)}${epoch}`;
    const sameCount = [...log, ...writes].filter(({ id }) => id.startsWith(name)).length;
    const id = sameCount === 0 ? name : `${name}.${sameCount}`;
    const received = this.#bridge.work?.delivered;
    return { epoch, id, owner: this.#number, state, claimedAt: undefined, received, position: undefined };
  }

  #writing(state: State, record: Rec): State {
    return { ...state, writes: [...state.writes, record] };
  }

  /** Another bridge's member has its place: the log shows whether that bridge claimed the session, and what the client received. */
  #replaced(holding: Holding): State {
    const entry = this.#entry(this.#state.log.length);
    const isClaimed = entry?.state === 'held' && entry.id !== holding.id;
    const isTold = isClaimed && this.#rules.protocol.isHandedOver;
    const change = isTold ? { handingOver: settled(holding, entry.received) } : {};
    return this.#put(this.#state, { ...without(this.#bridge), ...change });
  }

  #entry(read: number): Rec | undefined {
    return foldLog(
      this.#rules.protocol,
      this.#state.log.slice(0, read).map((record, offset) => ({ record, offset })),
    );
  }

  #working(change: Partial<Work>): State {
    const { work } = this.#bridge;
    return this.#with({ work: work === undefined ? undefined : { ...work, ...change } });
  }

  #with(change: Partial<BridgeState>): State {
    return this.#put(this.#state, { ...this.#bridge, ...change });
  }

  #put(state: State, bridge: BridgeState): State {
    // Without session and request, nothing depends on what was read before: it is read again.
    const isIdle = bridge.holding === undefined && bridge.work === undefined && bridge.handingOver === undefined;
    const forgotten = isIdle ? { ...bridge, read: 0, asked: undefined, confirmedTicks: NEVER_TICKS } : bridge;
    return { ...state, bridges: state.bridges.with(this.#number, forgotten) };
  }

  #step(label: string, next: State): Step<State> {
    return inside(`${letter(this.#number)} ${label}`, next);
  }
}

/** Whether a healthy bridge has yet to see that another one claimed the session, or to hand it over. */
function isHandingOver(state: State, bridge: BridgeState, { protocol }: Rules): boolean {
  const { status, holding, handingOver } = bridge;
  if (status !== 'up') return false;
  const entry = foldLog(
    protocol,
    state.log.map((record, offset) => ({ record, offset })),
  );
  const isReleasing = state.writes.some((record) => record.state === 'released');
  return handingOver !== undefined || isReleasing || (holding !== undefined && entry?.id !== holding.id);
}

function inside(label: string, next: State): Step<State> {
  return { label, next, isOutside: false };
}
