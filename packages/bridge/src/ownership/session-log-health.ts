/** Whether the session log can be read, since when, and why not. */

export class SessionLogHealth {
  readonly #onTrouble: ((reason: string | undefined) => void) | undefined;
  #trouble: string | undefined = 'the session log was not read yet';
  #troubleSinceMs = Number.NEGATIVE_INFINITY;
  #readableSinceMs = Number.POSITIVE_INFINITY;
  #isRefused = false;

  /** `onTrouble`: the log cannot be read, for this reason; `undefined` when it can again. */
  constructor(onTrouble: ((reason: string | undefined) => void) | undefined) {
    this.#onTrouble = onTrouble;
  }

  /** Why the log cannot be read; `undefined` while it can. */
  get trouble(): string | undefined {
    return this.#trouble;
  }

  /** The topic cannot be used as it is: waiting does not help. */
  get isRefused(): boolean {
    return this.#isRefused;
  }

  /** Since when the log can be read, or could last; by `performance.now()`, as the next. */
  get readableSinceMs(): number {
    return this.#readableSinceMs;
  }

  get troubleSinceMs(): number {
    return this.#troubleSinceMs;
  }

  /** What the last attempt to read it found; `undefined`: it can be read. */
  note(reason: string | undefined, { isRefused }: { isRefused: boolean }): void {
    this.#isRefused = isRefused;
    if (reason !== this.#trouble) this.#onTrouble?.(reason);
    if (this.#trouble === undefined && reason !== undefined) this.#troubleSinceMs = performance.now();
    if (this.#trouble !== undefined && reason === undefined) this.#readableSinceMs = performance.now();
    this.#trouble = reason;
  }
}
