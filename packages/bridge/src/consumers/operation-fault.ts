/** Whose fault it is that an operation of a consumer had no turn, or no answer of Kafka in time: its client's, or Kafka's. */
import { FAULT_OF_REQUEST } from '@causeway/protocol/routing.ts';
import { BridgeError } from '../errors.ts';
import type { Liveness } from '../kafka/client/liveness.ts';
import { POLL_TURN_GRACE_MS } from './operation-queue.ts';

/**
 * Settles like the operation. `isShortened`: its client chose to wait less for Kafka than the bridge would. Errors:
 * `kafkaUnavailable` instead of `consumerBusy` where the operation before it waits for a Kafka that does not respond; as the
 * request's fault where Kafka responds, and the client did not wait long enough.
 */
export async function withFault(
  run: () => Promise<void>,
  { liveness, isShortened }: { liveness: Liveness; isShortened: boolean },
): Promise<void> {
  const startedAtMs = performance.now();
  try {
    await run();
  } catch (error) {
    if (!(error instanceof BridgeError)) throw error;
    const waitedMs = performance.now() - startedAtMs;
    if (error.code === 'consumerBusy' && waitedMs >= POLL_TURN_GRACE_MS) {
      await liveness.confirm({ sinceMs: startedAtMs });
    }
    if (error.code !== 'kafkaUnavailable' || !isShortened || !liveness.isFresh) throw error;
    throw new BridgeError('kafkaUnavailable', { message: error.message, fault: FAULT_OF_REQUEST, cause: error });
  }
}
