/** A client that sends one small record after another from its own thread, and measures how long each takes. */
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';

const MAIN = fileURLToPath(new URL('good-client-thread.ts', import.meta.url));

/** Measured since the start, or since the last {@link GoodClient.restart}. */
export interface GoodClientReport {
  durationsMs: number[];
  /** Responses other than 200. */
  failures: string[];
  /** The slowest moment of the machine, as a multiple of the time that work takes on a quiet one. */
  slowness: number;
}

export class GoodClient {
  readonly #worker: Worker;

  /** `path`: the path of a topic; `credentials`: headers of each request. */
  constructor(url: string, path: string, credentials: Record<string, string> = {}) {
    this.#worker = new Worker(MAIN, { workerData: { url, path, credentials } });
  }

  async report(): Promise<GoodClientReport> {
    return await this.#ask('report');
  }

  /** Discards the measurements so far. */
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
