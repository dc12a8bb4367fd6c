/** Probes one target on a timer and reports what each probe found; judging is elsewhere. */
import { KAFKA_RATES_HEADER, parseKafkaRates } from '@causeway/protocol/kafka-rates.ts';
import {
  BRIDGE_HEADER,
  KAFKA_ANSWERED_HEADER,
  KAFKA_CLUSTER_HEADER,
  KAFKA_HEADER,
} from '@causeway/protocol/routing.ts';
import { Client } from 'undici';
import { describeConnectionFailure, isGatewaysOwn } from './connection-failure.ts';
import { KAFKA_WORDS, type KafkaTold, type ProbeResult } from './health.ts';

export interface HealthCheckOptions {
  url: string;
  path: string;
  intervalMs: number;
  timeoutMs: number;
  headers: Record<string, string>;
  onResult: (result: ProbeResult, durationMs: number) => void;
  /** Chance, from 0 up to 1. */
  random: () => number;
  /** Milliseconds, never going back. */
  now: () => number;
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
    if (result !== undefined) onResult(result, durationMs);
  }

  /** `undefined`: the gateway could not ask, which says nothing about the target. */
  async #ask(): Promise<ProbeResult | undefined> {
    const { path, timeoutMs, headers, now } = this.#options;
    const askedMs = now();
    const abort = new AbortController();
    this.#abort = abort;
    const timer = setTimeout(() => abort.abort(), timeoutMs);
    try {
      const answer = await this.#client.request({ path, method: 'GET', headers, signal: abort.signal });
      const { statusCode, body } = answer;
      const text = await body.text();
      const kafka = kafkaTold(answer.headers, { text, askedMs });
      const bridge = textOf(answer.headers[BRIDGE_HEADER]);
      if (statusCode >= 200 && statusCode < 300) return { isGood: true, bridge, kafka };
      const publicReason = kafka?.state === 'down' ? 'Kafka does not answer there' : `probe answered ${statusCode}`;
      const reason = `probe answered ${statusCode}${messageOf(text)}`;
      return { isGood: false, reason, publicReason, isSilent: false, bridge, kafka };
    } catch (error) {
      // A connection in an unknown state is not used again.
      void this.#client.destroy();
      if (!this.#isClosed) this.#client = this.#connect();
      if (isGatewaysOwn(error)) return undefined;
      const isSilent = abort.signal.aborted;
      const reason = isSilent
        ? `probe timed out after ${timeoutMs} ms`
        : `probe failed: ${describeConnectionFailure(error)}`;
      return { isGood: false, reason, publicReason: reason, isSilent };
    } finally {
      clearTimeout(timer);
    }
  }
}

/** `askedMs`: when the probe was sent; what the target says is at least as old. */
function kafkaTold(
  headers: Readonly<Record<string, unknown>>,
  { text, askedMs }: { text: string; askedMs: number },
): KafkaTold | undefined {
  const state = KAFKA_WORDS.find((word) => word === headers[KAFKA_HEADER]);
  if (state === undefined) return undefined;
  const rates = textOf(headers[KAFKA_RATES_HEADER]);
  const agoText = textOf(headers[KAFKA_ANSWERED_HEADER]);
  const agoMs = agoText !== undefined && /^\d{1,12}$/.test(agoText) ? Number(agoText) : undefined;
  return {
    state,
    reason: state === 'down' ? messageOf(text).replace(/^: /, '') : REASONS[state],
    rates: rates === undefined ? undefined : parseKafkaRates(rates),
    cluster: textOf(headers[KAFKA_CLUSTER_HEADER]),
    answeredMs: agoMs === undefined ? undefined : askedMs - agoMs,
  };
}

const REASONS = { up: 'it answers the bridge', degraded: 'it answers some bridges of the region' } as const;

function textOf(header: unknown): string | undefined {
  return typeof header === 'string' ? header : undefined;
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
