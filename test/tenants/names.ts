/** The names of topics, groups and consumers in a run of the matrix: whose they are shows in their beginning. */
import type { Cell, Kind } from './cells.ts';
import { METHODS, type Method, TENANTS } from './credentials.ts';
import { type Named, ROWS } from './operations.ts';

/** A pass through the matrix. */
export interface Pass {
  method: Method;
  /** Of the failover. */
  phase: 'before' | 'after';
}

const OWNERS: Readonly<Record<Kind, string>> = { own: 'alice', foreign: 'bob', unknown: 'absent' };

export class Names {
  readonly #run: string;

  constructor(run: string) {
    this.#run = run;
  }

  /** `alice-RUN.orders`: a name that the rules permit alice; both may use the groups of `shared`. */
  of(owner: string, thing: string): string {
    return `${owner}-${this.#run}.${thing}`;
  }

  isAlices(name: string): boolean {
    return name.startsWith(this.of('alice', ''));
  }

  /** Topics that exist. */
  get topics(): string[] {
    const both = TENANTS.flatMap((tenant) => ['orders', 'more'].map((topic) => this.of(tenant, topic)));
    return [...both, ...METHODS.map((method) => this.bobsTopic(method))];
  }

  /** A consumer of alice's that serves every operation. */
  alices({ method, phase }: Pass): Named {
    return this.#ordinary('alice', { method, phase });
  }

  /** A consumer of alice's that reads every topic that it can. */
  patterns(method: Method): Named {
    return { topics: [], group: this.of('alice', `pattern-${method}`), consumer: 'all' };
  }

  bobsTopic(method: Method): string {
    return this.of('bob', `read-${method}`);
  }

  /** A consumer of bob's, by default in a group that both may use. */
  bobs(method: Method, owner = 'shared'): Named {
    return {
      topics: [this.bobsTopic(method)],
      group: this.of(owner, `strangers-${method}`),
      consumer: `bobs-${method}`,
    };
  }

  /** Where a cell's request goes, for alice. */
  inCell({ operation, topics, group, consumer }: Cell, pass: Pass): Named {
    const isNew = ROWS[operation].isNewTopic === true;
    const topicOf = (kind: Kind): string =>
      this.of(OWNERS[kind], isNew && kind === 'own' ? `made-${pass.method}-${pass.phase}` : 'orders');
    const owner = OWNERS[group ?? 'own'];
    const named =
      consumer === 'strangers'
        ? this.bobs(pass.method, group === 'own' ? 'shared' : owner)
        : this.#ordinary(owner, pass);
    return { ...named, topics: topics.map(topicOf) };
  }

  /** Names of things that are not alice's in a text. */
  othersIn(text: string): string[] {
    return text.match(new RegExp(`(?:bob|absent)-${this.#run}\\.[\\w.-]+|bobs-\\w+`, 'g')) ?? [];
  }

  #ordinary(owner: string, { method, phase }: Pass): Named {
    return { topics: [this.of(owner, 'orders')], group: this.of(owner, `${phase}-${method}`), consumer: 'mine' };
  }
}
