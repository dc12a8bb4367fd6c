/** The rules that the model of idempotency keys follows: the bridge's decisions, and the order in which it acts on them. */
import {
  decideKey,
  decideKeyed,
  decideRecovered,
  hasLostSlot,
  holds,
  mayClaim,
} from '@causeway/bridge/idempotency/rules.ts';

export interface KeyProtocol {
  decideKeyed: typeof decideKeyed;
  hasLostSlot: typeof hasLostSlot;
  mayClaim: typeof mayClaim;
  holds: typeof holds;
  decideKey: typeof decideKey;
  decideRecovered: typeof decideRecovered;
  /** Whether the answers of all lanes are read before a slot is owned, and not only those of its guard. */
  isReadingAllAnswers: boolean;
  /** Whether a bridge that takes a slot over takes its guard over. */
  isFencing: boolean;
  /** Whether it asks for the ends of the logs after that, and not before. */
  isReadAfterInit: boolean;
  /** Whether it reads up to those ends before it claims. */
  isReadToEnd: boolean;
  /** Whether the claim is written in a transaction of the guard, and not of the bridge's own. */
  isClaimGuarded: boolean;
  /** Whether a lane that lost its id reads the logs before it continues. */
  isReadAtRecovery: boolean;
  /** Whether a transaction whose `EndTxn` had no response may be committed. */
  isLostCommitUnclear: boolean;
  /** Whether requests are answered after the commit. */
  isAnsweredAfterCommit: boolean;
  /** Whether records and answers are in one transaction. */
  isOneTransaction: boolean;
  /** Whether what waits for the next transaction is decided again, too, when a lane lost its id. */
  isQueueRecovered: boolean;
  /** Whether the lane looks, when it begins a transaction, whether it still holds the slots. */
  isQueueChecked: boolean;
  /** Whether a bridge that takes a slot over notices that it has freed it meanwhile. */
  isFreedNoticed: boolean;
}

export const KEY_PROTOCOL: KeyProtocol = {
  decideKeyed,
  hasLostSlot,
  mayClaim,
  holds,
  decideKey,
  decideRecovered,
  isReadingAllAnswers: true,
  isFencing: true,
  isReadAfterInit: true,
  isReadToEnd: true,
  isClaimGuarded: true,
  isReadAtRecovery: true,
  isLostCommitUnclear: true,
  isAnsweredAfterCommit: true,
  isOneTransaction: true,
  isQueueRecovered: true,
  isQueueChecked: true,
  isFreedNoticed: true,
};
