/** For how long a partition's copy has not had everything: from samples of the source's end. Pure. */

interface Sample {
  atMs: number;
  end: number;
}

/** Of one partition: beyond them, every second one goes, and later ones are taken half as often; the time is that much less exact. */
const MAX_SAMPLES = 64;

export class Coverage {
  /** Ends that are not covered yet, each later and greater than the one before. */
  #samples: Sample[] = [];
  /** When the newest sample was taken that is covered. */
  #coveredAtMs: number | undefined;
  /** Between samples. */
  #stepMs = 0;

  /** `end`: of the source at `atMs`. `through`: the copy has everything before it. */
  note({ atMs, end, through }: { atMs: number; end: number; through: number }): void {
    this.#cover(through);
    if (end <= through) {
      this.#samples = [];
      this.#coveredAtMs = atMs;
      return;
    }
    // A topic that was recreated.
    if (end < (this.#samples.at(-1)?.end ?? 0)) this.#samples = [];
    const last = this.#samples.at(-1);
    if (last === undefined) this.#stepMs = 0;
    else if (end === last.end || atMs - last.atMs < this.#stepMs) return;
    this.#samples.push({ atMs, end });
    if (this.#samples.length > MAX_SAMPLES) this.#thin();
  }

  /** How long ago the copy last had everything that was there, as far as samples show; 0 while it has everything. */
  behindMs(nowMs: number): number {
    const [first] = this.#samples;
    return first === undefined ? 0 : Math.max(0, nowMs - (this.#coveredAtMs ?? first.atMs));
  }

  #thin(): void {
    const samples = this.#samples.filter((_, index) => index % 2 === 0);
    const firstMs = samples[0]?.atMs ?? 0;
    this.#stepMs = ((samples.at(-1)?.atMs ?? 0) - firstMs) / (samples.length - 1);
    this.#samples = samples;
  }

  #cover(through: number): void {
    const uncovered = this.#samples.findIndex(({ end }) => end > through);
    const covered = uncovered === -1 ? this.#samples.length : uncovered;
    if (covered === 0) return;
    this.#coveredAtMs = this.#samples[covered - 1]?.atMs ?? this.#coveredAtMs;
    this.#samples = this.#samples.slice(covered);
  }
}
