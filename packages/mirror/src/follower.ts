/** Lets MirrorMaker follow the promotions of Kafka clusters: it fills one of them while another one is active. */
import { setTimeout as delay } from 'node:timers/promises';
import type { KafkaClusters } from '@causeway/protocol/admin/model.ts';
import { comparePromotions, type Promotion } from '@causeway/protocol/clusters.ts';
import { ageMs, decide } from './decide.ts';
import type { Gateways } from './gateways.ts';
import type { Replicator } from './replicator.ts';

export interface FollowerOptions {
  target: string;
  gateways: Gateways;
  replicator: Replicator;
  intervalMs: number;
  /** See {@link decide}. */
  turnAfterMs: number;
  /** In milliseconds, of a clock that never goes back. */
  now: () => number;
  log: { info(fields: object, message: string): void; warn(fields: object, message: string): void };
}

export class Follower {
  readonly #options: FollowerOptions;
  readonly #closed = new AbortController();
  #running: Promise<void> | undefined;
  /** The highest promotion that a gateway has reported, and since when this program has known it; of the first one, since it was. */
  #last: { promotion: Promotion; sinceMs: number } | undefined;
  /** What was logged last: a state is reported once. */
  #reported = '';

  constructor(options: FollowerOptions) {
    this.#options = options;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** MirrorMaker stops, if it is this program's own. */
  async close(): Promise<void> {
    this.#closed.abort();
    await this.#running;
    await this.#options.replicator.close();
  }

  async #run(): Promise<void> {
    const { signal } = this.#closed;
    while (!signal.aborted) {
      await this.#look();
      await delay(this.#options.intervalMs, undefined, { signal }).catch(() => {});
    }
  }

  async #look(): Promise<void> {
    const { target, gateways, replicator, turnAfterMs, log } = this.#options;
    try {
      const clusters = await gateways.list();
      const decision = decide(target, clusters, {
        activeForMs: this.#activeForMs(clusters),
        turnAfterMs,
      });
      switch (decision.kind) {
        case 'run':
          if (await replicator.run(decision.source)) {
            this.#report(`run ${decision.source}`, () => log.info({ source: decision.source }, 'MirrorMaker runs'));
          }
          return;
        case 'stop':
          if (await replicator.stop()) {
            const { reason } = decision;
            this.#report(`stop ${reason}`, () => log.info({ reason }, 'MirrorMaker does not run'));
          }
          return;
        case 'keep':
          this.#report(decision.reason, () => log.info({ reason: decision.reason }, 'nothing is changed'));
      }
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#report(reason, () => log.warn({ reason }, 'nothing is changed'));
    }
  }

  #activeForMs(clusters: KafkaClusters): number {
    const nowMs = this.#options.now();
    const promotion = { number: clusters.promotion, cluster: clusters.active };
    const last = this.#last;
    if (last === undefined || comparePromotions(last.promotion, promotion) < 0) {
      const isFirst = last === undefined || last.promotion.number === 0;
      this.#last = { promotion, sinceMs: isFirst ? nowMs - ageMs(clusters, Date.now()) : nowMs };
    }
    return nowMs - (this.#last?.sinceMs ?? nowMs);
  }

  #report(state: string, log: () => void): void {
    if (state === this.#reported) return;
    this.#reported = state;
    log();
  }
}
