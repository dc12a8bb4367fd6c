/** What runs MirrorMaker into one Kafka cluster, as a process or in Kafka Connect: from one source at a time, or from none. */
import type { StartPosition } from '@causeway/protocol/clusters.ts';

/** Each call takes the steps that are possible now, and returns whether the state is reached; the caller repeats it. */
export interface Replicator {
  /** Errors: `Error` with a sentence, also of {@link Prepare}. */
  run(source: string): Promise<boolean>;
  /** Errors: as for `run`. */
  stop(): Promise<boolean>;
  /** This program ends. */
  close(): Promise<void>;
}

/** Returns where to begin after a promotion of `source`: the same each time under one promotion. Errors: `Error` with a sentence. */
export type Prepare = (source: string) => Promise<readonly StartPosition[]>;
