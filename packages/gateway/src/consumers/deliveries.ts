/**
 * Deliveries: responses with records that clients have received, until their bridges know. A bridge takes a response back that is
 * not confirmed, since the gateway that held it may have died. The client's next request carries the confirmation; if none arrives
 * soon (a slow client, or one that continues through another gateway), the gateway sends a request of its own.
 */
import { instancePath } from '@causeway/protocol/paths.ts';
import {
  CONFIRM_AFTER_MS,
  CONFIRMATION_TIMEOUT_MS,
  DELIVERED_HEADER,
  DELIVERED_PATH,
  GATEWAY_HEADER,
  parseDelivery,
} from '@causeway/protocol/routing.ts';
import type { Target } from '../regions/target.ts';
import { fetchOnce } from '../upstream/fetch-once.ts';
import { consumerKey } from './affinity.ts';

/** A consumer, and whose requests confirm its deliveries. */
export interface DeliveredConsumer {
  readonly group: string;
  readonly instance: string;
  /** Who got the response: a request of another principal has no effect on it. `undefined`: anonymous. */
  readonly principal: string | undefined;
}

export interface Delivered {
  readonly consumer: DeliveredConsumer;
  readonly mark: string;
  /** The target that responded, which gets the confirmation. */
  readonly target: Target;
  /** When the client had the response, or the last confirmation failed. */
  readonly sinceMs: number;
  /** Failed confirmations. */
  readonly failureCount: number;
}

export interface DeliveriesOptions {
  /** The entry of this gateway in `causeway-gateway`, and the header that proves it. */
  identity: () => { readonly entry: string; readonly proof: readonly string[] };
  /** Milliseconds, never going back. */
  now: () => number;
}

/** A response on its way to the client. */
export interface DepartingResponse {
  /** `finish`: the system has taken all of it. `close`: it is over, complete or not. */
  once(event: 'finish' | 'close', listener: () => void): unknown;
}

/** A response with records that was written, and that the system has not taken yet as far as this process knows. */
interface Departure {
  /** Called once, when it has left or is lost. One that has proceeded is forgotten: a response can be stuck for long. */
  readonly waiting: Set<() => void>;
}

/**
 * How long a request waits for the response before it. It left before its client could ask again, and the event that says so is
 * late, with TLS and HTTP/2 regularly; or it is stuck on another connection, which the client has given up.
 */
const DEPARTURE_MS = 100;
/** The most confirmation requests in flight; the others wait. */
const MAX_IN_FLIGHT = 32;
/** After about a second the bridge counts as gone. */
const MOST_FAILURES = 5;
/** A bridge responds 204, also where it does not know the consumer; errors come from gateways before it. */
const MIN_ERROR_STATUS = 400;

export class Deliveries {
  readonly #options: DeliveriesOptions;
  /** By consumer, the oldest first. */
  readonly #waiting = new Map<string, Delivered>();
  readonly #departures = new Map<string, Departure>();
  readonly #due: Delivered[] = [];
  /** By consumer: those that a request of the gateway's own confirms, until the bridge has acknowledged it. */
  readonly #confirming = new Map<string, Delivered>();
  readonly #inFlight = new Set<Promise<void>>();
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(options: DeliveriesOptions) {
    this.#options = options;
  }

  /** A target's response with the header `causeway-delivery` is about to be written: confirms it once the client has all of it. */
  watch(
    { consumer, delivery, target }: { consumer: DeliveredConsumer; delivery: string; target: Target },
    response: DepartingResponse,
  ): void {
    const key = keyOf(consumer);
    const departure: Departure = { waiting: new Set() };
    this.#departures.set(key, departure);
    const settle = (): void => {
      if (this.#departures.get(key) === departure) this.#departures.delete(key);
      for (const proceed of departure.waiting) proceed();
    };
    response.once('finish', () => {
      this.add(consumer, delivery, target);
      settle();
    });
    response.once('close', settle);
  }

  /**
   * Returns false when no response of the consumer is on its way. Otherwise `proceed` is called once, when that response has left
   * or is lost, after {@link DEPARTURE_MS} at the latest: a request that overtook the event would say that nothing was delivered.
   */
  awaitDeparture(consumer: DeliveredConsumer, proceed: () => void): boolean {
    const departure = this.#departures.size === 0 ? undefined : this.#departures.get(keyOf(consumer));
    if (departure === undefined) return false;
    const proceedOnce = (): void => {
      clearTimeout(timer);
      departure.waiting.delete(proceedOnce);
      proceed();
    };
    const timer = setTimeout(proceedOnce, DEPARTURE_MS);
    departure.waiting.add(proceedOnce);
    return true;
  }

  /** The client has the whole response with this `causeway-delivery`. */
  add(consumer: DeliveredConsumer, delivery: string, target: Target): void {
    const { mark, isAwaited } = parseDelivery(delivery);
    const delivered = { consumer, mark, target, sinceMs: this.#options.now(), failureCount: 0 };
    this.#waiting.delete(keyOf(consumer));
    if (isAwaited) {
      this.#becomeDue(delivered);
      this.#send();
    } else {
      this.#wait(delivered);
    }
  }

  /**
   * The delivery that the consumer's next request confirms. One whose own confirmation is in flight is confirmed again: the
   * request may reach another bridge, which takes the consumer over before the confirmation arrives, or the confirmation may
   * die with a gateway on its way. Without the mark, that bridge would deliver the records again.
   */
  take(consumer: DeliveredConsumer): Delivered | undefined {
    if (this.#waiting.size === 0 && this.#confirming.size === 0) return undefined;
    const key = keyOf(consumer);
    const delivered = this.#waiting.get(key);
    if (delivered === undefined) return this.#confirming.get(key);
    this.#waiting.delete(key);
    return delivered;
  }

  /** The request that should have confirmed it got no response; a newer delivery takes precedence. */
  putBack(delivered: Delivered): void {
    const key = keyOf(delivered.consumer);
    if (!this.#waiting.has(key) && !this.#confirming.has(key)) this.#wait(delivered);
  }

  /**
   * The request that should have confirmed it was refused before a bridge took notice: it was not its client's, perhaps. Confirmed at
   * once, since a stranger's requests can come without end.
   */
  refused(delivered: Delivered): void {
    const key = keyOf(delivered.consumer);
    if (this.#waiting.has(key) || this.#confirming.has(key)) return;
    this.#becomeDue(delivered);
    this.#send();
  }

  #wait(delivered: Delivered): void {
    this.#waiting.set(keyOf(delivered.consumer), delivered);
    this.#timer ??= setTimeout(() => this.#onTimer(), CONFIRM_AFTER_MS);
  }

  /** Confirms all pending deliveries: no more requests arrive. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    for (const delivered of this.#waiting.values()) this.#becomeDue(delivered);
    this.#waiting.clear();
    this.#send();
    while (this.#inFlight.size > 0) await Promise.all(this.#inFlight);
  }

  #onTimer(): void {
    this.#timer = undefined;
    const nowMs = this.#options.now();
    for (const [key, delivered] of this.#waiting) {
      const leftMs = delivered.sinceMs + CONFIRM_AFTER_MS - nowMs;
      if (leftMs > 0) {
        this.#timer = setTimeout(() => this.#onTimer(), leftMs);
        break;
      }
      this.#waiting.delete(key);
      this.#becomeDue(delivered);
    }
    this.#send();
  }

  #becomeDue(delivered: Delivered): void {
    this.#confirming.set(keyOf(delivered.consumer), delivered);
    this.#due.push(delivered);
  }

  #send(): void {
    while (this.#inFlight.size < MAX_IN_FLIGHT) {
      const delivered = this.#due.shift();
      if (delivered === undefined) return;
      const sending = this.#confirm(delivered).finally(() => {
        this.#inFlight.delete(sending);
        this.#send();
      });
      this.#inFlight.add(sending);
    }
  }

  /** Never throws: without a confirmation the bridge delivers the records again. */
  async #confirm(delivered: Delivered): Promise<void> {
    const { consumer, mark, target, failureCount } = delivered;
    const { group, instance } = consumer;
    try {
      const path = `${instancePath(group, instance)}${DELIVERED_PATH}`;
      const { entry, proof } = this.#options.identity();
      const headers = [GATEWAY_HEADER, entry, DELIVERED_HEADER, mark, ...proof];
      const signal = AbortSignal.timeout(CONFIRMATION_TIMEOUT_MS);
      const { status } = await fetchOnce(
        target.transport,
        { method: 'POST', path, headers },
        { signal, maxBodyBytes: 0 },
      );
      if (status >= MIN_ERROR_STATUS) throw new Error(`a gateway on the way responded ${status}`);
      this.#forget(delivered);
    } catch {
      this.#forget(delivered);
      // On the way to a bridge that lives a gateway may be starting again; the client's next request says it, too.
      if (failureCount === MOST_FAILURES || this.#isClosed) return;
      this.putBack({ ...delivered, sinceMs: this.#options.now(), failureCount: failureCount + 1 });
    }
  }

  #forget(delivered: Delivered): void {
    const key = keyOf(delivered.consumer);
    // A newer one of the consumer stays.
    if (this.#confirming.get(key) === delivered) this.#confirming.delete(key);
  }
}

function keyOf({ group, instance, principal }: DeliveredConsumer): string {
  const key = consumerKey(group, instance);
  return principal === undefined ? key : `${key}\u0000${principal}`;
}
