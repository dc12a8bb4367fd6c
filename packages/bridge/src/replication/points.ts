/** Where topics ended when their cluster became active: what follows is of the cluster's own time. Pure. */
import type { TopicPartition } from '../records.ts';

/** One topic of a point. */
export interface TopicEnds {
  topic: string;
  /** By partition. */
  ends: readonly number[];
  /** After a switch-over: the final ends in the other cluster, of the same records. */
  peerEnds?: readonly number[] | undefined;
}

/** The points of the last promotions of both clusters, as their logs have them. Empty: not known, or the first promotion. */
export interface PromotionPoints {
  own: readonly TopicEnds[];
  peer: readonly TopicEnds[];
}

export interface PointOfPartition {
  end: number;
  peerEnd: number | undefined;
}

/** The point of one promotion. */
export class PromotionPoint {
  readonly #topics: ReadonlyMap<string, TopicEnds>;

  constructor(topics: readonly TopicEnds[]) {
    this.#topics = new Map(topics.map((ends) => [ends.topic, ends]));
  }

  /** `undefined` without a point. A partition that was created later ended at 0. */
  of({ topic, partition }: TopicPartition): PointOfPartition | undefined {
    if (this.#topics.size === 0) return undefined;
    const found = this.#topics.get(topic);
    return { end: found?.ends[partition] ?? 0, peerEnd: found?.peerEnds?.[partition] };
  }
}

/** Of the last promotion: makes a new one only when there is another promotion. */
export function latestPoint(topics: () => readonly TopicEnds[]): () => PromotionPoint {
  let known: readonly TopicEnds[] = [];
  let point = new PromotionPoint(known);
  return () => {
    const latest = topics();
    if (latest !== known) {
      known = latest;
      point = new PromotionPoint(latest);
    }
    return point;
  };
}
