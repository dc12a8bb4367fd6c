/** Clients that send records with keys of their own, and repeat each request until it is answered. */
import { setTimeout as delay } from 'node:timers/promises';
import { keyIdentity, slotOf } from '@causeway/protocol/idempotency.ts';
import { unique } from './kafka-view.ts';

const PAUSE_MS = 20;

export interface KeyedResponse {
  status: number;
  text: string;
  isReplayed: boolean;
}

/** One record, whose value is the key. Errors: of the connection. */
export async function sendKeyed(
  url: string,
  { topic, key, headers = {} }: { topic: string; key: string; headers?: Record<string, string> },
): Promise<KeyedResponse> {
  const response = await fetch(`${url}/topics/${topic}`, {
    method: 'POST',
    headers: { 'content-type': 'application/vnd.kafka.json.v2+json', 'idempotency-key': key, ...headers },
    body: JSON.stringify({ records: [{ value: key }] }),
  });
  return {
    status: response.status,
    text: await response.text(),
    isReplayed: response.headers.get('idempotency-replayed') === 'true',
  };
}

/** A new key of a client without credentials. */
export function keyOfSlot(slot: number): string {
  for (;;) {
    const key = unique('key');
    if (slotOf(keyIdentity(undefined, key)) === slot) return key;
  }
}

/** Sends one key after another, several at a time. */
export class KeyedProducing {
  /** The answer to each key. */
  readonly answers = new Map<string, string>();
  /** Statuses other than 200, with their texts. */
  readonly failures = new Set<string>();
  #isOver = false;
  readonly #running: Promise<unknown>;

  constructor(target: { url: string; topic: string }, clientCount = 4) {
    this.#running = Promise.all(Array.from({ length: clientCount }, () => this.#run(target)));
  }

  async #run({ url, topic }: { url: string; topic: string }): Promise<void> {
    while (!this.#isOver) {
      const key = unique('key');
      for (;;) {
        const { status, text } = await sendKeyed(url, { topic, key });
        if (status === 200) {
          this.answers.set(key, text);
          break;
        }
        this.failures.add(`${status} ${text}`);
        await delay(PAUSE_MS);
      }
      await delay(PAUSE_MS);
    }
  }

  /** The keys that are under way are answered. */
  async end(): Promise<void> {
    this.#isOver = true;
    await this.#running;
  }
}
