/** The keys of all issuers. Those of an issuer whose settings stay outlive a reload: its provider may be down. */
import type { IssuerConfig } from '../config/auth.ts';
import { KeySource } from './jwks-source.ts';

export interface KeySourcesOptions {
  /** Milliseconds, never going back. */
  now: () => number;
  /** The keys of an issuer cannot be read (the reason), or can be read again (`null`). */
  onChange: (issuer: string, problem: string | null) => void;
}

export class KeySources {
  readonly #options: KeySourcesOptions;
  /** By their settings. */
  #sources = new Map<string, KeySource>();

  constructor(options: KeySourcesOptions) {
    this.#options = options;
  }

  get all(): readonly KeySource[] {
    return [...this.#sources.values()];
  }

  /** Starts new ones, closes those that are no longer there, and returns them in the order of `issuers`. */
  configure(issuers: readonly IssuerConfig[]): readonly KeySource[] {
    const before = this.#sources;
    this.#sources = new Map(
      issuers.map((config) => [keyOf(config), before.get(keyOf(config)) ?? this.#create(config)]),
    );
    for (const [key, source] of before) if (!this.#sources.has(key)) source.close();
    return this.all;
  }

  close(): void {
    this.configure([]);
  }

  #create(config: IssuerConfig): KeySource {
    const { now, onChange } = this.#options;
    const source = new KeySource(config, { now, onChange: (problem) => onChange(config.issuer, problem) });
    source.start();
    return source;
  }
}

/** What the keys depend on. */
function keyOf({ issuer, jwksUrl, jwksFile, caFile, refreshSeconds, keepSeconds }: IssuerConfig): string {
  return JSON.stringify([issuer, jwksUrl, jwksFile, caFile, refreshSeconds, keepSeconds]);
}
