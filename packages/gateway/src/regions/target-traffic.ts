/** What one target has answered since the start: plain integers, bumped by requests and read by the topology. */
import { DURATION_BUCKETS_MS } from '../stats.ts';

export class TargetTraffic {
  /** Attempts, however they ended. */
  requestCount = 0;
  /** Attempts that failed or were answered with 5xx. */
  errorCount = 0;
  /** Requests but polls, by how long they took; the last bucket has no bound. */
  readonly buckets = new Uint32Array(DURATION_BUCKETS_MS.length + 1);

  /** An answer of this target took as long as the bucket says. */
  took(bucket: number): void {
    this.buckets[bucket] = (this.buckets[bucket] ?? 0) + 1;
  }
}
