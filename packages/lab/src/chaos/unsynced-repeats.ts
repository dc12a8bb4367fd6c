/** Which records may come again after a loss: those that the last checkpoint of a group and the syncs at that moment did not know. Pure. */
import type { GroupCheckpoint } from '../stack/checkpoints.ts';
import type { OffsetSync } from '../stack/offset-syncs.ts';
import type { Repeat } from './group-books.ts';

/** What the promoted cluster knew of the lost one's positions. */
export interface Knowledge {
  checkpoints: readonly GroupCheckpoint[];
  syncs: readonly OffsetSync[];
}

/** The offset of the lost cluster at which a group continues, at least; 0 if nothing is known of it. */
export function continuesFrom(
  { checkpoints, syncs }: Knowledge,
  { group, topic, partition }: Pick<GroupCheckpoint, 'group' | 'topic' | 'partition'>,
): number {
  const committed = checkpoints.find(
    (checkpoint) => checkpoint.group === group && checkpoint.topic === topic && checkpoint.partition === partition,
  );
  if (committed === undefined) return 0;
  const known = syncs
    .filter((sync) => sync.topic === topic && sync.partition === partition && sync.upstream <= committed.upstream)
    .map(({ upstream }) => Number(upstream));
  return Math.max(0, ...known);
}

export interface JudgedRepeats {
  repeats: readonly Repeat[];
  /** The group's name in Kafka. */
  group: string;
  topic: string;
  knowledge: Knowledge;
  /** A delivery before this moment was of the lost cluster. */
  promotedAtMs: number;
}

/** Repeated deliveries of records that lie before the position with which the group continues. */
export function excessRepeats({ repeats, group, topic, knowledge, promotedAtMs }: JudgedRepeats): Repeat[] {
  const from = new Map<number, number>();
  return repeats.filter(({ before: { partition, offset }, beforeAtMs }) => {
    if (beforeAtMs > promotedAtMs) return false;
    const known = from.get(partition) ?? continuesFrom(knowledge, { group, topic, partition });
    from.set(partition, known);
    return offset < known;
  });
}
