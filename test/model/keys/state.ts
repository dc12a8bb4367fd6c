/** The state of the model of idempotency keys: Kafka's transactions and logs, bridges, gateways, and a client that repeats. */
import type { Claim } from '@causeway/bridge/idempotency/claims.ts';

export type BridgeNumber = number;

/** A record of a log. What a transaction aborted is removed: no reader sees it. */
export interface Entry {
  /** The transactional id, until readers of committed records see it. */
  by: string;
  /** `prepared`: committed, and its marker is not written yet. */
  status: 'open' | 'prepared' | 'stored';
}

/** How far partitions of answers are read, or are to be, by partition. */
export type Offsets = readonly number[];

export interface LoggedClaim extends Entry {
  claim: Claim;
}

/** What a client gets: which of the copies of its record, and for which request. */
export interface Answer {
  copy: number;
  fingerprint: string;
}

export interface LoggedAnswer extends Entry, Answer {
  key: number;
}

export interface DataRecord extends Entry {
  key: number;
  copy: number;
}

/** A transactional id. */
export interface Transaction {
  /** The producer of the last `InitProducerId`. Kafka refuses all others. */
  holder: string;
  /** `EndTxn` is on its way, or done and markers are missing. */
  end: 'none' | 'asked' | 'prepared';
}

/** Ends that a bridge asked for: of slots, and of partitions of answers. */
export interface Ends {
  claims: readonly number[];
  answers: Offsets;
}

/** A request for a key in a bridge, before it is in a lane. */
export interface Ask {
  key: number;
  fingerprint: string;
  failed: readonly BridgeNumber[];
  hasLost: boolean;
  /** How many claims the bridge had read when it began to take the slot over for it. */
  before: number | undefined;
  /** Whether a client waits for it. */
  isHeard: boolean;
}

/** The same in a lane. */
export interface Item extends Ask {
  /** The copy of its record, once that is sent. */
  copy: number;
}

export interface Lane {
  /** The transactional id. */
  id: string;
  /** `off`: the id is to be taken over, and the logs to be read. */
  step: 'off' | 'readingClaims' | 'readingAnswers' | 'idle' | 'records' | 'ending' | 'committed';
  ends: Ends | undefined;
  group: readonly Item[];
  queue: readonly Item[];
  /** The slot that its transaction frees. */
  freeing: number | undefined;
}

/** A slot is being taken over. */
export interface Take {
  guard: string;
  /** Whether the bridge has freed the slot since it began. */
  isFreed: boolean;
  /** `asked`: where a mutation asks for the ends before it takes the guard over. */
  step: 'asked' | 'readingClaims' | 'readingAnswers' | 'read' | 'ending' | 'committed';
  ends: Ends | undefined;
}

export interface BridgeState {
  status: 'up' | 'frozen' | 'dead';
  /** The number of claims that it has read, by slot. */
  claims: readonly number[];
  /** How far it has read answers. */
  read: Offsets;
  /** The answers that it knows, by key. */
  index: readonly (Answer | undefined)[];
  /** By slot. */
  held: readonly boolean[];
  lane: Lane;
  /** By slot. */
  takes: readonly (Take | undefined)[];
  asks: readonly Ask[];
}

export interface GatewayState {
  /** The owner that it remembers, by slot. */
  homes: readonly (BridgeNumber | undefined)[];
  /** Its belief, which may be wrong. */
  isDown: readonly boolean[];
}

/** The request that the client waits for. */
export interface Request {
  key: number;
  fingerprint: string;
  gateway: number;
  /** `undefined` while the gateway chooses. */
  at: BridgeNumber | undefined;
  /** The owner to which the gateway's route leads. */
  owner: BridgeNumber | undefined;
  failed: readonly BridgeNumber[];
  tried: readonly BridgeNumber[];
}

export interface State {
  transactions: Readonly<Record<string, Transaction>>;
  /** By slot. */
  claims: readonly (readonly LoggedClaim[])[];
  /** By partition. */
  answers: readonly (readonly LoggedAnswer[])[];
  data: readonly DataRecord[];
  bridges: readonly BridgeState[];
  gateways: readonly GatewayState[];
  request: Request | undefined;
  /** What bridges have sent as answers, by key. */
  given: readonly (Answer | undefined)[];
  /** The requests that the client has made. */
  askedCount: number;
  repeatsLeft: number;
  faultsLeft: number;
}

/**
 * What happens, `faultCount` times in all. A bridge dies, freezes, or is asked to free a slot (`release`); a gateway gives up a healthy
 * bridge; the response to `EndTxn` is lost; Kafka aborts the transaction of a bridge that is slow (`expire`).
 */
export type Fault = 'die' | 'freeze' | 'release' | 'giveUp' | 'lose' | 'expire';

export interface Bounds {
  bridgeCount: number;
  /** 0: the client sends to the bridges itself. */
  gatewayCount: number;
  slotCount: number;
  /** The client's requests, one after the other. Key N is in slot N modulo `slotCount`. */
  requests: readonly { key: number; fingerprint: string }[];
  /** So often the client breaks its connection and asks again, while its request continues. */
  repeatCount: number;
  faultCount: number;
  faults: readonly Fault[];
  /** Whether all lanes write their answers into one partition, as lanes of equal hash do. */
  isOnePartition: boolean;
  /** Whether the lanes have their transactional ids from the beginning, for slots that are not in the model. */
  areLanesReady: boolean;
  /** Whether a bridge that is started again has other lanes than before. */
  areLanesChanging: boolean;
  /** Whether each bridge begins with a request for the first key, under which its gateway has lost all other bridges; the client waits for one. */
  isContended: boolean;
  /** Whether the slots have had an owner that died: it had stored the first key, and no client has its answer. */
  hasEarlierOwner: boolean;
}

/** `A`, `B`, … */
export function letter(bridge: BridgeNumber): string {
  return String.fromCharCode(65 + bridge);
}

export function numberOf(owner: string): BridgeNumber {
  return owner.charCodeAt(0) - 65;
}

export function slotOfKey({ claims }: State, key: number): number {
  return key % claims.length;
}

/** The guard of a slot that no bridge owns. */
export function freeGuard(slot: number): string {
  return `slot-${slot}`;
}

export function withBridge(state: State, number: BridgeNumber, change: Partial<BridgeState>): State {
  const bridge = state.bridges[number];
  if (bridge === undefined) throw new TypeError('no such bridge');
  return { ...state, bridges: state.bridges.with(number, { ...bridge, ...change }) };
}

/** The lanes of a bridge, one at a time: it has the other one after a start, where lanes change. */
const LANES_OF_BRIDGE = 2;
/** The owner before all others, which is dead. */
const EARLIER = 'Z-0';

/** The partition into which a lane writes its answers. The partitions of free guards are empty. */
export function partitionOf(guard: string, bounds: Bounds): number {
  if (bounds.isOnePartition) return 0;
  if (guard === EARLIER) return partitionCount(bounds) - 2;
  if (guard.startsWith('slot')) return partitionCount(bounds) - 1;
  return numberOf(guard) * LANES_OF_BRIDGE + Number(guard.slice(2));
}

function partitionCount({ bridgeCount, isOnePartition }: Bounds): number {
  return isOnePartition ? 1 : bridgeCount * LANES_OF_BRIDGE + 2;
}

/** A bridge that has just been started. */
export function freshBridge(state: Pick<State, 'claims' | 'answers' | 'given'>, laneId: string): BridgeState {
  return {
    status: 'up',
    claims: state.claims.map(() => 0),
    read: state.answers.map(() => 0),
    index: state.given.map(() => undefined),
    held: state.claims.map(() => false),
    lane: {
      id: laneId,
      step: 'off',
      ends: undefined,
      group: [],
      queue: [],
      freeing: undefined,
    },
    takes: state.claims.map(() => undefined),
    asks: [],
  };
}

/** The request of a bridge that begins with one. A client waits for that of the first one. */
function contendingAsks(number: BridgeNumber, bounds: Bounds): Ask[] {
  const [first] = bounds.requests;
  if (!bounds.isContended || first === undefined) return [];
  return [{ ...first, failed: othersOf(number, bounds), hasLost: false, before: undefined, isHeard: number === 0 }];
}

function contendingRequest({ isContended, ...bounds }: Bounds): Request | undefined {
  const [first] = bounds.requests;
  if (!isContended || first === undefined) return undefined;
  return { ...first, gateway: 0, at: 0, owner: undefined, failed: othersOf(0, bounds), tried: [] };
}

function othersOf(number: BridgeNumber, { bridgeCount }: Pick<Bounds, 'bridgeCount'>): BridgeNumber[] {
  return Array.from({ length: bridgeCount }, (_, other) => other).filter((other) => other !== number);
}

export function initialState(bounds: Bounds): State {
  const { bridgeCount, gatewayCount, slotCount, requests, repeatCount, faultCount, hasEarlierOwner } = bounds;
  const { areLanesReady } = bounds;
  const keyCount = Math.max(...requests.map(({ key }) => key)) + 1;
  const answers: LoggedAnswer[][] = Array.from({ length: partitionCount(bounds) }, () => []);
  const stored = { by: '', status: 'stored' } as const;
  const earlier = { key: 0, copy: 0, fingerprint: requests[0]?.fingerprint ?? '' };
  if (hasEarlierOwner) answers[partitionOf(EARLIER, bounds)]?.push({ ...stored, ...earlier });
  const first: LoggedClaim = { ...stored, claim: { owner: EARLIER[0], transactionalId: EARLIER } };
  const logs = {
    claims: Array.from({ length: slotCount }, () => (hasEarlierOwner ? [first] : [])),
    answers,
    given: Array.from({ length: keyCount }, () => undefined),
  };
  const step = areLanesReady ? 'idle' : 'off';
  const bridges = Array.from({ length: bridgeCount }, (_, number) => {
    const fresh = freshBridge(logs, `${letter(number)}-0`);
    return { ...fresh, lane: { ...fresh.lane, step }, asks: contendingAsks(number, bounds) } as const;
  });
  const ready = bridges.map(
    ({ lane }, number) => [lane.id, { holder: `${letter(number)} lane`, end: 'none' }] as const,
  );
  return {
    transactions: areLanesReady ? Object.fromEntries(ready) : {},
    claims: logs.claims,
    answers,
    data: hasEarlierOwner ? [{ ...stored, key: 0, copy: 0 }] : [],
    bridges,
    gateways: Array.from({ length: gatewayCount }, () => ({
      homes: logs.claims.map(() => undefined),
      isDown: bridges.map(() => false),
    })),
    request: contendingRequest(bounds),
    given: logs.given,
    askedCount: bounds.isContended ? 1 : 0,
    repeatsLeft: repeatCount,
    faultsLeft: faultCount,
  };
}
