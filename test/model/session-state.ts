/** The state of the model of the ownership protocol: one session, its log, its group, bridges, gateways and a client. */
import { type CurrentClaim, DEFAULT_LEASE_MS } from '@causeway/bridge/ownership/rules.ts';

export type BridgeNumber = number;

/** A record of the log; its offset is its place. */
export interface Rec {
  epoch: number;
  id: string;
  owner: BridgeNumber;
  state: CurrentClaim['state'];
  /** `undefined` in a claim's first record. */
  claimedAt: number | undefined;
  /** Of a claim: the mark of the last answer that the client has, as the request said that led to it. */
  received: string | undefined;
  /** Of an owner that was superseded: where the client is. */
  position: number | undefined;
}

export interface Holding {
  epoch: number;
  id: string;
  /** The next offset to deliver. */
  position: number;
  /** Whether the last answer's batch is not committed yet. */
  isDelivered: boolean;
  /** The mark of the last answer, until that counts as received. */
  mark: string | undefined;
}

/** A request that a bridge works on. */
export interface Work {
  op: 'poll' | 'delete';
  failed: readonly BridgeNumber[];
  /** The mark that it confirms. */
  delivered: string | undefined;
  /** The gateway that sent it waits no more. */
  isAbandoned: boolean;
  step: 'received' | 'reading' | 'claiming' | 'stored' | 'readingBack' | 'joining' | 'serving' | 'answering';
  claim: Rec | undefined;
  /** The claim that its own one is to supersede. */
  superseded: string | undefined;
  /** Until it may ask for positions and answer, after the log had its claim. */
  waitTicks: number;
  /** Whether its claim is, or was, the group's member. */
  hasJoined: boolean;
  /** Whether it saw the session go to another bridge. */
  hasLost: boolean;
  /** Found too early, where a mutation does so. */
  position: number | undefined;
}

export interface BridgeState {
  status: 'up' | 'frozen' | 'dead';
  /** Records of the log that it has read. */
  read: number;
  /** A question for the log's end, on its way or answered and not looked at yet. */
  asked: { end: number; ageTicks: number } | undefined;
  /** Since its newest confirmation was asked for. */
  confirmedTicks: number;
  holding: Holding | undefined;
  /** A holding that another bridge has claimed, and whose position is still to be handed over. */
  handingOver: Holding | undefined;
  work: Work | undefined;
}

export interface GatewayState {
  remembered: BridgeNumber | undefined;
  /** The gateway's belief, which may be wrong. */
  isDown: readonly boolean[];
  /** The mark of the last answer that it handed to the client, until a request has gone that says so. */
  delivered: string | undefined;
}

/** An answer that a gateway has from a bridge, and the client not yet. */
export interface HeldAnswer {
  position: number;
  epoch: number;
  id: string;
  mark: string | undefined;
}

export interface Request {
  op: 'poll' | 'delete';
  gateway: number;
  /** Where the gateway sent it; `undefined` while it chooses. */
  at: BridgeNumber | undefined;
  /** Whether the bridge has begun. */
  isTaken: boolean;
  failed: readonly BridgeNumber[];
  /** The mark that it confirms. */
  delivered: string | undefined;
  answer: HeldAnswer | undefined;
}

export interface State {
  log: readonly Rec[];
  /** Writes on their way to the log; their bridges may have died. */
  writes: readonly Rec[];
  /** Whose claim the group knows as its static member. */
  member: string;
  committed: number;
  bridges: readonly BridgeState[];
  gateways: readonly GatewayState[];
  request: Request | undefined;
  nextGateway: number;
  pollsLeft: number;
  /** The offset after the last batch that the client got. */
  received: number;
  /** Batches that the client got again. */
  repeatCount: number;
  /** The newest claim whose owner has answered with records. */
  acknowledged: { epoch: number; id: string };
  isDeleted: boolean;
  faultsLeft: number;
}

/** No confirmation: older than any that counts. */
export const NEVER_TICKS = 1;

const FIRST: Rec = {
  epoch: 1,
  id: 'A1',
  owner: 0,
  state: 'held',
  claimedAt: undefined,
  received: undefined,
  position: undefined,
};

/** A bridge dies, freezes, or stops in order; a gateway gives up a healthy bridge, or dies and restarts at once. */
export type Fault = 'die' | 'freeze' | 'end' | 'giveUp' | 'gatewayDies';

export interface Bounds {
  bridgeCount: number;
  /** 0: the client talks to the bridges itself. */
  gatewayCount: number;
  pollCount: number;
  faultCount: number;
  /** Whether the session is a member of its group, or chose its partitions itself. */
  isMember: boolean;
  isDeleting: boolean;
  /** Whether healthy bridges hand a session over before the bridge that claimed it has waited for long enough. */
  isPrompt?: boolean;
  /** The faults that happen, `faultCount` times in all. Frozen bridges continue, and dead ones restart, at any time. */
  faults: readonly Fault[];
}

export const DEAD: BridgeState = {
  status: 'dead',
  read: 0,
  asked: undefined,
  confirmedTicks: NEVER_TICKS,
  holding: undefined,
  handingOver: undefined,
  work: undefined,
};

/** The first bridge has created the session and serves it; the others know nothing. */
export function initialState({ bridgeCount, gatewayCount, pollCount, faultCount }: Bounds): State {
  const idle: BridgeState = { ...DEAD, status: 'up' };
  const holding: Holding = { epoch: 1, id: FIRST.id, position: 0, isDelivered: false, mark: undefined };
  const bridges = Array.from({ length: bridgeCount }, () => idle);
  bridges[0] = { ...idle, read: 1, confirmedTicks: 0, holding };
  const isDown = bridges.map(() => false);
  return {
    log: [FIRST],
    writes: [],
    member: FIRST.id,
    committed: 0,
    bridges,
    gateways: Array.from({ length: Math.max(1, gatewayCount) }, () => ({
      remembered: undefined,
      isDown,
      delivered: undefined,
    })),
    request: undefined,
    nextGateway: 0,
    pollsLeft: pollCount,
    received: 0,
    repeatCount: 0,
    acknowledged: { epoch: 1, id: FIRST.id },
    isDeleted: false,
    faultsLeft: faultCount,
  };
}

/** As the bridge's decision functions see a record. */
export function currentClaimOf(record: Rec | undefined): CurrentClaim | undefined {
  return record && { ...record, owner: letter(record.owner), leaseMs: DEFAULT_LEASE_MS };
}

/** `A`, `B`, … */
export function letter(bridge: BridgeNumber): string {
  return String.fromCharCode(65 + bridge);
}

export function withBridge(state: State, number: BridgeNumber, bridge: BridgeState): State {
  return { ...state, bridges: state.bridges.with(number, bridge) };
}
