/** The live stream, read with fetch so that it can carry a token; reconnects when the connection is lost. */
import { createParser, type EventSourceMessage } from 'eventsource-parser';
import { ApiError, request } from './api-client.ts';

/** The gateway sends its state every second: a stream that is silent for this long is dead. */
const SILENCE_MS = 5_000;
const FIRST_DELAY_MS = 250;
const MAX_DELAY_MS = 5_000;

export interface LiveListener {
  onOpen(signal: AbortSignal): void;
  onEvents(events: EventSourceMessage[]): void;
  onLost(reason: string, retryInMs: number): void;
  /** The gateway requires another token; nothing happens until {@link LiveStream.restart}. */
  onRefused(reason: string): void;
}

export class LiveStream {
  readonly #listener: LiveListener;
  readonly #token: () => string | null;
  #attempt: AbortController | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #failureCount = 0;

  constructor(listener: LiveListener, token: () => string | null) {
    this.#listener = listener;
    this.#token = token;
  }

  /** Connects now, and replaces an existing connection. */
  restart(): void {
    this.close();
    const attempt = new AbortController();
    this.#attempt = attempt;
    this.#run(attempt).then(
      () => this.#lost(attempt, 'The gateway ended the stream.'),
      (error: unknown) => {
        if (error instanceof ApiError && error.isTokenRefused) {
          if (this.#attempt === attempt) this.#listener.onRefused(error.message);
        } else {
          this.#lost(attempt, reasonOf(error));
        }
      },
    );
  }

  close(): void {
    clearTimeout(this.#timer);
    const attempt = this.#attempt;
    this.#attempt = undefined;
    attempt?.abort();
  }

  async #run(attempt: AbortController): Promise<void> {
    const silence = new SilenceTimer(attempt);
    try {
      silence.restart();
      const response = await request('/api/live', this.#token(), { signal: attempt.signal });
      if (response.body === null) throw new ApiError(response.status, 'The gateway sent no stream.');
      this.#listener.onOpen(attempt.signal);
      const events: EventSourceMessage[] = [];
      const parser = createParser({ onEvent: (event) => events.push(event) });
      const decoder = new TextDecoder();
      const body = response.body.getReader();
      for (;;) {
        const { done, value } = await body.read();
        if (done) return;
        silence.restart();
        parser.feed(decoder.decode(value, { stream: true }));
        if (events.length === 0) continue;
        this.#failureCount = 0;
        this.#listener.onEvents(events.splice(0));
      }
    } finally {
      silence.close();
    }
  }

  #lost(attempt: AbortController, reason: string): void {
    // Replaced or closed: not a loss.
    if (this.#attempt !== attempt) return;
    this.#attempt = undefined;
    attempt.abort();
    const delayMs = Math.min(FIRST_DELAY_MS * 2 ** this.#failureCount, MAX_DELAY_MS) * (0.75 + Math.random() / 2);
    this.#failureCount += 1;
    this.#timer = setTimeout(() => this.restart(), delayMs);
    this.#listener.onLost(reason, delayMs);
  }
}

/** Aborts an attempt that has been silent for {@link SILENCE_MS}. */
class SilenceTimer {
  readonly #attempt: AbortController;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(attempt: AbortController) {
    this.#attempt = attempt;
  }

  restart(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#attempt.abort(new ApiError(0, `The gateway was silent for ${SILENCE_MS / 1_000} seconds.`));
    }, SILENCE_MS);
  }

  close(): void {
    clearTimeout(this.#timer);
  }
}

function reasonOf(error: unknown): string {
  return error instanceof ApiError ? error.message : 'The connection broke off.';
}
