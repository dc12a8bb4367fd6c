/** The sender of a request. */
import type { TopicFilter } from '@causeway/protocol/topic-filter.ts';
import type { SessionAccount } from './session-account.ts';

export type Sender =
  /** A client without a gateway: it does not follow a 421. */
  | {
      via: 'client';
      /** Its name in Kafka, where requests reach Kafka as their clients; `undefined`: anonymous. */
      principal?: string | undefined;
      account?: SessionAccount | undefined;
    }
  /** A gateway: it follows a 421. */
  | {
      via: 'gateway';
      /** Owners that it could not reach, as `region/bridge`. */
      failedOwners: readonly string[];
      /** Why the owner is to release the session; `undefined`: it is not. */
      releaseReason: string | undefined;
      /** The mark of the last response that the client has; `undefined` where the gateway does not confirm deliveries. */
      delivered: string | undefined;
      /** The principal of the client; `undefined`: anonymous. */
      principal: string | undefined;
      /** Topics that the principal may use in this operation; `undefined`: all. */
      topics: TopicFilter | undefined;
      /** Consumers that the principal may have in the whole system; `undefined`: any number. */
      maxConsumers: number | undefined;
      /** How large a response the gateways can hold, in bytes; `undefined`: they do not say. */
      maxResponseBytes: number | undefined;
      /** As whom consumers use Kafka; `undefined`: as the bridge. */
      account?: SessionAccount | undefined;
    };

/** Consumers that the sender may have in the whole system; `undefined`: any number. */
export function maxConsumersOf(sender: Sender): number | undefined {
  return sender.via === 'gateway' ? sender.maxConsumers : undefined;
}
