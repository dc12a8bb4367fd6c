/** A credentials file in use: read again when it changes. One that cannot be used leaves the one before in place. */
import { type FileWatch, watchFiles } from '@causeway/config/watch.ts';
import { type CredentialsFile, NO_CREDENTIALS, readCredentialsFile } from './credentials-file.ts';

export interface CredentialsChange {
  readonly file: string;
  /** Why the file as it is now cannot be used; `null`: it is in use. */
  readonly problem: string | null;
  /** What an operator should mend; `null` if nothing. */
  readonly warning: string | null;
  /** Principals in use. */
  readonly principalCount: number;
}

export interface CredentialsStoreOptions {
  /** After each change of the file; at the start only with a problem or a warning. */
  onChange: (change: CredentialsChange) => void;
}

export class CredentialsStore {
  readonly file: string;
  /** Reads after the first, by their outcome. */
  readonly reloadCounts = { applied: 0, refused: 0 };
  readonly #options: CredentialsStoreOptions;
  readonly #watch: FileWatch;
  #current: CredentialsFile = NO_CREDENTIALS;
  #problem: string | null = null;

  constructor(file: string, options: CredentialsStoreOptions) {
    this.file = file;
    this.#options = options;
    this.#watch = watchFiles([file], () => this.#reload());
    this.#read();
    if (this.#problem !== null || this.#current.warning !== undefined) this.#report();
  }

  /** The content in use: another object after each change. */
  get current(): CredentialsFile {
    return this.#current;
  }

  get problem(): string | null {
    return this.#problem;
  }

  close(): void {
    this.#watch.close();
  }

  #reload(): void {
    this.#read();
    this.reloadCounts[this.#problem === null ? 'applied' : 'refused'] += 1;
    this.#report();
  }

  #read(): void {
    try {
      this.#current = readCredentialsFile(this.file);
      this.#problem = null;
    } catch (error) {
      this.#problem = error instanceof Error ? error.message : String(error);
    }
  }

  #report(): void {
    const { warning, names } = this.#current;
    this.#options.onChange({
      file: this.file,
      problem: this.#problem,
      warning: warning ?? null,
      principalCount: names.size,
    });
  }
}
