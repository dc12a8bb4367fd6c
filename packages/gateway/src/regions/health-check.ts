/** Probes one target on a timer and reports what each probe found; judging is elsewhere. */
import { KAFKA_RATES_HEADER, parseKafkaRates } from '@causeway/protocol/kafka-rates.ts';
import { BRIDGE_HEADER, KAFKA_HEADER } from '@causeway/protocol/routing.ts';
import { Client } from 'undici';
import { describeConnectionFailure } from './connection-failure.ts';
import type { KafkaTold, ProbeResult } from './health.ts';

export interface HealthCheckOptions {
  url: string;
  path: string;
  intervalMs: number;
  timeoutMs: number;
  headers: Record<string, string>;
  onResult: (result: ProbeResult, durationMs: number) => void;
  /** Chance, from 0 up to 1. */
  random: () => number;
}

/** The share of the interval by which probes are spread, so that many gateways do not probe in step. */
const JITTER_RATIO = 0.1;

/** A probe that a failure on real traffic asks for waits this long at least after the one before. */
const MIN_GAP_MS = 20;

export class HealthCheck {
  readonly #options: HealthCheckOptions;
  #client: Client;
  #timer: NodeJS.Timeout | undefined;
  #abort: AbortController | undefined;
  #isClosed = false;
  #lastStartMs = 0;

  constructor(options: HealthCheckOptions) {
    this.#options = options;
    this.#client = this.#connect();
  }

  start(): void {
    void this.#probe();
  }

  /** Probes without waiting for the interval: real traffic has just failed. */
  probeSoon(): void {
    if (this.#isClosed || this.#timer === undefined) return;
    this.#schedule(Math.max(0, this.#lastStartMs + MIN_GAP_MS - performance.now()));
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#abort?.abort();
    await this.#client.destroy();
  }

  #connect(): Client {
    return new Client(this.#options.url, { connect: { timeout: this.#options.timeoutMs }, pipelining: 1 });
  }

  #schedule(delayMs: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#probe(), delayMs);
  }

  async #probe(): Promise<void> {
    const { intervalMs, random, onResult } = this.#options;
    this.#timer = undefined;
    this.#lastStartMs = performance.now();
    const result = await this.#ask();
    if (this.#isClosed) return;
    const durationMs = performance.now() - this.#lastStartMs;
    // Counted from start to start, so that a frozen target is found in intervalMs + fall * timeoutMs.
    const jitterMs = intervalMs * JITTER_RATIO * (random() - 0.5);
    this.#schedule(Math.max(0, intervalMs + jitterMs - durationMs));
    onResult(result, durationMs);
  }

  async #ask(): Promise<ProbeResult> {
    const { path, timeoutMs, headers } = this.#options;
    const abort = new AbortController();
    this.#abort = abort;
    const timer = setTimeout(() => abort.abort(), timeoutMs);
    try {
      const answer = await this.#client.request({ path, method: 'GET', headers, signal: abort.signal });
      const { statusCode, body } = answer;
      const text = await body.text();
      const kafka = kafkaTold(answer.headers, text);
      if (statusCode >= 200 && statusCode < 300) {
        const bridge = answer.headers[BRIDGE_HEADER];
        return { isGood: true, bridge: typeof bridge === 'string' ? bridge : undefined, kafka };
      }
      return { isGood: false, reason: `probe answered ${statusCode}${messageOf(text)}`, isSilent: false, kafka };
    } catch (error) {
      // A connection in an unknown state is not used again.
      void this.#client.destroy();
      if (!this.#isClosed) this.#client = this.#connect();
      if (abort.signal.aborted)
        return { isGood: false, reason: `probe timed out after ${timeoutMs} ms`, isSilent: true };
      return { isGood: false, reason: `probe failed: ${describeConnectionFailure(error)}`, isSilent: false };
    } finally {
      clearTimeout(timer);
    }
  }
}

function kafkaTold(headers: Readonly<Record<string, unknown>>, text: string): KafkaTold | undefined {
  const state = headers[KAFKA_HEADER];
  if (state !== 'up' && state !== 'down') return undefined;
  const told = headers[KAFKA_RATES_HEADER];
  const rates = typeof told === 'string' ? parseKafkaRates(told) : undefined;
  if (state === 'up') return { isUp: true, reason: 'it answers the bridge', rates };
  return { isUp: false, reason: messageOf(text).replace(/^: /, ''), rates };
}

/** The `message` of the API's error body, which says why a bridge is not ready. */
function messageOf(text: string): string {
  try {
    const body: unknown = JSON.parse(text);
    if (typeof body === 'object' && body !== null && 'message' in body && typeof body.message === 'string') {
      return `: ${body.message}`;
    }
  } catch {
    // Not JSON: the status has to do.
  }
  return '';
}
