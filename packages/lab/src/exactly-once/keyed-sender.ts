/** Sends each produce request with a key of its own, and records what it gets; some repeat it, or send it twice at once. */
import { setTimeout as delay } from 'node:timers/promises';
import { IDEMPOTENCY_KEY_HEADER } from '@causeway/protocol/idempotency.ts';
import type { Answer, ClientRequest, HttpClient } from '../traffic/client.ts';
import type { ProduceSender } from '../traffic/producer.ts';
import type { KeyedHistory } from './history.ts';

export interface KeyedSenderOptions {
  client: HttpClient;
  history: KeyedHistory;
  /** Its keys begin with it, and no others do. */
  name: string;
  /** Sends each request at the same time, with the same key. */
  twin?: HttpClient | undefined;
  /**
   * Whether it repeats a request after a broken connection or a 5xx until it has an answer, and also asks for some answers again.
   * Twins always repeat. Default: false.
   */
  isRepeating?: boolean | undefined;
}

const REPEAT_PAUSE_MS = 100;
/** More than any failure of a scenario lasts. */
const REPEAT_TIMEOUT_MS = 60_000;
/** One in so many answers is asked for again, … */
const ASK_AGAIN_EVERY = 4;
/** … and after one in so many, other records are sent with the same key, which must be refused. */
const MISUSE_EVERY = 8;

export class KeyedSender implements ProduceSender {
  readonly #options: KeyedSenderOptions;
  readonly #givenUp = new AbortController();
  #count = 0;

  constructor(options: KeyedSenderOptions) {
    this.#options = options;
  }

  async send(request: ClientRequest, records: readonly number[]): Promise<Answer> {
    const { client, twin, name, isRepeating = false } = this.#options;
    this.#count += 1;
    const count = this.#count;
    const key = `${name}-${count}`;
    const keyed = { request, records, key };
    if (twin !== undefined) {
      const answers = await Promise.all([
        this.#untilAnswered(client, { ...keyed, sender: name }),
        this.#untilAnswered(twin, { ...keyed, sender: `${name} (twin)` }),
      ]);
      return answers.find((answer) => answer.kind === 'failed' || answer.status !== 200) ?? answers[0];
    }
    const own = { ...keyed, sender: name };
    if (!isRepeating) return await this.#sendOnce(client, own);
    const answer = await this.#untilAnswered(client, own);
    if (count % ASK_AGAIN_EVERY === 0) await this.#untilAnswered(client, own);
    if (count % MISUSE_EVERY === 0) await this.#untilAnswered(client, misuseOf(own));
    return answer;
  }

  /** Repeats nothing any more. */
  giveUp(): void {
    this.#givenUp.abort();
  }

  /** Repeats the request until its answer is one of the request, and not of the moment. */
  async #untilAnswered(client: HttpClient, keyed: Keyed): Promise<Answer> {
    const deadlineMs = performance.now() + REPEAT_TIMEOUT_MS;
    let answer = await this.#sendOnce(client, keyed);
    const { signal } = this.#givenUp;
    while (isOfTheMoment(answer) && performance.now() < deadlineMs && !signal.aborted) {
      await delay(REPEAT_PAUSE_MS, undefined, { signal }).catch(() => {});
      answer = await this.#sendOnce(client, keyed);
    }
    return answer;
  }

  async #sendOnce(client: HttpClient, { request, records, key, sender }: Keyed): Promise<Answer> {
    const complete = this.#options.history.begin({ key, client: sender, records });
    const answer = await client.send({ ...request, headers: { ...request.headers, [IDEMPOTENCY_KEY_HEADER]: key } });
    if (answer.kind === 'answered')
      complete({ status: answer.status, body: answer.text, isReplayed: answer.isReplayed });
    return answer;
  }
}

interface Keyed {
  request: ClientRequest;
  records: readonly number[];
  key: string;
  sender: string;
}

const UNDER_WAY = 409;
const SERVER_ERROR = 500;

function isOfTheMoment(answer: Answer): boolean {
  return answer.kind === 'failed' || answer.status === UNDER_WAY || answer.status >= SERVER_ERROR;
}

/** Another request with the key. Its records have numbers that no record has: they must not stand. */
function misuseOf(keyed: Keyed): Keyed {
  const { body } = keyed.request as { body: { records: { value: object }[] } };
  const records = keyed.records.map((record) => -record);
  const sent = body.records.map((entry, index) => ({ ...entry, value: { ...entry.value, n: records[index] } }));
  return { ...keyed, records, request: { ...keyed.request, body: { records: sent } } };
}
