/**
 * The life of a session at this bridge, as one union: from the claim that won to the moment at which nothing is done for the
 * session here any more. {@link HeldClaim} holds the value, and nothing else in the bridge remembers a part of it.
 */

export type SessionLife =
  /** Claimed. The session joins its group, and serves no request until the previous owner can do nothing any more. */
  | { kind: 'claimed' }
  /** This bridge owns the session and serves it. */
  | { kind: 'held' }
  /** Being released for any bridge to adopt. Runs the operations that came before. `settled` resolves when it is over. */
  | { kind: 'releasing'; settled: Promise<void> }
  /** Another bridge has claimed the session, and is about to learn where the client is. */
  | { kind: 'handingOver' }
  /** Being deleted, by its client or because it is idle. Other requests do not find it. `settled` resolves when it is over. */
  | { kind: 'ending'; settled: Promise<void> }
  /** Over: released. `settled` resolves when the session log has the release. */
  | { kind: 'released'; settled: Promise<void> }
  /** Over: another bridge owns the session; `undefined`: not known which. This bridge commits and answers nothing any more. */
  | { kind: 'fenced'; owner: string | undefined }
  /** Over: the session is deleted. `settled` resolves when the session log has the delete, or has refused it. */
  | { kind: 'ended'; settled: Promise<void> };

type Kind = SessionLife['kind'];

/** What may follow. A life that another bridge or a delete has cut short never returns to a release. */
export const LEADS_TO: Readonly<Record<Kind, readonly Kind[]>> = {
  claimed: ['held', 'fenced'],
  held: ['releasing', 'handingOver', 'ending', 'ended'],
  releasing: ['released', 'handingOver', 'ending', 'ended'],
  // A client may delete a session whose release is still being written.
  released: ['ending'],
  handingOver: ['fenced'],
  ending: ['ended', 'handingOver'],
  fenced: [],
  ended: [],
};

export function mayFollow(life: SessionLife, next: SessionLife): boolean {
  return LEADS_TO[life.kind].includes(next.kind);
}

export type OverLife = Extract<SessionLife, { kind: 'released' | 'fenced' | 'ended' }>;

/** Whether nothing is done for the session here any more. */
export function isOver(life: SessionLife): life is OverLife {
  return life.kind === 'released' || life.kind === 'fenced' || life.kind === 'ended';
}

/** Whether a delete of the session is under way, or done. */
export function isEnding({ kind }: SessionLife): boolean {
  return kind === 'ending' || kind === 'ended';
}
