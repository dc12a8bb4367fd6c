/** Kills and restores one region, one action after the other. */
import type { RegionName } from '../stack/regions.ts';
import type { Stack } from '../stack/stack.ts';

export type RegionState = 'up' | 'down' | 'restoring';

export interface RegionSwitchOptions {
  stack: Stack;
  region: RegionName;
  /** A region failed to start. */
  onError: (error: unknown) => void;
}

export class RegionSwitch {
  readonly region: RegionName;
  readonly #options: RegionSwitchOptions;
  #last: Promise<void> = Promise.resolve();
  #isRestoring = false;
  /** The last requested action. */
  #isWanted = true;

  constructor(options: RegionSwitchOptions) {
    this.region = options.region;
    this.#options = options;
  }

  get state(): RegionState {
    if (this.#isRestoring) return 'restoring';
    return this.#options.stack.isRegionUp(this.region) ? 'up' : 'down';
  }

  kill(): Promise<void> {
    this.#isWanted = false;
    return this.#after(() => this.#options.stack.killRegion(this.region));
  }

  restore(): Promise<void> {
    this.#isWanted = true;
    return this.#after(async () => {
      this.#isRestoring = true;
      try {
        await this.#options.stack.restoreRegion(this.region);
      } finally {
        this.#isRestoring = false;
      }
    });
  }

  /** Reverses the last requested action; a region that died is restored. */
  toggle(): Promise<void> {
    return this.#isWanted && this.state !== 'down' ? this.kill() : this.restore();
  }

  #after(action: () => Promise<void>): Promise<void> {
    this.#last = this.#last.then(action).catch((error: unknown) => this.#options.onError(error));
    return this.#last;
  }
}
