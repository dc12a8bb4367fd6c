/** Counts the attempts at one target since the start, in integers that requests bump and the topology reads. */
import { DURATION_BUCKETS_MS } from '../stats.ts';

export class TargetTraffic {
  /** All attempts. */
  requestCount = 0;
  /** Attempts that failed or got a 5xx. */
  errorCount = 0;
  /** Durations of requests other than polls; the last bucket has no bound. */
  readonly buckets = new Uint32Array(DURATION_BUCKETS_MS.length + 1);

  /** Counts a response in the bucket of its duration. */
  took(bucket: number): void {
    this.buckets[bucket] = (this.buckets[bucket] ?? 0) + 1;
  }
}
