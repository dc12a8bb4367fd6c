/** Admits a request for a session, which may adopt it: prepares the join before the claim has won, and measures each stage. */
import type { Limits } from '../kafka/client/limits.ts';
import type { PreparedJoin } from '../kafka/group/prepared-join.ts';
import type { Admission, AdoptionStage } from '../ownership/adoption.ts';
import type { Begin } from '../ownership/held-session.ts';
import type { Holdings } from '../ownership/holdings.ts';
import type { SessionIdentity } from '../ownership/session-identity.ts';
import type { Sender } from './sender.ts';
import type { Session } from './session.ts';
import type { SessionFactory } from './session-factory.ts';

/** How long an adoption took, and each of its stages. */
export type OnAdopted = (durationMs: number, stagesMs: ReadonlyMap<AdoptionStage, number>) => void;

export interface AdmissionDependencies {
  holdings: Holdings<Session>;
  factory: SessionFactory;
  onAdopted: OnAdopted;
}

/** Decides which bridge serves a request, and adopts the session if that is to be this one. Errors: as {@link Holdings.admit}. */
export async function admit(
  { holdings, factory, onAdopted }: AdmissionDependencies,
  { identity, sender, limits }: { identity: SessionIdentity; sender: Sender; limits: Limits },
): Promise<Admission> {
  const startedAtMs = performance.now();
  const stagesMs = new Map<AdoptionStage, number>();
  let stageAtMs = startedAtMs;
  let prepared: PreparedJoin | undefined;
  try {
    const { principal } = sender;
    const request = { identity, origin: sender, principal, received: receivedBy(sender), limits };
    const begin: Begin<Session> = (claim, ownership) => factory.create(claim, ownership, { sender, prepared });
    const admission = await holdings.admit(request, begin, {
      onClaiming: ({ subscription: { kind } }) => {
        if (kind === 'topics' || kind === 'pattern') prepared ??= factory.prepareJoin(identity, sender);
      },
      onStageEnded: (stage) => {
        const nowMs = performance.now();
        stagesMs.set(stage, (stagesMs.get(stage) ?? 0) + nowMs - stageAtMs);
        stageAtMs = nowMs;
      },
    });
    if (stagesMs.has('join')) onAdopted(stageAtMs - startedAtMs, stagesMs);
    return admission;
  } finally {
    prepared?.close();
  }
}

/** The mark of the last response that the client has, where its gateway sends it. */
function receivedBy(sender: Sender): string | undefined {
  return sender.via === 'gateway' ? sender.delivered : undefined;
}
