/**
 * The addresses of the hosts that URLs of targets name, looked up on a timer and not for each connection: a name that moves takes
 * its target along, and a DNS server that hangs delays no connection to a known address.
 */
import { isIPv6, type LookupFunction } from 'node:net';
import { LookupPace } from '../discovery/lookup-pace.ts';
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
  readonly #pace: LookupPace<readonly string[] | Error>;

  constructor(name: string, options: HostAddressesOptions) {
    const { lookup, refreshMs, random, now } = options;
    this.name = name;
    this.#options = options;
    this.#pace = new LookupPace({
      // A lookup is never abandoned: where the system does it, it holds a thread until it ends.
      lookup: () => lookup(name).catch((error: unknown) => error as Error),
      onAnswer: (answer) => this.#take(answer),
      refreshMs,
      random,
      now,
    });
    this.#pace.askNow();
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
    if (this.#pace.isResting && this.#error !== undefined) {
      answer(notFound(this.#error));
      return;
    }
    this.#waiting.push(answer);
    this.#pace.askNow();
  };

  refreshSoon(): void {
    this.#pace.refreshSoon();
  }

  close(): void {
    this.#pace.close();
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

  #take(answer: readonly string[] | Error): boolean {
    if (answer instanceof Error) this.#failed(answer);
    else this.#found(answer);
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resume of waiting) resume(this.#error === undefined ? null : notFound(this.#error));
    return this.addresses.length > 0;
  }

  #failed(error: Error): void {
    const isNew = this.#error === undefined;
    this.counts.failed += 1;
    this.#error = error;
    if (isNew && !this.#pace.isClosed) this.#options.onProblem(this);
  }

  #found(addresses: readonly string[]): void {
    const before = this.addresses;
    const isMended = this.#error !== undefined;
    this.counts.found += 1;
    this.#error = undefined;
    this.addresses = addresses;
    if (isMended && !this.#pace.isClosed) this.#options.onProblem(this);
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
