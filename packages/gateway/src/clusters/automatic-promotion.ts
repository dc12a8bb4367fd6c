/** Decides when the gateway promotes another Kafka cluster by itself. Pure. */

/** What is remembered from one look to the next. */
export interface Watch {
  /** The active cluster that is watched. */
  readonly active: string;
  /** Since when none of its regions has had a healthy target; milliseconds of the monotonic clock. */
  readonly downSinceMs: number | undefined;
  /** When a promotion was last asked for. */
  readonly askedAtMs: number;
}

export interface Situation {
  readonly nowMs: number;
  readonly active: string;
  readonly isActiveDown: boolean;
  /** `undefined`: only operators promote. */
  readonly promoteAfterMs: number | undefined;
  /** Other clusters that can serve, in the order in which they are promoted. */
  readonly candidates: readonly string[];
  /** A promotion is asked for now. */
  readonly isPromoting: boolean;
}

/** Time between two questions, after one that failed. */
const ASK_AGAIN_MS = 1_000;

export function watchOf(active: string): Watch {
  return { active, downSinceMs: undefined, askedAtMs: Number.NEGATIVE_INFINITY };
}

/** Returns what to remember, and the cluster to promote now. A region that comes back starts the time again. */
export function decideAutomatic(before: Watch, situation: Situation): { watch: Watch; promote: string | undefined } {
  const { nowMs, active, isActiveDown, promoteAfterMs, candidates, isPromoting } = situation;
  const watch = before.active === active ? before : watchOf(active);
  if (!isActiveDown) return { watch: { ...watch, downSinceMs: undefined }, promote: undefined };
  const downSinceMs = watch.downSinceMs ?? nowMs;
  const isDue =
    promoteAfterMs !== undefined &&
    nowMs - downSinceMs >= promoteAfterMs &&
    nowMs - watch.askedAtMs >= ASK_AGAIN_MS &&
    !isPromoting;
  const promote = isDue ? candidates[0] : undefined;
  return { watch: { active, downSinceMs, askedAtMs: promote === undefined ? watch.askedAtMs : nowMs }, promote };
}
