/** Probes one target on a timer and reports the result of each probe. {@link judge} decides what it means. */
import { CLUSTER_HEADER, PROMOTION_HEADER, parseClusterMode, parsePromotion } from '@causeway/protocol/clusters.ts';
import { KAFKA_RATES_HEADER, parseKafkaRates } from '@causeway/protocol/kafka-rates.ts';
import {
  BRIDGE_HEADER,
  KAFKA_ANSWERED_HEADER,
  KAFKA_CLUSTER_HEADER,
  KAFKA_HEADER,
} from '@causeway/protocol/routing.ts';
import { fetchOnce } from '../upstream/fetch-once.ts';
import type { Transport } from '../upstream/transport.ts';
import { describeConnectionFailure, explainConnectionFailure, isGatewaysOwn } from './connection-failure.ts';
import { type ClusterReport, KAFKA_WORDS, type KafkaReport, type ProbeResult } from './health.ts';

export interface HealthCheckOptions {
  /** Also carries the requests to the target, unless the target has a health URL of its own. */
  transport: () => Transport;
  path: string;
  intervalMs: number;
  timeoutMs: number;
  /** Of the next probe: names and values in turn. */
  headers: () => readonly string[];
  onResult: (result: ProbeResult, durationMs: number) => void;
  /** Returns a random number from 0 up to 1. */
  random: () => number;
  /** Milliseconds of the monotonic clock. */
  now: () => number;
}

/** Spreads probes by this share of the interval, so that many gateways do not probe in step. */
const JITTER_RATIO = 0.1;

/** Time between the starts of two probes when failing requests trigger them. */
const MIN_GAP_MS = 20;

/** The part of a response that is kept; error messages are much shorter. */
const MAX_BODY_BYTES = 65_536;

export class HealthCheck {
  readonly #options: HealthCheckOptions;
  #timer: NodeJS.Timeout | undefined;
  #abort: AbortController | undefined;
  #isClosed = false;
  /** The last probe got no response. Idle connections may be cut unnoticed, and must not fail the next probe too. */
  #needsFreshConnection = false;
  #lastStartMs = 0;

  constructor(options: HealthCheckOptions) {
    this.#options = options;
  }

  start(): void {
    void this.#probe();
  }

  /** Probes without waiting for the interval, because a request has just failed. */
  probeSoon(): void {
    if (this.#isClosed || this.#timer === undefined) return;
    this.#schedule(Math.max(0, this.#lastStartMs + MIN_GAP_MS - performance.now()));
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#abort?.abort();
  }

  #schedule(delayMs: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#probe(), delayMs);
  }

  async #probe(): Promise<void> {
    const { intervalMs, random, onResult } = this.#options;
    this.#timer = undefined;
    this.#lastStartMs = performance.now();
    const result = await this.#send();
    if (this.#isClosed) return;
    const durationMs = performance.now() - this.#lastStartMs;
    // From start to start, so that a frozen target is declared down within intervalMs + fall * timeoutMs.
    const jitterMs = intervalMs * JITTER_RATIO * (random() - 0.5);
    this.#schedule(Math.max(0, intervalMs + jitterMs - durationMs));
    if (result !== undefined) onResult(result, durationMs);
  }

  /** Returns `undefined` if the gateway could not probe, which says nothing about the target. */
  async #send(): Promise<ProbeResult | undefined> {
    const { transport, path, timeoutMs, headers, now } = this.#options;
    const askedMs = now();
    const abort = new AbortController();
    this.#abort = abort;
    const timer = setTimeout(() => abort.abort(), timeoutMs);
    try {
      const request = { method: 'GET', path, headers: headers() };
      const { signal } = abort;
      const isFresh = this.#needsFreshConnection;
      const response = await fetchOnce(transport(), request, {
        signal,
        maxBodyBytes: MAX_BODY_BYTES,
        isFresh,
        isUrgent: true,
      });
      this.#needsFreshConnection = false;
      const { status } = response;
      const text = response.body.toString();
      const kafka = kafkaReported(response.headers, { text, askedMs });
      const bridge = textOf(response.headers[BRIDGE_HEADER]);
      const clusters = clustersReported(response.headers);
      if (status >= 200 && status < 300) return { isGood: true, bridge, kafka, clusters };
      const publicReason = kafka?.state === 'down' ? 'Kafka does not respond there' : `probe got ${status}`;
      const reason = `probe got ${status}${messageOf(text)}`;
      return { isGood: false, reason, publicReason, isSilent: false, bridge, kafka, clusters };
    } catch (error) {
      this.#needsFreshConnection = true;
      if (isGatewaysOwn(error)) return undefined;
      if (abort.signal.aborted) {
        const reason = `probe timed out after ${timeoutMs} ms`;
        return { isGood: false, reason, publicReason: reason, isSilent: true };
      }
      const isSilent = (error as NodeJS.ErrnoException).code === 'ETIMEDOUT';
      const reason = `probe failed: ${explainConnectionFailure(error)}`;
      return { isGood: false, reason, publicReason: `probe failed: ${describeConnectionFailure(error)}`, isSilent };
    } finally {
      clearTimeout(timer);
    }
  }
}

/** `askedMs`: when the probe was sent. What the target reports is at least as old. */
function kafkaReported(
  headers: Readonly<Record<string, unknown>>,
  { text, askedMs }: { text: string; askedMs: number },
): KafkaReport | undefined {
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

function clustersReported(headers: Readonly<Record<string, unknown>>): ClusterReport | undefined {
  const promotion = parsePromotion(textOf(headers[PROMOTION_HEADER]));
  const mode = parseClusterMode(textOf(headers[CLUSTER_HEADER]));
  return promotion === undefined && mode === undefined ? undefined : { promotion, mode };
}

const REASONS = { up: 'it responds to the bridge', degraded: 'it responds to some bridges of the region' } as const;

function textOf(header: unknown): string | undefined {
  return typeof header === 'string' ? header : undefined;
}

/** Returns the `message` of an error body, which says why a bridge is not ready. */
function messageOf(text: string): string {
  try {
    const body: unknown = JSON.parse(text);
    if (typeof body === 'object' && body !== null && 'message' in body && typeof body.message === 'string') {
      return `: ${body.message}`;
    }
  } catch {
    // Not JSON: the status must suffice.
  }
  return '';
}
