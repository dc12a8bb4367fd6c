/** What the registry needs of an attempt in flight on a target. */
import type { Indexed } from '@causeway/http/indexed-list.ts';

/** An attempt in flight, which may leave its target for another one. */
export interface InFlight extends Indexed {
  /** When the attempt times out, in milliseconds of the monotonic clock; Infinity for never. */
  readonly deadlineMs: number;
  /** The deadline has passed. */
  onDeadline(): void;
  /**
   * The target was declared down, or reports that its Kafka is down (`isOfKafka`). Returns whether the request leaves: one that
   * cannot be retried stays.
   */
  targetDeclaredDown(reason: string, isOfKafka: boolean): boolean;
}
