/** How the holding of a bridge changes: by deliveries that arrive or not, and when the session is lost. */
import type { BridgeState, Holding, State } from './session-state.ts';

/** Whether a gateway that lives has handed the answer of this mark to the client. */
export function isConfirmationComing({ gateways, request }: State, mark: string): boolean {
  return request?.delivered === mark || gateways.some(({ delivered }) => delivered === mark);
}

export function takenBack(holding: Holding): Holding {
  return { ...holding, position: holding.position - 1, isDelivered: false, mark: undefined };
}

/** The holding after the last request here, where the client has the answer of the mark `received`. */
export function settled(holding: Holding, received: string | undefined): Holding {
  const isReceived = holding.mark === undefined || holding.mark === received;
  return isReceived ? { ...holding, mark: undefined } : takenBack(holding);
}

/** The bridge gets the confirmation that the answer of this mark arrived. */
export function confirmed(bridge: BridgeState, mark: string | undefined): BridgeState {
  const { holding } = bridge;
  if (holding === undefined || holding.mark === undefined || holding.mark !== mark) return bridge;
  return { ...bridge, holding: { ...holding, mark: undefined } };
}

/** Nothing of the session is left; a request that is served has lost it. */
export function without(bridge: BridgeState): BridgeState {
  const { work } = bridge;
  const isOver = work?.step === 'serving' || work?.step === 'answering';
  return { ...bridge, holding: undefined, work: isOver ? { ...work, step: 'received', hasLost: true } : work };
}
