/** A client that sends a fixed number of requests a second from its own thread, however they are responded to. */
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';

const MAIN = fileURLToPath(new URL('paced-client-thread.ts', import.meta.url));

export interface PacedClientOptions {
  url: string;
  path: string;
  headers: Record<string, string>;
  body: string;
  requestsPerSecond: number;
}

/** Since the start. */
export interface PacedClientReport {
  sentCount: number;
  /** Responses by status, and errors by message. */
  statusCounts: Record<string, number>;
}

export class PacedClient {
  readonly #worker: Worker;

  constructor(options: PacedClientOptions) {
    this.#worker = new Worker(MAIN, { workerData: options });
  }

  async start(): Promise<void> {
    await this.#ask('start');
  }

  async report(): Promise<PacedClientReport> {
    return await this.#ask('report');
  }

  /** Sends no more. */
  async stop(): Promise<PacedClientReport> {
    return await this.#ask('stop');
  }

  async #ask(what: 'start' | 'report' | 'stop'): Promise<PacedClientReport> {
    this.#worker.postMessage(what);
    const [report] = (await once(this.#worker, 'message')) as [PacedClientReport];
    return report;
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }
}
