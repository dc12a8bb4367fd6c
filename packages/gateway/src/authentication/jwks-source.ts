/** Keeps an issuer's keys up to date: from a file that changes, or from a URL that may be down. */
import { setTimeout as pauseFor } from 'node:timers/promises';
import { type FileWatch, watchFiles } from '@causeway/config/watch.ts';
import type { JWSHeaderParameters } from 'jose';
import type { IssuerConfig } from '../config/auth.ts';
import { type FoundKey, KeyRing, readJwks } from './jwks.ts';
import { fetchJwks } from './jwks-fetch.ts';

/** `unknown`: the issuer has no such key. `unavailable`: its keys cannot be read now. */
export type KeyLookup =
  | FoundKey
  | { readonly kind: 'unknown' }
  | { readonly kind: 'ambiguous' }
  | { readonly kind: 'unavailable' };

export interface KeySourceOptions {
  /** Milliseconds, never going back. */
  now: () => number;
  /** The keys cannot be read (the reason), or can be read again (`null`). Only when that changes. */
  onChange: (problem: string | null) => void;
}

const MS_PER_SECOND = 1_000;
const FETCH_TIMEOUT_MS = 5_000;
/** Fetches for keys that are unknown: so many at once, and one more in each interval. Random names of keys cost the issuer no more. */
const FETCH_BURST = 3;
const FETCH_INTERVAL_MS = 5_000;
/** Requests that wait for such a fetch. */
const MAX_WAITING = 1_000;
/** Names that the issuer does not have, since the last fetch. */
const MAX_UNKNOWN_IDS = 1_000;
/** After a failed fetch: doubled after each further one. */
const FIRST_RETRY_MS = 1_000;
const LAST_RETRY_MS = 30_000;

const UNKNOWN = { kind: 'unknown' } as const;
const UNAVAILABLE = { kind: 'unavailable' } as const;

export class KeySource {
  /** Why the keys cannot be read now; `null`: they can. */
  problem: string | null = null;
  readonly issuer: string;
  /** Attempts to read the keys. */
  readonly readCounts = { succeeded: 0, failed: 0 };
  readonly #config: IssuerConfig;
  readonly #options: KeySourceOptions;
  readonly #ring = new KeyRing();
  readonly #closing = new AbortController();
  #watch: FileWatch | undefined;
  #timer: NodeJS.Timeout | undefined;
  #fetching: Promise<void> | undefined;
  #readAtMs: number;
  #failureCount = 0;
  #tokens = FETCH_BURST;
  #tokensAtMs: number;
  /** For an unknown key; it has not begun. */
  #nextFetch: Promise<void> | undefined;
  #waitingCount = 0;
  readonly #unknownIds = new Set<string | undefined>();

  constructor(config: IssuerConfig, options: KeySourceOptions) {
    this.issuer = config.issuer;
    this.#config = config;
    this.#options = options;
    this.#readAtMs = options.now();
    this.#tokensAtMs = options.now();
  }

  start(): void {
    const { jwksFile } = this.#config;
    if (jwksFile === undefined) {
      void this.#fetch();
      return;
    }
    this.#readFile(jwksFile);
    this.#watch = watchFiles([jwksFile], () => this.#readFile(jwksFile));
  }

  close(): void {
    this.#watch?.close();
    clearTimeout(this.#timer);
    this.#closing.abort();
    this.#ring.drop();
  }

  /** When the keys were read for the last time; `undefined`: never, or too long ago. */
  get ageMs(): number | undefined {
    return this.#ring.isEmpty ? undefined : this.#options.now() - this.#readAtMs;
  }

  /** Never rejects. */
  async find(header: JWSHeaderParameters): Promise<KeyLookup> {
    if (this.#ring.isEmpty && this.#fetching !== undefined && !(await this.#hasWaited(this.#fetching)))
      return UNAVAILABLE;
    const known = await this.#ring.find(header);
    if (known.kind !== 'unknown') return known;
    if (this.#ring.isEmpty) return UNAVAILABLE;
    if (this.#config.jwksFile !== undefined) return UNKNOWN;
    if (this.problem !== null && !this.#hasToken()) return UNAVAILABLE;
    if (this.#unknownIds.has(header.kid) && !this.#hasToken()) return UNKNOWN;
    if (!(await this.#hasWaited(this.#fetchForUnknownKey()))) return UNAVAILABLE;
    const found = await this.#ring.find(header);
    if (found.kind !== 'unknown') return found;
    if (this.problem !== null || this.#closing.signal.aborted) return UNAVAILABLE;
    if (this.#unknownIds.size < MAX_UNKNOWN_IDS) this.#unknownIds.add(header.kid);
    return UNKNOWN;
  }

  /** False at once where too many wait. */
  async #hasWaited(fetched: Promise<void>): Promise<boolean> {
    if (this.#waitingCount >= MAX_WAITING) return false;
    this.#waitingCount += 1;
    await fetched;
    this.#waitingCount -= 1;
    return true;
  }

  /** Requests that come before it begins share it. One that has begun may have read the keys before the new one was there. */
  #fetchForUnknownKey(): Promise<void> {
    this.#nextFetch ??= this.#beginNextFetch();
    return this.#nextFetch;
  }

  async #beginNextFetch(): Promise<void> {
    await this.#fetching;
    if (!this.#hasToken()) {
      await pause(FETCH_INTERVAL_MS - (this.#options.now() - this.#tokensAtMs), this.#closing.signal);
      this.#hasToken();
    }
    this.#tokens -= 1;
    this.#nextFetch = undefined;
    await this.#fetch();
  }

  #hasToken(): boolean {
    const nowMs = this.#options.now();
    const gained = Math.floor((nowMs - this.#tokensAtMs) / FETCH_INTERVAL_MS);
    if (gained > 0) {
      this.#tokens = Math.min(FETCH_BURST, this.#tokens + gained);
      this.#tokensAtMs += gained * FETCH_INTERVAL_MS;
    }
    return this.#tokens > 0;
  }

  /** Never rejects. */
  #fetch(): Promise<void> {
    if (this.#closing.signal.aborted) return Promise.resolve();
    const { issuer, jwksUrl, caFile } = this.#config;
    const signal = AbortSignal.any([this.#closing.signal, AbortSignal.timeout(FETCH_TIMEOUT_MS)]);
    this.#fetching ??= fetchJwks({ issuer, jwksUrl, caFile }, signal)
      .then((jwks) => this.#take(jwks, jwksUrl ?? `the JWKS of ${issuer}`))
      .catch((error: unknown) => this.#fail(error))
      .finally(() => {
        this.#fetching = undefined;
        this.#schedule();
      });
    return this.#fetching;
  }

  #readFile(file: string): void {
    try {
      this.#take(readJwks(file), file);
    } catch (error) {
      this.#fail(error);
    }
  }

  #take(jwks: unknown, where: string): void {
    try {
      this.#ring.update(jwks);
    } catch (cause) {
      throw new Error(`${where} ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
    }
    this.#readAtMs = this.#options.now();
    this.#unknownIds.clear();
    this.#failureCount = 0;
    this.readCounts.succeeded += 1;
    this.#report(null);
  }

  #fail(error: unknown): void {
    if (this.#closing.signal.aborted) return;
    this.#failureCount += 1;
    this.readCounts.failed += 1;
    const isTooOld = this.#options.now() - this.#readAtMs > this.#config.keepSeconds * MS_PER_SECOND;
    if (this.#config.jwksFile === undefined && isTooOld) this.#ring.drop();
    this.#report(error instanceof Error ? error.message : String(error));
  }

  #report(problem: string | null): void {
    const hasChanged = (problem === null) !== (this.problem === null);
    this.problem = problem;
    if (hasChanged) this.#options.onChange(problem);
  }

  #schedule(): void {
    clearTimeout(this.#timer);
    if (this.#closing.signal.aborted) return;
    const refreshMs = this.#config.refreshSeconds * MS_PER_SECOND;
    const retryMs = Math.min(FIRST_RETRY_MS * 2 ** (this.#failureCount - 1), LAST_RETRY_MS, refreshMs);
    this.#timer = setTimeout(() => void this.#fetch(), this.#failureCount === 0 ? refreshMs : retryMs);
    this.#timer.unref();
  }
}

/** Ends early when `signal` is aborted. */
function pause(durationMs: number, signal: AbortSignal): Promise<void> {
  return pauseFor(durationMs, undefined, { signal, ref: false }).catch(() => {});
}
