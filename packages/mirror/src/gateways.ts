/** Asks the first gateway that responds. */
import type { KafkaClusters } from '@causeway/protocol/admin/model.ts';
import type { PreparedReplication } from '@causeway/protocol/clusters.ts';
import { ClustersClient } from '@causeway/status/clusters/client.ts';
import type { Gateway } from '@causeway/status/gateway.ts';

/** One that does not respond must not keep the next one from being asked. */
const LIST_TIMEOUT_MS = 5_000;
/** A bridge that prepares many partitions takes a while. */
const CHANGE_TIMEOUT_MS = 40_000;

export class Gateways {
  readonly #gateways: readonly Gateway[];
  /** The one that responded last: asked first. */
  #first = 0;

  constructor(gateways: readonly Gateway[]) {
    this.#gateways = gateways;
  }

  /** `check` throws for an answer that does not count: then the next gateway is asked. Errors: `Error` with what each gateway said, here as below. */
  list(check: (clusters: KafkaClusters) => void): Promise<KafkaClusters> {
    return this.#ask(LIST_TIMEOUT_MS, async (client) => {
      const clusters = await client.list();
      check(clusters);
      return clusters;
    });
  }

  prepare(target: string, { dryRun }: { dryRun: boolean }): Promise<PreparedReplication> {
    return this.#ask(CHANGE_TIMEOUT_MS, (client) => client.prepare(target, dryRun));
  }

  /** MirrorMaker has not filled the cluster since this promotion of it. */
  async endReplication(target: string, promotion: number): Promise<void> {
    await this.#ask(CHANGE_TIMEOUT_MS, (client) => client.endReplication(target, promotion));
  }

  async #ask<Answer>(timeoutMs: number, question: (client: ClustersClient) => Promise<Answer>): Promise<Answer> {
    const failures: string[] = [];
    for (let turn = 0; turn < this.#gateways.length; turn += 1) {
      const index = (this.#first + turn) % this.#gateways.length;
      try {
        const answer = await question(new ClustersClient(this.#gateways[index] as Gateway, timeoutMs));
        this.#first = index;
        return answer;
      } catch (error) {
        failures.push(error instanceof Error ? error.message : String(error));
      }
    }
    throw new Error([...new Set(failures)].join(' '));
  }
}
