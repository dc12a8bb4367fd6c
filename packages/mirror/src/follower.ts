/** Lets MirrorMaker follow the promotions of Kafka clusters: it fills one of them while another one is active. */
import { setTimeout as delay } from 'node:timers/promises';
import type { KafkaClusters } from '@causeway/protocol/admin/model.ts';
import { comparePromotions, type Promotion } from '@causeway/protocol/clusters.ts';
import { decide } from './decide.ts';
import type { Gateways } from './gateways.ts';
import type { Replicator } from './replicator.ts';

export interface FollowerOptions {
  target: string;
  gateways: Gateways;
  replicator: Replicator;
  intervalMs: number;
  log: { info(fields: object, message: string): void; warn(fields: object, message: string): void };
}

export class Follower {
  readonly #options: FollowerOptions;
  readonly #closed = new AbortController();
  #running: Promise<void> | undefined;
  /** The highest promotion that a gateway has reported. */
  #highest: Promotion | undefined;
  /** What was logged last: a state is reported once, and so is a failure. */
  #reported = '';
  #failure = '';

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
    const { target, gateways, replicator, log } = this.#options;
    try {
      const clusters = await gateways.list((answer) => this.#assertCurrent(answer));
      const decision = decide(target, clusters);
      switch (decision.kind) {
        case 'run':
          if (await replicator.run(decision.source)) {
            this.#report(`run ${decision.source}`, () => log.info({ source: decision.source }, 'MirrorMaker runs'));
          }
          break;
        case 'stop':
          if (await replicator.stop()) {
            const { reason, isToReport } = decision;
            this.#report(`stop ${reason}`, () => log.info({ reason }, 'MirrorMaker does not run'));
            if (isToReport) await gateways.endReplication(target, clusters.promotion);
          }
          break;
        case 'keep':
          this.#report(decision.reason, () => log.info({ reason: decision.reason }, 'nothing is changed'));
      }
      this.#noteFailure('');
    } catch (error) {
      this.#noteFailure(error instanceof Error ? error.message : String(error));
    }
  }

  /** `reason` is empty when nothing failed. */
  #noteFailure(reason: string): void {
    const { log } = this.#options;
    const before = this.#failure;
    if (reason === before) return;
    this.#failure = reason;
    if (reason === '') log.info({ reason: before }, 'recovered');
    else log.warn({ reason }, 'failed, and tried again');
  }

  /** A gateway that has yet to learn of a promotion would turn the direction back. Errors: `Error` for one. */
  #assertCurrent({ promotion: number, active: cluster }: KafkaClusters): void {
    const promotion = { number, cluster };
    if (this.#highest !== undefined && comparePromotions(promotion, this.#highest) < 0) {
      throw new Error(`A gateway does not know yet that ${this.#highest.cluster} was promoted.`);
    }
    this.#highest = promotion;
  }

  #report(state: string, log: () => void): void {
    if (state === this.#reported) return;
    this.#reported = state;
    log();
  }
}
