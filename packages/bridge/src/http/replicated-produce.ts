/** Produce requests that wait until the other Kafka cluster has their records, too: by `acks=replicated`, or for some topics. */
import { queryParameter } from '@causeway/protocol/paths.ts';
import { BridgeError } from '../errors.ts';
import type { ProduceResult } from '../records.ts';
import type { ReplicatedAcks } from '../replication/replicated-acks.ts';

const REPLICATED = 'replicated';

/** What a request that waits does when Kafka has stored its records. */
export interface ReplicationWait {
  /** The results, in which those that the other cluster does not have in time are errors. */
  replicated(results: readonly ProduceResult[]): Promise<readonly ProduceResult[]>;
  /** Errors: `kafkaUnavailable` for records that the other cluster does not have in time. */
  confirm(results: readonly ProduceResult[], options: { isReplay: boolean }): Promise<void>;
}

/**
 * `undefined` for a request that does not wait. The time counts from now. Errors: `badRequest` where the records could not be acknowledged:
 * nothing is stored.
 */
export function replicationWait(
  { target, topic, isAsync }: { target: string; topic: string; isAsync: boolean },
  acks: ReplicatedAcks | undefined,
): ReplicationWait | undefined {
  const isAsked = queryParameter(target, 'acks') === REPLICATED;
  if (!isAsked && (isAsync || acks === undefined || !acks.isAlwaysWanted(topic))) return undefined;
  if (isAsync) throw refusal('acks=replicated needs a response with offsets: leave out async');
  if (acks === undefined) throw refusal('acks=replicated needs a second Kafka cluster, and this bridge has none');
  if (!acks.isPossible(topic)) throw refusal(`Topic ${topic} is not replicated, as acks=replicated needs it`);
  const wait = acks.begin();
  return {
    replicated: (results) => acks.replicated(topic, results, wait),
    async confirm(results, { isReplay }) {
      const since = isReplay ? undefined : wait.since;
      const missing = (await acks.replicated(topic, results, { since, limits: wait.limits })).find(
        (result, index) => result !== results[index],
      );
      if (missing !== undefined && 'message' in missing) {
        throw new BridgeError('kafkaUnavailable', {
          message: `${missing.message}: repeat the request with the same key`,
        });
      }
    },
  };
}

/** The results in the response to an earlier request. */
export function resultsIn(body: string | Buffer): ProduceResult[] {
  const { offsets } = JSON.parse(String(body)) as { offsets: { partition?: number; offset?: number }[] };
  return offsets.flatMap(({ partition, offset }) =>
    partition === undefined || offset === undefined ? [] : [{ partition, offset: BigInt(offset) }],
  );
}

function refusal(message: string): BridgeError {
  return new BridgeError('badRequest', { message });
}
