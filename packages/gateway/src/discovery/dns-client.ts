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
  /** c-ares gives up at the first server that fails: the next lookup begins with the next one. */
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
    const resolver = this.#resolverFor(settings, system);
    const search = new Search(resolver, settings);
    this.#search = search;
    if (this.#isClosed) search.end();
    const timer = setTimeout(() => search.end(), settings.timeoutMs);
    try {
      const lookup = await search.run(query, system);
      if (lookup.answer.kind === 'failed') this.#firstServer += 1;
      return lookup;
    } finally {
      clearTimeout(timer);
      this.#search = undefined;
    }
  }

  #resolverFor({ servers: configured, timeoutMs }: DnsSettings, system: ResolvConf): Resolver {
    const servers = configured.length > 0 ? configured : system.servers;
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
  readonly #resolver: Resolver;
  readonly #settings: DnsSettings;
  #isOver = false;

  constructor(resolver: Resolver, settings: DnsSettings) {
    this.#resolver = resolver;
    this.#settings = settings;
  }

  end(): void {
    this.#isOver = true;
    this.#resolver.cancel();
  }

  /** A name whose answer failed might exist: the names after it are not asked for. */
  async run({ name, kind }: Query, system: ResolvConf): Promise<Lookup> {
    let last: Lookup = { name, answer: { kind: 'unknown' } };
    for (const candidate of candidatesOf(name, system)) {
      const answer = kind === 'addresses' ? await this.#addresses(candidate) : await this.#services(candidate);
      last = { name: candidate, answer };
      if (answer.kind !== 'unknown') return last;
    }
    return last.answer.kind === 'unknown' ? { name, answer: last.answer } : last;
  }

  async #addresses(name: string, port?: number): Promise<Answer> {
    const [v4, v6] = await Promise.all([
      this.#ask(() => this.#resolver.resolve4(name)),
      this.#ask(() => this.#resolver.resolve6(name)),
    ]);
    return joinFamilies(v4, v6, port);
  }

  /** Priorities and weights are ignored: probes find out who can serve, and all targets of a region serve alike. */
  async #services(name: string): Promise<Answer> {
    const records = await this.#ask(() => this.#resolver.resolveSrv(name));
    if (records.kind !== 'found') return records;
    // A host "." says that there is no such service (RFC 2782).
    const hosts = records.values.filter(({ name: host }) => host !== '' && host !== '.');
    const followed = hosts
      .sort((a, b) => (a.name === b.name ? a.port - b.port : a.name < b.name ? -1 : 1))
      .slice(0, this.#settings.maxTargets + 1);
    return joinHosts(await Promise.all(followed.map(({ name: host, port }) => this.#addresses(host, port))));
  }

  async #ask<Value>(question: () => Promise<Value[]>): Promise<Records<Value>> {
    if (this.#isOver) return this.#failure('ECANCELLED');
    try {
      const values = await question();
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
