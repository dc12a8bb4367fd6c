/** What the registry asks of an attempt that is under way on a target. */
import type { Indexed } from '@causeway/http/indexed-list.ts';

/** Something under way on a target that can be told to look for another one. */
export interface InFlight extends Indexed {
  /** When its time is up, on the clock that never goes back; Infinity for never. */
  readonly deadlineMs: number;
  /** Its time is up. */
  onDeadline(): void;
  /** The target was declared down, or says that its Kafka is (`isOfKafka`); `true` when the request goes elsewhere, `false` when it cannot and stays. */
  targetDeclaredDown(reason: string, isOfKafka: boolean): boolean;
}
