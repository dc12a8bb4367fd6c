/** Good clients that use the system while hostile ones do: every response must be their own. */
import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { marked } from './attacker.ts';

/** Pause between a response and the next request: the hostile clients are the load. */
const PAUSE_MS = 5;
const READER_COUNT = 3;

interface Reply {
  status: number;
  body: string;
}

export class Bystanders {
  readonly #port: number;
  readonly #topic: string;
  /** Keeps connections open, which others must not disturb. */
  readonly #agent = new Agent({ keepAlive: true });
  readonly #running: Promise<void>[];
  #isStopping = false;
  /** Responses so far. */
  responseCount = 0;
  /** Responses of other clients, errors, records that went elsewhere; a sentence each. */
  readonly wrong: string[] = [];

  constructor(port: number, topic: string) {
    this.#port = port;
    this.#topic = topic;
    this.#running = [...Array.from({ length: READER_COUNT }, () => this.#read()), this.#write(0), this.#write(1)];
  }

  /** Resolves when every bystander has its last response. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    await Promise.all(this.#running);
    this.#agent.destroy();
  }

  /** Asks for partitions that do not exist: the error names the asked one. */
  async #read(): Promise<void> {
    while (!this.#isStopping) {
      const { bytes, text } = marked(this.#topic, 'good');
      const path = bytes.split(' ', 2)[1] as string;
      const { status, body } = await this.#send('GET', path);
      if (status !== 404 || !body.includes(text)) this.wrong.push(`${path}: ${status} ${body}`);
    }
  }

  /** Writes to a partition of its own: no other records are between its own. */
  async #write(partition: number): Promise<void> {
    let expected: number | undefined;
    while (!this.#isStopping) {
      const record = `{"records":[{"value":"good","partition":${partition}}]}`;
      const { status, body } = await this.#send('POST', `/topics/${this.#topic}`, record);
      const offset = Number(
        new RegExp(`^{"offsets":\\[{"partition":${partition},"offset":(\\d+)}\\]}$`).exec(body)?.[1],
      );
      if (status !== 200 || offset !== (expected ?? offset))
        this.wrong.push(`partition ${partition}: ${status} ${body}`);
      expected = offset + 1;
    }
  }

  async #send(method: string, path: string, body?: string): Promise<Reply> {
    const headers =
      body === undefined ? {} : { 'content-type': 'application/vnd.kafka.json.v2+json', 'content-length': body.length };
    const reply = await new Promise<Reply>((resolve) => {
      const sent = request({ port: this.#port, host: '127.0.0.1', agent: this.#agent, method, path, headers });
      sent.on('error', (error) => resolve({ status: 0, body: String(error) }));
      sent.on('response', async (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (piece: string) => {
          text += piece;
        });
        response.on('error', (error) => resolve({ status: 0, body: String(error) }));
        await once(response, 'end').catch(() => {});
        resolve({ status: response.statusCode ?? 0, body: text });
      });
      sent.end(body);
    });
    this.responseCount += 1;
    await delay(PAUSE_MS);
    return reply;
  }
}
