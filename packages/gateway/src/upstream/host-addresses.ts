/**
 * The addresses of the hosts that URLs of targets name, looked up on a timer and not for each connection: a name that moves takes
 * its target along, and a DNS server that hangs delays no connection to a known address.
 */
import { isIPv6, type LookupFunction } from 'node:net';
import { UpstreamError } from './errors.ts';

/** Returns the addresses of a host, at least one. Errors: `Error` with the reason. */
export type HostLookup = (host: string) => Promise<readonly string[]>;

export interface HostAddressesOptions {
  readonly lookup: HostLookup;
  /** Time between two lookups of a host, in milliseconds. */
  readonly refreshMs: () => number;
  /** A host has no answer any more and keeps its addresses, or has one again. */
  readonly onProblem: (host: KnownHost) => void;
  /** Returns a random number from 0 up to 1. */
  readonly random: () => number;
  /** Milliseconds, never going back. */
  readonly now: () => number;
}

/** What operators see of a host. */
export interface KnownHost {
  readonly name: string;
  /** Of the last good answer. */
  readonly addresses: readonly string[];
  /** Why the last lookup failed. */
  readonly problem: string | undefined;
  /** Lookups since the first use. */
  readonly counts: { readonly found: number; readonly failed: number };
}

/** What a transport sees of its host. */
export interface HostUse {
  has(address: string): boolean;
  /** For `net.connect`: calls back at once if there is any known address. */
  readonly lookup: LookupFunction;
  /** A connection failed: the host may have moved. */
  refreshSoon(): void;
  close(): void;
}

/** Spreads lookups by this share of the interval, so that many gateways do not ask in step. */
const JITTER_RATIO = 0.2;
/** The shortest time between the starts of two lookups of a host, however many connections fail. */
const MIN_GAP_MS = 1_000;

export class HostAddresses {
  readonly #options: HostAddressesOptions;
  readonly #hosts = new Map<string, Host>();

  constructor(options: HostAddressesOptions) {
    this.#options = options;
  }

  /** Looks a host up until the use is closed. `onChange`: it has other addresses. */
  use(name: string, onChange: () => void): HostUse {
    const host = this.#hosts.get(name) ?? new Host(name, this.#options);
    this.#hosts.set(name, host);
    // A use of its own, even if a function is given twice.
    const listener = (): void => onChange();
    host.listeners.add(listener);
    return {
      has: (address) => host.addresses.includes(address),
      lookup: host.lookup,
      refreshSoon: () => host.refreshSoon(),
      close: () => {
        host.listeners.delete(listener);
        if (host.listeners.size > 0) return;
        host.close();
        if (this.#hosts.get(name) === host) this.#hosts.delete(name);
      },
    };
  }

  /** Looks all hosts up soon: the settings have changed. */
  refreshSoon(): void {
    for (const host of this.#hosts.values()) host.refreshSoon();
  }

  /** The hosts in use. */
  get known(): KnownHost[] {
    return [...this.#hosts.values()];
  }
}

type Waiting = (error: NodeJS.ErrnoException | null) => void;

class Host implements KnownHost {
  readonly name: string;
  readonly listeners = new Set<() => void>();
  readonly counts = { found: 0, failed: 0 };
  addresses: readonly string[] = [];
  readonly #options: HostAddressesOptions;
  #error: Error | undefined;
  /** Connections before the first answer. */
  #waiting: Waiting[] = [];
  /** Of all connections, so that they begin with each address in turn. */
  #connectionCount = 0;
  #startedAtMs = Number.NEGATIVE_INFINITY;
  #isAsking = false;
  /** A connection failed after the running lookup began. */
  #isStale = false;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(name: string, options: HostAddressesOptions) {
    this.name = name;
    this.#options = options;
    void this.#ask();
  }

  get problem(): string | undefined {
    return this.#error === undefined ? undefined : problemOf(this.#error, this.name);
  }

  readonly lookup: LookupFunction = (_name, options, callback) => {
    const answer: Waiting = (error) => {
      const addresses = this.#nextOrder();
      const [first] = addresses;
      // With `all`, Node tries them in turn until one connects (RFC 8305).
      if (error !== null || first === undefined) callback(error, options.all === true ? [] : '');
      else if (options.all === true) callback(null, addresses);
      else callback(null, first.address, first.family);
    };
    if (this.addresses.length > 0) {
      answer(null);
      return;
    }
    if (!this.#isAsking && this.#untilGapMs() > 0 && this.#error !== undefined) {
      answer(notFound(this.#error));
      return;
    }
    this.#waiting.push(answer);
    if (!this.#isAsking) void this.#ask();
  };

  refreshSoon(): void {
    if (this.#isAsking) this.#isStale = true;
    else this.#schedule(this.#untilGapMs());
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }

  /** Each family in turn begins with another address; which family comes first, the answer says. */
  #nextOrder(): { address: string; family: number }[] {
    const count = this.#connectionCount;
    this.#connectionCount += 1;
    const all = this.addresses.map((address) => ({ address, family: isIPv6(address) ? 6 : 4 }));
    const [first] = all;
    const isFirst = ({ family }: { family: number }): boolean => family === first?.family;
    return [all.filter(isFirst), all.filter((entry) => !isFirst(entry))].flatMap((family) => {
      const start = family.length === 0 ? 0 : count % family.length;
      return [...family.slice(start), ...family.slice(0, start)];
    });
  }

  #untilGapMs(): number {
    const { refreshMs, now } = this.#options;
    return Math.max(0, this.#startedAtMs + Math.min(MIN_GAP_MS, refreshMs()) - now());
  }

  #schedule(delayMs: number): void {
    if (this.#isClosed) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#ask(), delayMs);
    this.#timer.unref();
  }

  /** A lookup is never abandoned: where the system does it, it holds a thread until it ends. */
  async #ask(): Promise<void> {
    clearTimeout(this.#timer);
    this.#isAsking = true;
    this.#isStale = false;
    this.#startedAtMs = this.#options.now();
    const answer = await this.#options.lookup(this.name).catch((error: unknown) => error as Error);
    this.#isAsking = false;
    if (answer instanceof Error) this.#failed(answer);
    else this.#found(answer);
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resume of waiting) resume(this.#error === undefined ? null : notFound(this.#error));
    this.#scheduleNext();
  }

  #scheduleNext(): void {
    const { refreshMs, random, now } = this.#options;
    const jitterMs = refreshMs() * JITTER_RATIO * (random() - 0.5);
    const restMs = this.#startedAtMs + refreshMs() + jitterMs - now();
    const isUrgent = this.#isStale || this.addresses.length === 0;
    this.#schedule(isUrgent ? this.#untilGapMs() : Math.max(0, restMs));
  }

  #failed(error: Error): void {
    const isNew = this.#error === undefined;
    this.counts.failed += 1;
    this.#error = error;
    if (isNew && !this.#isClosed) this.#options.onProblem(this);
  }

  #found(addresses: readonly string[]): void {
    const before = this.addresses;
    const isMended = this.#error !== undefined;
    this.counts.found += 1;
    this.#error = undefined;
    this.addresses = addresses;
    if (isMended && !this.#isClosed) this.#options.onProblem(this);
    const isSame = before.length === addresses.length && before.every((address) => addresses.includes(address));
    if (!isSame) for (const listener of this.listeners) listener();
  }
}

/** For clients: without the name. */
function notFound(cause: Error): UpstreamError {
  return new UpstreamError('ENOTFOUND', 'host name not found', { cause });
}

/** About the host, which its reader names: `does not exist (NXDOMAIN)`. */
function problemOf({ message, code, syscall }: NodeJS.ErrnoException, host: string): string {
  if (syscall === 'getaddrinfo') return `cannot be looked up (${code ?? message})`;
  return message.startsWith(host) ? message.slice(host.length).replace(/^:? /, '') : message;
}
