/**
 * The direction in which MirrorMaker fills one cluster from the other. One at a time: with the same names in both clusters, two at once
 * would copy every record for ever.
 */
import type { JavaRuntime } from './kafka-runtime.ts';
import { type Direction, MirrorMaker } from './mirror-maker.ts';
import type { ProcessEvent, Reaper } from './process.ts';

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
   * The direction after a promotion of `source`, which was filled from `target` until then. `prepare`: lets a bridge of `target` write where MirrorMaker begins,
   * while that does not run.
   */
  async turn(direction: Direction, prepare: () => Promise<unknown>, signal?: AbortSignal | undefined): Promise<void> {
    await this.stop();
    await prepare();
    await this.start(direction, signal);
  }

  /** May be called again. */
  async stop(): Promise<void> {
    await this.#mirrorMaker?.stop();
  }
}
