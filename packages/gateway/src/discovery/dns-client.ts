/**
 * Asks DNS servers for a name, with c-ares (`node:dns`). c-ares retries over UDP, continues over TCP when an answer is truncated,
 * and prefers servers that answer; what it does not do for these questions is completing names by the search list.
 *
 * TTLs are not looked at: the cache of the servers respects them, and `discovery.refreshMs` says how old an answer may get.
 */
import { Resolver } from 'node:dns/promises';
import { type Answer, joinFamilies, joinHosts, type Records } from './answer.ts';
import { candidatesOf, RESOLV_CONF, type ResolvConf, readResolvConf } from './resolv-conf.ts';

export interface DnsSettings {
  /** Empty: those of resolv.conf. */
  readonly servers: readonly string[];
  readonly timeoutMs: number;
  /** The most SRV records that are followed. */
  readonly maxTargets: number;
}

/** What is asked for: the addresses of a name (A and AAAA), or those of its services (SRV). */
export interface Query {
  readonly name: string;
  readonly kind: 'addresses' | 'services';
}

export interface DnsClientOptions {
  readonly settings: () => DnsSettings;
  /** Default: that of the system. Read at every lookup. */
  readonly resolvConf?: string | undefined;
}

/** An answer, and the absolute name that it is about. */
export interface Lookup {
  readonly name: string;
  readonly answer: Answer;
}

/** c-ares sends a question twice to each server, and waits twice as long for the second time. */
const TRIES = 2;
const WAITS_PER_SERVER = 3;

/** Of one name: it has one lookup at a time. */
export class DnsClient {
  readonly #options: DnsClientOptions;
  #channel: { readonly key: string; readonly resolver: Resolver } | undefined;
  /** Grows when a server fails: the next question goes to the next one first. */
  #firstServer = 0;
  #pending: Promise<Lookup> | undefined;
  #search: Search | undefined;
  #isClosed = false;

  constructor(options: DnsClientOptions) {
    this.#options = options;
  }

  /** Never rejects. Takes `timeoutMs` at most. A lookup that runs already is joined. */
  lookup(query: Query): Promise<Lookup> {
    this.#pending ??= this.#lookup(query).finally(() => {
      this.#pending = undefined;
    });
    return this.#pending;
  }

  /** Ends a lookup that runs, as failed. */
  close(): void {
    this.#isClosed = true;
    this.#search?.end();
  }

  async #lookup(query: Query): Promise<Lookup> {
    const settings = this.#options.settings();
    const system = await readResolvConf(this.#options.resolvConf ?? RESOLV_CONF);
    const servers = settings.servers.length > 0 ? settings.servers : system.servers;
    const search = new Search(settings);
    this.#search = search;
    if (this.#isClosed) search.end();
    const timer = setTimeout(() => search.end(), settings.timeoutMs);
    try {
      // c-ares passes over a server that is silent, but not over one that answers with an error.
      for (let left = servers.length; ; left -= 1) {
        const lookup = await search.run(query, { system, resolver: this.#resolverFor(servers, settings) });
        if (lookup.answer.kind !== 'failed') return lookup;
        this.#firstServer += 1;
        if (left <= 1 || search.isOver) return lookup;
      }
    } finally {
      clearTimeout(timer);
      // Questions may be left whose answers did not matter.
      search.end();
      this.#search = undefined;
    }
  }

  #resolverFor(servers: readonly string[], { timeoutMs }: DnsSettings): Resolver {
    const first = this.#firstServer % servers.length;
    const ordered = [...servers.slice(first), ...servers.slice(0, first)];
    const key = [timeoutMs, ...ordered].join(' ');
    if (this.#channel?.key === key) return this.#channel.resolver;
    const resolver = new Resolver({
      timeout: Math.ceil(timeoutMs / WAITS_PER_SERVER / servers.length),
      tries: TRIES,
    });
    resolver.setServers(ordered);
    this.#channel = { key, resolver };
    return resolver;
  }
}

/** One lookup: the names that a name may mean, one after the other. */
class Search {
  readonly #settings: DnsSettings;
  #resolver: Resolver | undefined;
  #isOver = false;

  constructor(settings: DnsSettings) {
    this.#settings = settings;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  end(): void {
    this.#isOver = true;
    this.#resolver?.cancel();
  }

  /** A name whose answer failed might exist: the names after it are not asked for. */
  async run({ name, kind }: Query, { system, resolver }: { system: ResolvConf; resolver: Resolver }): Promise<Lookup> {
    this.#resolver?.cancel();
    this.#resolver = resolver;
    const candidates = candidatesOf(name, system);
    const graceMs = this.#settings.timeoutMs / 2 / candidates.length;
    let last: Lookup = { name, answer: { kind: 'unknown' } };
    for (const candidate of candidates) {
      const answer =
        kind === 'addresses' ? await this.#addresses(candidate, { graceMs }) : await this.#services(candidate, graceMs);
      last = { name: candidate, answer };
      if (answer.kind !== 'unknown') return last;
    }
    return last.answer.kind === 'unknown' ? { name, answer: last.answer } : last;
  }

  /**
   * One family with NXDOMAIN speaks for both (RFC 2308 §5), unless the other one has addresses, as behind servers that say so of every
   * AAAA record (RFC 4074 §4.2). Servers that are silent about AAAA records (§4.1) would otherwise use up the time of the names after this one.
   */
  async #addresses(name: string, { port, graceMs }: { port?: number; graceMs: number }): Promise<Answer> {
    const both = [
      this.#ask((resolver) => resolver.resolve4(name)),
      this.#ask((resolver) => resolver.resolve6(name)),
    ] as const;
    let timer: NodeJS.Timeout | undefined;
    const isUnknown = new Promise<Answer>((resolve) => {
      for (const one of both) {
        void one.then(({ kind }) => {
          if (kind === 'unknown') timer ??= setTimeout(() => resolve({ kind: 'unknown' }), graceMs);
        });
      }
    });
    const joined = Promise.all(both).then(([v4, v6]) => joinFamilies(v4, v6, port));
    return Promise.race([joined, isUnknown]).finally(() => clearTimeout(timer));
  }

  /** Priorities and weights are ignored: probes find out who can serve, and all targets of a region serve alike. */
  async #services(name: string, graceMs: number): Promise<Answer> {
    const records = await this.#ask((resolver) => resolver.resolveSrv(name));
    if (records.kind !== 'found') return records;
    // A host "." says that there is no such service (RFC 2782). Nothing listens on port 0.
    const hosts = records.values.filter(({ name: host, port }) => host !== '' && host !== '.' && port !== 0);
    const followed = hosts
      .sort((a, b) => (a.name === b.name ? a.port - b.port : a.name < b.name ? -1 : 1))
      .slice(0, this.#settings.maxTargets + 1);
    return joinHosts(
      await Promise.all(followed.map(({ name: host, port }) => this.#addresses(host, { port, graceMs }))),
    );
  }

  async #ask<Value>(question: (resolver: Resolver) => Promise<Value[]>): Promise<Records<Value>> {
    if (this.#isOver || this.#resolver === undefined) return this.#failure('ECANCELLED');
    try {
      const values = await question(this.#resolver);
      return values.length === 0 ? { kind: 'empty' } : { kind: 'found', values };
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? String(error.code) : 'an error';
      if (code === 'ENODATA') return { kind: 'empty' };
      return code === 'ENOTFOUND' ? { kind: 'unknown' } : this.#failure(code);
    }
  }

  #failure(code: string): { kind: 'failed'; reason: string } {
    return { kind: 'failed', reason: REASONS[code] ?? (this.#isOver ? this.#silence : `lookup failed with ${code}`) };
  }

  get #silence(): string {
    return `no answer within ${this.#settings.timeoutMs} ms`;
  }
}

/** By the codes of `node:dns`. */
const REASONS: Readonly<Record<string, string>> = {
  ETIMEOUT: 'the DNS servers do not answer',
  ECONNREFUSED: 'the DNS servers refuse connections',
  ESERVFAIL: 'the DNS server failed (SERVFAIL)',
  EREFUSED: 'the DNS server refuses to answer (REFUSED)',
  EBADRESP: 'the DNS server sent a malformed answer',
};
