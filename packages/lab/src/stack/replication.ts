/**
 * The direction in which MirrorMaker fills one cluster from the other. One at a time: with the same names in both clusters, two at once
 * would copy every record for ever.
 */
import type { JavaRuntime } from './kafka-runtime.ts';
import { type Direction, MirrorMaker } from './mirror-maker.ts';
import { readLastSyncs, writeSyncs } from './offset-syncs.ts';
import type { ProcessEvent, Reaper } from './process.ts';
import { writeSourcePositions } from './source-positions.ts';

export interface ReplicationOptions {
  /** For MirrorMaker's properties. */
  directory: string;
  /** Default: `directory`. */
  logDirectory?: string | undefined;
  runtime: JavaRuntime;
  reaper: Reaper;
  onEvent?: ((event: ProcessEvent) => void) | undefined;
}

export class Replication {
  readonly #options: ReplicationOptions;
  #mirrorMaker: MirrorMaker | undefined;

  constructor(options: ReplicationOptions) {
    this.#options = options;
  }

  /** Undefined while nothing is replicated. */
  get direction(): Direction | undefined {
    return this.#mirrorMaker?.isRunning === true ? this.#mirrorMaker.direction : undefined;
  }

  /** For what a test does to its process. */
  get mirrorMaker(): MirrorMaker | undefined {
    return this.#mirrorMaker;
  }

  /** The first direction, or the same as before: MirrorMaker continues where it stopped. Errors: see `MirrorMaker.start`. */
  async start(direction: Direction, signal?: AbortSignal | undefined): Promise<void> {
    await this.stop();
    this.#mirrorMaker = new MirrorMaker({ ...this.#options, ...direction });
    await this.#mirrorMaker.start(signal);
  }

  /**
   * The direction after a promotion of `source`, which was filled from `target` until then: MirrorMaker copies what clients have written since,
   * and not back what it brought. Both clusters run. Every partition that it brought gets its first sync in the new direction: without it, bridges
   * could not tell that one without new records has everything. Records that it brought last before a SIGKILL, without a sync, it copies back.
   */
  async turn(direction: Direction, signal?: AbortSignal | undefined): Promise<void> {
    await this.stop();
    const { source, target } = direction;
    const syncs = await readLastSyncs({ source: target, target: source });
    const turned = syncs.map((sync) => ({ ...sync, upstream: sync.downstream, downstream: sync.upstream }));
    await writeSyncs(direction, turned);
    await writeSourcePositions(
      direction,
      turned.map(({ topic, partition, upstream }) => ({ topic, partition, offset: upstream })),
    );
    await this.start(direction, signal);
  }

  /** May be called again. */
  async stop(): Promise<void> {
    await this.#mirrorMaker?.stop();
  }
}
