/** MirrorMaker in the model, and positions that are translated by its syncs. */
import { PartitionSyncs } from '@causeway/bridge/replication/partition-syncs.ts';
import { PromotionPoint } from '@causeway/bridge/replication/points.ts';
import type { TwoWaySyncs } from '@causeway/bridge/replication/translate.ts';
import type { Step } from '../explorer.ts';
import { type Rules, truth } from './cluster-log.ts';
import type { ClusterProtocol } from './cluster-protocol.ts';
import { type ClusterNumber, clusterOf, nameOf, peerOf, type State, withCluster } from './state.ts';

/** More than there are records. */
const MOST_SYNCS = 100;

export function mirrorSteps(state: State, rules: Rules): Step<State>[] {
  const { from } = state.mirror;
  const isRunning = !state.isSplit && state.clusters.every(({ isUp }) => isUp);
  return isRunning
    ? [...copies(state, rules), ...syncs(state), ...carries(state, from, rules), ...turns(state, rules)]
    : [];
}

function copies(state: State, { bounds }: Rules): Step<State>[] {
  const { from, next } = state.mirror;
  const target = peerOf(from);
  const source = clusterOf(state, from).data;
  if (next >= source.length) return [];
  const id = source[next];
  const further = { ...state.mirror, next: next + 1 };
  if (id === undefined) return [inside('skips a gap', { ...state, mirror: further })];
  const { data } = clusterOf(state, target);
  const copied = { upstream: next, downstream: data.length };
  const stored = withCluster(state, target, { data: [...data, id] });
  const late = { ...stored, mirror: { ...further, copied } };
  const [synced] = bounds.areSyncsLate ? [] : syncs(late);
  return [inside(`copies record ${id} to ${nameOf(target)}`, synced?.next ?? late)];
}

function syncs(state: State): Step<State>[] {
  const { from, copied } = state.mirror;
  if (copied === undefined) return [];
  const target = peerOf(from);
  const all = [...clusterOf(state, target).syncs, copied];
  const next = { ...withCluster(state, target, { syncs: all }), mirror: { ...state.mirror, copied: undefined } };
  return [inside(`writes that ${copied.upstream} is ${copied.downstream} in ${nameOf(target)}`, next)];
}

/** Checkpoints of groups, and entries of the session log. */
function carries(state: State, from: ClusterNumber, { bounds }: Rules): Step<State>[] {
  const target = peerOf(from);
  const { saved } = clusterOf(state, from);
  const known = clusterOf(state, target);
  if (bounds.positions === 'committed') {
    if (known.checkpoint === saved.position) return [];
    return [inside('writes a checkpoint', withCluster(state, target, { checkpoint: saved.position }))];
  }
  const isNew = JSON.stringify(saved) !== JSON.stringify(known.saved) && saved.epoch >= known.saved.epoch;
  return isNew ? [inside("copies the session's entry", withCluster(state, target, { saved }))] : [];
}

/** An operator's script: once the other cluster follows the promoted one, that is the source. */
function turns(state: State, { protocol }: Rules): Step<State>[] {
  const source = peerOf(state.mirror.from);
  const { view, point } = truth(state, source, protocol);
  const other = truth(state, peerOf(source), protocol).view;
  const isFollowed = other.mode === 'standby' && JSON.stringify(other.highest) === JSON.stringify(view.highest);
  if (view.mode !== 'active' || !isFollowed) return [];
  const next = protocol.hasPoint ? point : clusterOf(state, source).data.length;
  const mirror = { from: source, next, copied: undefined };
  return [
    { label: `replication is turned: from ${nameOf(source)}, ${next}`, isOutside: true, next: { ...state, mirror } },
  ];
}

/** The offset of `lost` behind everything that is known to be in the other cluster. `point`: where its own records begin. */
export function replicatedThrough(state: State, lost: ClusterNumber, point: number): number {
  const newest = clusterOf(state, peerOf(lost)).syncs.at(-1);
  return Math.max(newest === undefined ? 0 : newest.upstream + 1, point);
}

/** A position of the peer, in the offsets of `cluster`. */
export function translated(
  state: State,
  cluster: ClusterNumber,
  { position, protocol }: { position: number; protocol: ClusterProtocol },
): number {
  return Number(protocol.translateOffset(syncsOf(state, cluster), { ...PLACE, offset: BigInt(position) }));
}

/** The same in a cluster that is active since this point; 0: since the beginning. */
export function translatedSince(
  state: State,
  cluster: ClusterNumber,
  { position, point, protocol }: { position: number; point: number; protocol: ClusterProtocol },
): number {
  const since = new PromotionPoint(point === 0 ? [] : [{ topic: PLACE.topic, ends: [point] }]);
  return Number(protocol.translateSince(syncsOf(state, cluster), since, { ...PLACE, offset: BigInt(position) }));
}

const PLACE = { topic: 'data', partition: 0 };

function syncsOf(state: State, cluster: ClusterNumber): TwoWaySyncs {
  const known = (target: ClusterNumber) => {
    const syncs = new PartitionSyncs(() => MOST_SYNCS);
    for (const sync of clusterOf(state, target).syncs) syncs.add(sync);
    return { of: () => syncs };
  };
  return { towards: known(cluster), back: known(peerOf(cluster)) };
}

/** Whether a report says that the record is in a cluster that was lost, and was not replicated. */
export function isReported({ clusters }: Pick<State, 'clusters'>, id: number): boolean {
  return clusters.some(({ reports }) =>
    reports.some(({ lost, from, to = Number.POSITIVE_INFINITY }) => {
      const offset = clusters[lost]?.data.indexOf(id) ?? -1;
      return offset >= from && offset < to;
    }),
  );
}

function inside(label: string, next: State): Step<State> {
  return { label: `MirrorMaker ${label}`, next, isOutside: false };
}
