/** A client that sends one small record after another from a thread of its own, and measures how long each takes. */
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';

const MAIN = fileURLToPath(new URL('good-client-thread.ts', import.meta.url));

/** Since the start, or the last {@link GoodClient.restart}. */
export interface GoodClientReport {
  durationsMs: number[];
  /** Answers other than 200. */
  failures: string[];
  /** How many times longer than on a quiet machine work took at the worst moment. */
  slowness: number;
}

export class GoodClient {
  readonly #worker: Worker;

  /** `path`: of a topic. */
  constructor(url: string, path: string) {
    this.#worker = new Worker(MAIN, { workerData: { url, path } });
  }

  async report(): Promise<GoodClientReport> {
    return await this.#ask('report');
  }

  /** Forgets what was measured so far. */
  async restart(): Promise<void> {
    await this.#ask('restart');
  }

  async #ask(question: 'report' | 'restart'): Promise<GoodClientReport> {
    this.#worker.postMessage(question);
    const [report] = (await once(this.#worker, 'message')) as [GoodClientReport];
    return report;
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }
}
